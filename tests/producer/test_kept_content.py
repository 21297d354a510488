"""What a process staged that failed is found by the next one, whole, once, and as long as it is there."""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX, Staged
from headwater_producer.kept_content import RECORD_S_MAX, RECORDS_MAX
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import StoreUnavailable

from tests.contract.blob_stores import PROJECT, unbuffered
from tests.contract.test_blob_processes import in_a_fork

LARGE = random.Random(0).randbytes(PACKED_FILE_BYTES_MAX + 1)
PACKFUL = [
    random.Random(100 + i).randbytes(PACKED_FILE_BYTES_MAX) for i in range(PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX)
]

NextProcess = Callable[..., BlobStager]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "staged"


@pytest.fixture
def next_process(tmp_path: Path, records: Path) -> Iterator[NextProcess]:
    """A stager with a store of its own, as another process has; the one before has ended by then."""
    stores: list[FolderBlobStore] = []

    def begin(project: str = PROJECT) -> BlobStager:
        end(stores)
        stores.append(FolderBlobStore.open(tmp_path / "blobs"))
        return BlobStager(
            stores[-1], lambda *_, without=(): {}, algorithm=digests.XXH3, project=project, records=records
        )

    yield begin
    end(stores)


def end(stores: list[FolderBlobStore]) -> None:
    while stores:
        stores.pop().close()


def fail(stager: BlobStager) -> None:
    stager.keep_staged()
    stager.close()


def ingest_file(
    stager: BlobStager, path: Path, content: bytes = LARGE, *, verify: bool = False
) -> tuple[bytes, list[str]]:
    """The digest, and what was done with the file."""
    path.write_bytes(content)
    done: dict[str, int] = {}

    def watch(activity: str, amount: int) -> None:
        done[activity] = done.get(activity, 0) + amount

    with unbuffered(path) as source:
        digest, size = stager.ingest_file(source, verify=verify, watch=watch)
    assert (size, set(done.values())) == (len(content), {len(content)})
    return digest, list(done)


def staged(tmp_path: Path) -> dict[int, int]:
    """The sizes of what is staged, by inode."""
    found = [path.stat() for path in (tmp_path / "blobs" / "staging").glob("*/*") if path.name != "lock"]
    return {one.st_ino: one.st_size for one in found}


def objects(tmp_path: Path) -> dict[int, int]:
    found = [path.stat() for path in (tmp_path / "blobs" / "objects").rglob("*") if path.is_file()]
    return {one.st_ino: one.st_size for one in found}


def test_what_was_staged_is_published_by_the_next_process_without_a_copy(
    next_process: NextProcess, tmp_path: Path, records: Path
) -> None:
    stager = next_process()
    packed = stager.ingest(PACKFUL)
    large, done = ingest_file(stager, tmp_path / "large")
    assert done == ["storing"]
    fail(stager)
    left = staged(tmp_path)
    assert sorted(left.values()) == [len(LARGE), PACK_BYTES_MAX]

    stager = next_process()
    assert stager.missing(packed) == set()
    assert stager.ingest(PACKFUL) == packed
    assert ingest_file(stager, tmp_path / "large") == (large, ["hashing"])
    found = stager.publish(PROJECT, [*packed, large])
    assert objects(tmp_path) == left
    stager.forget([*packed, large] * 2)
    stager.close()

    assert staged(tmp_path) == {}
    assert list(records.iterdir()) == []
    store = FolderBlobStore.open(tmp_path / "blobs")
    assert [store.read(found[digest], digest) for digest in packed] == PACKFUL
    pieces = store.stream(BlobLocation(found[large].object_name, 0, len(LARGE)), large)
    assert b"".join(map(bytes, pieces)) == LARGE


def test_what_a_process_staged_that_ends_well_is_discarded(
    next_process: NextProcess, tmp_path: Path, records: Path
) -> None:
    stager = next_process()
    stager.ingest(PACKFUL)
    stager.close()

    assert staged(tmp_path) == {}
    assert not records.exists()


def test_what_nobody_adds_again_stays_for_a_later_process(next_process: NextProcess, tmp_path: Path) -> None:
    stager = next_process()
    packed = stager.ingest(PACKFUL)
    fail(stager)
    left = staged(tmp_path)

    stager = next_process()
    stager.publish(PROJECT, stager.ingest([b"something else"]))
    stager.close()

    assert staged(tmp_path) == left
    assert next_process().missing(packed) == set()


def test_a_process_that_fails_too_leaves_what_it_took_and_what_it_added(
    next_process: NextProcess, tmp_path: Path
) -> None:
    stager = next_process()
    packed = stager.ingest(PACKFUL)
    fail(stager)
    stager = next_process()
    assert stager.ingest(PACKFUL) == packed
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)

    stager = next_process()

    assert stager.missing([*packed, large]) == set()
    assert sorted(staged(tmp_path).values()) == [len(LARGE), PACK_BYTES_MAX]


