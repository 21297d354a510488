"""A version is logged with its bytes first, then its events in the order that they must be applied in."""

from collections.abc import Callable, Sequence

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_producer.commits import CommitVersion, Upsert, send_commit, send_entries
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import Reference
from headwater_schemas.errors import BlobMissing, StoreUnavailable
from headwater_schemas.events import (
    OWN_DRAFT,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    VersionCommitted,
    shared_draft,
)

from tests.contract.blob_stores import PROJECT, digest_of, put_pack
from tests.producer.conftest import Projection
from tests.producer.logs import FailingLog, on_log, producer_on
from tests.support.memory_log import MemoryLog

COLLECTION = f"{PROJECT}/images"
RUN = f"{PROJECT}/r1"
REFERENCE = Reference("raw", "s3://bucket/raw", "etag:1", 7)


def taken(stager: BlobStager, *contents: bytes) -> dict[str, tuple[bytes, int]]:
    """The contents as files of a command: "0", "1", …"""
    known = zip(stager.ingest(contents), contents, strict=True)
    return {str(n): (digest, len(content)) for n, (digest, content) in enumerate(known)}


def events_on(log: MemoryLog) -> Sequence[Event]:
    return [stamped.event for stamped in on_log(log)]


def test_a_commit_opens_a_draft_takes_out_adds_and_seals(stager: BlobStager) -> None:
    producer = producer_on(log := MemoryLog())
    command = CommitVersion(
        collection=COLLECTION,
        type="dataset",
        base=3,
        files=taken(stager, b"one", b"two"),
        executable={"1", "not sent"},
        references=[REFERENCE],
        removed=["gone"],
        message="because",
        description="all of them",
        metadata='{"a":1}',
        aliases=("best",),
        tags=("clean",),
        run=RUN,
        ttl_seconds=60,
        expected_digest="ab" * 32,
        writers=2,
    )

    sent = send_commit(command, stager, producer)
    producer.confirm()

    opened, removed, files, references, commit = events_on(log)
    assert sent.draft.startswith(OWN_DRAFT)
    assert opened == DraftOpened(collection=COLLECTION, draft=sent.draft, type="dataset", base=3)
    assert removed == EntryRemoved(collection=COLLECTION, draft=sent.draft, paths=("gone",))
    assert isinstance(files, EntryAdded)
    assert (files.files.paths, files.files.sizes, files.writer) == (["0", "1"], [3, 3], None)
    assert files.files.executable == [1]
    assert references == EntryAdded(collection=COLLECTION, draft=sent.draft, references=(REFERENCE,))
    assert commit == VersionCommitted(
        collection=COLLECTION,
        draft=sent.draft,
        description="all of them",
        metadata='{"a":1}',
        aliases=("best",),
        tags=("clean",),
        run=RUN,
        ttl_seconds=60,
        expected_digest="ab" * 32,
        writers=2,
    )
    assert {stamped.origin.message for stamped in on_log(log)} == {"because"}
    assert [event.sequence for event in sent.events] == [0, 1, 2, 3, 4]
    assert (sent.collection, set(sent.locations)) == (COLLECTION, {digest for digest, _ in command.files.values()})


def test_every_file_says_where_its_bytes_are(stager: BlobStager, store: FolderBlobStore) -> None:
    contents = [b"first", b"", b"another", b"first"]
    producer = producer_on(log := MemoryLog())

    command = CommitVersion(collection=COLLECTION, type="dataset", base=None, files=taken(stager, *contents))
    sent = send_commit(command, stager, producer)
    producer.confirm()

    (_, added, _) = events_on(log)
    assert isinstance(added, EntryAdded)
    files = added.files
    for row, content in enumerate(contents):
        place = sent.locations[digest_of(content)]
        assert (files.objects[files.object_indexes[row]], files.offsets[row]) == (place.object_name, place.offset)
        assert files.packed_digests()[row] == digest_of(content)
        assert store.read(place, digest_of(content)) == content


