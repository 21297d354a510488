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
    Capture,
    DeadLetterResolved,
    DecidedOn,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    ExpectedVersion,
    Imported,
    Move,
    Origin,
    RulesChanged,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    SessionsRetired,
    SettingsChanged,
    Stamped,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
    Transaction,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    own_draft,
    shared_draft,
)

from tests.support.entries import of_rows

ORIGIN = Origin(
    session="0194250a8f1abcdef0123456789abcdef0123456789abcde",
    sequence=300,
    clock=datetime(2025, 1, 2, 3, 4, 5, 678901, UTC),
    author="ada@analytical",
    message="größer",
)
COLLECTION = "vision/digits/images"
RUN = "vision/digits/run-7"
TOKEN = "0123456789abcdef" * 4
PROJECT = "vision/digits"
OWN = own_draft("00112233445566778899aabbccddeeff")
SHARED = shared_draft("nightly 2025-01-02")
BROADCAST = "ffeeddccbbaa99887766554433221100"

_FILES = of_rows(
    [
        FileRow("train/0.png", digests.pack(digests.BLAKE3, bytes(range(32))), 312, "packs/a", 0),
        FileRow("train/ä.png", digests.pack(digests.BLAKE3, bytes(range(32, 64))), 70_000, "files/b", 512),
        FileRow("train/2.png", digests.pack(digests.BLAKE3, bytes(range(64, 96))), 0, "packs/a", 312, True),
    ],
    digests.BLAKE3,
)
_REFERENCES = (
    Reference("raw/all.tar", "s3://bucket/all.tar", "etag:9f8e", 1 << 40, "version-1"),
    Reference("raw/more", "https://example.org/more"),
)

_RELEASED: list[tuple[int, Event]] = [
    (1, DraftOpened(collection=COLLECTION, draft=OWN, type="dataset", base=3)),
    (1, EntryAdded(collection=COLLECTION, draft=SHARED, files=_FILES, references=_REFERENCES, writer=RUN)),
    (1, EntryRemoved(collection=COLLECTION, draft=SHARED, paths=("train/1.png",), folders=("test",), writer=RUN)),
    (1, WriterDone(collection=COLLECTION, draft=SHARED, writer=RUN)),
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
            expected_digest=f"lthash:{'ab' * 32}",
            writers=4,
            expect_latest=ExpectedVersion(version=1),
            rights=("edit-existing",),
            transaction=Transaction(id="00112233445566778899aabbccddeeff", members=2),
            imported=Imported(
                store="0f" * 16, version="other/digits/images:v9", author="grace@harvard", time=ORIGIN.clock
            ),
        ),
    ),
    (1, DraftDiscarded(collection=COLLECTION, draft=SHARED, last_event="ad4d55b5-b5da-5b5e-8bdb-7a5b4d2f8ec1")),
    (1, AliasMoved(collection=COLLECTION, alias="best", version=2, expected=ExpectedVersion(version=1))),
    (1, ArtifactUsed(collection=COLLECTION, version=2, run=RUN, requested="images:best", use_as="test data")),
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
    (
        2,
        VersionDeleted(
            collection=COLLECTION,
            version=2,
            delete_aliases=True,
            decided_on=DecidedOn(aliases=("best",), times_restored=1, unused=True, ttl_seconds=3600, newer=5),
        ),
    ),
    (1, VersionRestored(collection=COLLECTION, version=2)),
    (1, VersionPurged(collection=COLLECTION, version=2, epoch=1, partition=7, offset=654_321)),
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
            heartbeat_seconds=300,
        ),
    ),
    (
        1,
        RunUpdated(
            run=RUN,
            config_set='{"rate":0.2}',
            config_removed=("momentum",),
            summary_set='{"accuracy":0.9}',
            summary_removed=("loss",),
            capture=Capture(
                commit="0123456789abcdef0123456789abcdef01234567",
                remote="https://example.org/digits.git",
                branch="main",
                dirty="yes",
                environment='{"python":"3.11.9"}',
            ),
        ),
    ),
    (1, RunHeartbeat(run=RUN, heartbeat_seconds=600)),
    (1, RunFinished(run=RUN, state="failed")),
    (1, BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=("packs/a", "files/b"))),
    (1, BlobsMoved(project=PROJECT, moves=(Move("packs/a", 1, 2, "packs/c", 3), Move("packs/b", 4, 5, "packs/c", 6)))),
    (1, DeadLetterResolved(key=f"collection:{COLLECTION}", epoch=2, partition=31, offset=123_456, decision="skip")),
    (1, SessionsRetired(broadcast=BROADCAST, before_ms=1_735_700_000_000)),
    (1, RulesChanged(broadcast=BROADCAST, project=PROJECT, rule="expiry", value='{"days":30}')),
    (1, AccessGranted(scope=PROJECT, principal="harvard|grace", role="writer")),
    (1, AccessRevoked(scope="vision", principal="harvard|grace")),
    (1, TokenCreated(scope="vision", token=TOKEN, principal="headwater|grace", expires_ms=1_735_700_000_000)),
    (1, TokenRevoked(scope=PROJECT, token=TOKEN)),
    (1, SettingsChanged(project=PROJECT, settings='{"digest":"blake3"}')),
    (1, SubscriptionAdded(scope=PROJECT, subscription="hook_1", settings='{"url":"https://example.org"}')),
    (1, SubscriptionRemoved(scope="vision", subscription="hook_1")),
]

# (event name, schema version) → what its fixture decodes to.
SAMPLES: dict[tuple[str, int], Stamped] = {(event.name, number): Stamped(ORIGIN, event) for number, event in _RELEASED}