def test_what_was_collected_is_staged_again(next_process: NextProcess, tmp_path: Path) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)
    stager = next_process()
    assert len(list(FolderBlobStore.open(tmp_path / "blobs").reclaim(idle_s=0, dry_run=False))) == 1

    assert ingest_file(stager, tmp_path / "large")[0] == large
    assert stager.publish(PROJECT, [large])


def test_files_of_the_same_size_are_read_once_more_only_until_all_that_was_left_is_found(
    next_process: NextProcess, tmp_path: Path
) -> None:
    stager = next_process()
    ingest_file(stager, tmp_path / "large")
    fail(stager)
    stager = next_process()
    other = bytes([LARGE[0] ^ 1]) + LARGE[1:]

    assert ingest_file(stager, tmp_path / "other", other)[1] == ["hashing", "storing"]
    assert ingest_file(stager, tmp_path / "large")[1] == ["hashing"]
    assert ingest_file(stager, tmp_path / "other", bytes([LARGE[0] ^ 2]) + LARGE[1:])[1] == ["storing"]


def test_who_verifies_stores_again_rather_than_trust_what_was_left(next_process: NextProcess, tmp_path: Path) -> None:
    stager = next_process()
    ingest_file(stager, tmp_path / "large")
    fail(stager)

    assert ingest_file(next_process(), tmp_path / "large", verify=True)[1] == ["storing"]


def test_what_a_store_that_is_away_has_is_missing(
    next_process: NextProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)

    def refuse(store: FolderBlobStore, staged: Staged) -> None:
        raise StoreUnavailable("the store does not answer.")

    monkeypatch.setattr(FolderBlobStore, "adopt", refuse)

    assert next_process().missing([large]) == {large}


def test_what_another_process_took_is_staged_again(next_process: NextProcess, tmp_path: Path) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)
    first = next_process()
    second = BlobStager(
        FolderBlobStore.open(tmp_path / "blobs"),
        lambda *_, without=(): {},
        algorithm=digests.XXH3,
        project=PROJECT,
        records=tmp_path / "cache" / "staged",
    )

    for stager in (first, second):
        ingest_file(stager, tmp_path / "large")
    for stager in (first, second):
        assert stager.publish(PROJECT, [large])
        stager.close()


def test_what_a_child_of_the_failed_process_can_still_publish_is_not_taken(
    next_process: NextProcess, tmp_path: Path
) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)  # until the parent has closed its end
        published = stager.publish(PROJECT, [large])
        os._exit(0 if published else 1)
    os.close(read)
    fail(stager)

    assert in_a_fork(lambda: next_process().missing([large])) == {large}
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_another_project_is_not_given_it(next_process: NextProcess, tmp_path: Path) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)

    assert next_process("nlp/other").missing([large]) == {large}
    assert next_process().missing([large]) == set()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 2}', b"null", b"\xff"])
def test_a_record_that_cannot_be_read_is_content_that_is_staged_again(
    next_process: NextProcess, tmp_path: Path, records: Path, damage: bytes
) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)
    (record,) = records.iterdir()
    record.write_bytes(damage)

    assert ingest_file(next_process(), tmp_path / "large") == (large, ["storing"])


def test_a_record_that_names_no_staged_bytes_is_content_that_is_staged_again(
    next_process: NextProcess, tmp_path: Path, records: Path
) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)
    (record,) = records.iterdir()
    handle = next(iter((tmp_path / "blobs" / "staging").glob("*/?*"))).parent.name
    record.write_text(record.read_text().replace(handle, "../../outside"))

    assert ingest_file(next_process(), tmp_path / "large")[0] == large


def test_old_records_and_all_but_the_newest_are_not_read(
    next_process: NextProcess, tmp_path: Path, records: Path
) -> None:
    stager = next_process()
    large, _ = ingest_file(stager, tmp_path / "large")
    fail(stager)
    (record,) = records.iterdir()
    for number in range(RECORDS_MAX):
        (records / f"{number}.json").write_text("{}")
        os.utime(records / f"{number}.json", (time.time() + 60, time.time() + 60))
    assert next_process().missing([large]) == {large}
    assert [path.name for path in records.iterdir()] == [record.name], "those that say nothing are deleted"
    assert next_process().missing([large]) == set()

    os.utime(record, (time.time() - RECORD_S_MAX - 1,) * 2)
    fail(stager)

    assert next_process().missing([large]) == {large}
    assert list(records.iterdir()) == []


def test_a_cache_that_cannot_be_written_keeps_nothing(next_process: NextProcess, tmp_path: Path, records: Path) -> None:
    records.parent.mkdir()
    records.write_text("a file")
    stager = next_process()
    ingest_file(stager, tmp_path / "large")

    fail(stager)

    assert staged(tmp_path) == {}
