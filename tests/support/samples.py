"""One event of every schema version ever released, with something in every field.

`tests/fixtures/events/NAME.N.hex` holds the bytes that the release with that schema wrote for it. When a type gains a
field, its new sample goes beside the old one, under the next number; the old one then shows the new field's default.
"""

from datetime import UTC, datetime

from headwater_schemas import digests
from headwater_schemas.entries import FileRow, Reference
from headwater_schemas.events import (
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    ExpectedAlias,
    Move,
    Origin,
    RulesChanged,
    RunFinished,
    RunStarted,
    SettingsChanged,
    Stamped,
    SubscriptionAdded,
    SubscriptionRemoved,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    own_draft,
    shared_draft,
)

from tests.support.entries import of_rows

ORIGIN = Origin(
    session="0123456789abcdef0123456789abcdef",
    sequence=300,
    clock=datetime(2025, 1, 2, 3, 4, 5, 678901, UTC),
    who="ada@analytical",
    message="größer",
)
COLLECTION = "vision/digits/images"
RUN = "vision/digits/run-7"
PROJECT = "vision/digits"
OWN = own_draft("00112233445566778899aabbccddeeff")
SHARED = shared_draft("nightly 2025-01-02")

_FILES = of_rows(
    [
        FileRow("train/0.png", digests.pack(digests.BLAKE3, bytes(range(32))), 312, "packs/a", 0),
        FileRow("train/ä.png", digests.pack(digests.BLAKE3, bytes(range(32, 64))), 70_000, "files/b", 512),
        FileRow("train/2.png", digests.pack(digests.BLAKE3, bytes(range(64, 96))), 0, "packs/a", 312),
    ],
    digests.BLAKE3,
)
_REFERENCES = (
    Reference("raw/all.tar", "s3://bucket/all.tar", "etag:9f8e", 1 << 40, "version-1"),
    Reference("raw/more", "https://example.org/more"),
)

_RELEASED: list[tuple[int, Event]] = [
    (1, DraftOpened(collection=COLLECTION, draft=OWN, type="dataset", base=3)),
    (1, EntryAdded(collection=COLLECTION, draft=OWN, files=_FILES, references=_REFERENCES)),
    (2, EntryAdded(collection=COLLECTION, draft=SHARED, files=_FILES, references=_REFERENCES, writer=RUN)),
    (1, EntryRemoved(collection=COLLECTION, draft=SHARED, paths=("train/1.png", "x"), folders=("test",))),
    (2, EntryRemoved(collection=COLLECTION, draft=SHARED, paths=("train/1.png",), folders=("test",), writer=RUN)),
    (1, WriterDone(collection=COLLECTION, draft=SHARED)),
    (2, WriterDone(collection=COLLECTION, draft=SHARED, writer=RUN)),
    (
        1,
        VersionCommitted(
            collection=COLLECTION,
            draft=SHARED,
            description="all of them",
            metadata='{"images":1797}',
            aliases=("best", "nightly"),
            tags=("clean",),
            run=RUN,
            ttl_seconds=86_400,
            expected_digest="ab" * 32,
            writers=4,
        ),
    ),
    (1, DraftDiscarded(collection=COLLECTION, draft=OWN)),
    (2, DraftDiscarded(collection=COLLECTION, draft=SHARED, untouched_since_us=1_735_787_045_678_901)),
    (1, AliasMoved(collection=COLLECTION, alias="best", version=2, expected=ExpectedAlias(version=1))),
    (1, ArtifactUsed(collection=COLLECTION, version=2, run=RUN, requested="images:best")),
    (
        1,
        VersionDescribed(
            collection=COLLECTION,
            version=2,
            description="most of them",
            metadata='{"images":1796}',
            metadata_patch='{"checked":true}',
            tags_added=("checked",),
            tags_removed=("clean",),
            ttl_seconds=3600,
        ),
    ),
    (1, VersionDeleted(collection=COLLECTION, version=2, delete_aliases=True)),
    (1, VersionRestored(collection=COLLECTION, version=2)),
    (1, VersionRecalled(collection=COLLECTION, version=2, reason="labels of 3 and 8 swapped")),
    (
        1,
        RunStarted(
            run=RUN,
            job_type="train",
            group="sweep-1",
            display_name="seven",
            config='{"rate":0.1}',
            tags=("first", "try"),
        ),
    ),
    (1, RunFinished(run=RUN, state="failed")),
    (1, BlobsCondemned(project=PROJECT, objects=("packs/a", "files/b"))),
    (1, BlobsMoved(project=PROJECT, moves=(Move("packs/a", 1, 2, "packs/c", 3), Move("packs/b", 4, 5, "packs/c", 6)))),
    (1, DeadLetterResolved(key=f"collection:{COLLECTION}", partition=31, offset=123_456, decision="skip")),
    (1, RulesChanged(project=PROJECT, rule="expiry", value='{"days":30}')),
    (1, AccessGranted(project=PROJECT, principal="grace@harvard", role="writer")),
    (1, AccessRevoked(project=PROJECT, principal="grace@harvard", role="writer")),
    (1, SettingsChanged(project=PROJECT, settings='{"digest":"blake3"}')),
    (1, SubscriptionAdded(project=PROJECT, subscription="deploy", settings='{"target":"https://example.org"}')),
    (1, SubscriptionRemoved(project=PROJECT, subscription="deploy")),
]

# (event name, schema version) → what its fixture decodes to.
SAMPLES: dict[tuple[str, int], Stamped] = {(event.name, number): Stamped(ORIGIN, event) for number, event in _RELEASED}