def test_files_of_two_digest_algorithms_are_two_batches(
    new_stager: Callable[..., BlobStager], store: FolderBlobStore, projection: Projection
) -> None:
    stager = new_stager(digests.BLAKE3)
    producer = producer_on(log := MemoryLog())
    files = taken(stager, b"a", b"b", b"c")
    ((place, before),) = put_pack(store, b"b")
    projection[PROJECT, before] = place
    files["1"] = (before, 1)

    send_commit(CommitVersion(collection=COLLECTION, type="t", base=None, files=files), stager, producer)
    producer.confirm()

    added = [event.files for event in events_on(log) if isinstance(event, EntryAdded)]
    assert [(batch.algorithm, batch.paths) for batch in added] == [("blake3", ["0", "2"]), ("xxh3", ["1"])]


def test_a_commit_without_content_is_a_draft_and_its_seal(stager: BlobStager) -> None:
    producer = producer_on(log := MemoryLog())

    sent = send_commit(CommitVersion(collection=COLLECTION, type="t", base=None, files={}), stager, producer)
    producer.confirm()

    assert [type(event) for event in events_on(log)] == [DraftOpened, VersionCommitted]
    assert sent.locations == {}


def test_each_commit_has_a_draft_of_its_own(stager: BlobStager) -> None:
    producer = producer_on(MemoryLog())
    command = CommitVersion(collection=COLLECTION, type="t", base=None, files={})

    assert send_commit(command, stager, producer).draft != send_commit(command, stager, producer).draft


def test_what_is_added_to_a_shared_draft_says_by_whom_and_seals_nothing(stager: BlobStager) -> None:
    producer = producer_on(log := MemoryLog())
    draft = shared_draft("epoch-1")
    command = Upsert(
        collection=COLLECTION,
        type="dataset",
        base=None,
        files=taken(stager, b"one"),
        references=[REFERENCE],
        removed=["gone"],
    )

    sent = send_entries(command, stager, producer, draft=draft, writer=RUN)
    producer.confirm()

    opened, *others = events_on(log)
    assert opened == DraftOpened(collection=COLLECTION, draft=draft, type="dataset", base=None)
    assert [type(event) for event in others] == [EntryRemoved, EntryAdded, EntryAdded]
    assert {event.writer for event in others if isinstance(event, EntryRemoved | EntryAdded)} == {RUN}
    assert sent.draft == draft


def test_bytes_are_stored_before_any_event_that_names_them(stager: BlobStager, store: FolderBlobStore) -> None:
    log = FailingLog(*[StoreUnavailable("?") for _ in range(8)])
    producer = producer_on(log)
    command = CommitVersion(collection=COLLECTION, type="t", base=None, files=taken(stager, b"one"))

    sent = send_commit(command, stager, producer)

    assert (log.tried, producer.pending) == ([], 3)
    assert [place.object_name for place in sent.locations.values()] == [found.name for found in store.list_objects()]


def test_nothing_is_sent_of_a_commit_whose_bytes_are_not_there(stager: BlobStager) -> None:
    producer = producer_on(MemoryLog())
    command = CommitVersion(collection=COLLECTION, type="t", base=None, files={"a": (digest_of(b"never taken"), 11)})

    with pytest.raises(
        BlobMissing, match=f"^'a' cannot be logged to {COLLECTION}: .* is not stored in {PROJECT}.* Add it again"
    ):
        send_commit(command, stager, producer)

    assert producer.pending == 0


def test_the_project_is_the_collections_own() -> None:
    assert Upsert(collection="team/vision/digits", type="t", base=None, files={}).project == "team/vision"


def test_content_goes_to_the_project_of_the_collection(stager: BlobStager, store: FolderBlobStore) -> None:
    producer = producer_on(MemoryLog())
    command = CommitVersion(collection="nlp/other/words", type="t", base=None, files=taken(stager, b"one"))

    send_commit(command, stager, producer)

    assert [found.name.rpartition("/")[0] for found in store.list_objects()] == ["packs/nlp/other"]
