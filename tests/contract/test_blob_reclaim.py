"""What `BlobStore` promises about bytes that writers left: they can be taken over, or collected beside writers."""

import os
import random
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from headwater_blobs.port import BlobStore, Staged
from headwater_blobs.staged_names import new_writer, staged_name
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import InvalidInput
from headwater_schemas.object_names import file_name, pack_name

from tests.contract.blob_stores import PROJECT, StorePlace, digest_of, unbuffered
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store
from tests.contract.test_blob_processes import STAGED_SLOWLY_BYTES, Worker, _stage_slowly, in_a_fork, wait_until

LONG_S = 3600.0
FILE_BYTES = 6_000_000  # two parts of an upload
WRITERS, FILES = 3, 4


def reclaim(store: BlobStore, idle_s: float = 0.0, *, dry_run: bool = False) -> list[tuple[str, int]]:
    return [(found.name, found.size) for found in store.reclaim(idle_s=idle_s, dry_run=dry_run)]


@pytest.fixture
def left(place: StorePlace, store: BlobStore, tmp_path: Path) -> str:
    """The name of what a writer left that was killed while it staged a file."""
    (tmp_path / "source").write_bytes(bytes(STAGED_SLOWLY_BYTES))
    writer = Worker(_stage_slowly, place, str(tmp_path / "source"))
    wait_until(lambda: any(found.size for found in store.abandoned()))
    writer.kill()
    (found,) = store.abandoned()
    return found.name


def test_what_a_killed_writer_left_is_reclaimed_and_a_dry_run_says_the_same(store: BlobStore, left: str) -> None:
    (expected,) = reclaim(store, dry_run=True)
    assert expected[0] == left
    assert expected[1] > 0
    assert [found.name for found in store.abandoned()] == [left]

    assert reclaim(store) == [expected]

    assert list(store.abandoned()) == []
    assert reclaim(store) == []


def test_what_was_left_lately_stays(store: BlobStore, left: str) -> None:
    assert reclaim(store, LONG_S) == []

    assert [found.name for found in store.abandoned()] == [left]


def test_what_a_living_writer_staged_stays_and_can_be_published(store: BlobStore, place: StorePlace) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)

    assert in_a_fork(lambda: reclaim(place.open(), dry_run=True)) == []
    assert in_a_fork(lambda: reclaim(place.open())) == []
    assert reclaim(store) == []

    store.publish(staged, name)
    assert store.read(BlobLocation(name, 0, 7), digest_of(b"content")) == b"content"


def test_what_a_parent_staged_stays_while_a_child_can_publish_it(store: BlobStore, place: StorePlace) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)

    def act() -> None:
        assert reclaim(place.open()) == []
        store.publish(staged, name)

    in_a_fork(act)

    assert place.raw(name) == b"content"


def _stage_and_end(place: StorePlace, answers: Connection) -> None:
    answers.send(place.open().stage_pack([b"content"], project=PROJECT))


def test_what_a_writer_left_whole_can_be_taken_over_and_published(store: BlobStore, place: StorePlace) -> None:
    writer = Worker(_stage_and_end, place)
    staged = writer.answer()
    writer.join()

    mine, name = store.adopt(staged), pack_name(PROJECT)

    assert mine is not None
    assert in_a_fork(lambda: reclaim(place.open())) == []
    store.publish(mine, name)
    assert store.read(BlobLocation(name, 0, 7), digest_of(b"content")) == b"content"
    store.discard(mine)
    store.close()
    assert list(store.abandoned()) == []


def test_what_is_gone_or_has_another_size_is_not_taken_over(store: BlobStore, place: StorePlace) -> None:
    writer = Worker(_stage_and_end, place)
    staged = writer.answer()
    writer.join()
    nowhere = staged_name(new_writer()) if place.stages_apart else pack_name(PROJECT)

    assert store.adopt(Staged(staged.handle, 8, None, staged.name)) is None
    assert store.adopt(Staged(nowhere, 7, None)) is None
    with pytest.raises(InvalidInput):
        store.adopt(Staged("../../outside", 7, None))
    assert store.adopt(staged) is not None


def _put_files(place: StorePlace, folder: str, seed: int, answers: Connection) -> None:
    store, source = place.open(), Path(folder, f"source-{seed}")
    named = []
    for number in range(FILES):
        source.write_bytes(random.Random(f"{seed}/{number}").randbytes(FILE_BYTES))
        with unbuffered(source) as opened:
            staged = store.stage_file(opened, digests.XXH3, project=PROJECT)
        assert staged.digest is not None
        store.publish(staged, file_name(PROJECT, staged.digest))
        store.discard(staged)
        named.append((file_name(PROJECT, staged.digest), staged.digest))
    store.close()
    answers.send(named)


def test_writers_lose_nothing_to_a_collection_that_runs_all_the_time(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    """A bucket cannot tell who lives, so there the collection takes what was idle for longer than a part takes."""
    idle_s = 0.0 if place.stages_apart else 0.2
    writers = [Worker(_put_files, place, str(tmp_path), seed) for seed in range(WRITERS)]

    while not all(writer.has_answered() for writer in writers):
        reclaim(store, idle_s)
    named = [one for writer in writers for one in writer.answer()]
    for writer in writers:
        writer.join()

    assert len(named) == WRITERS * FILES
    for name, digest in named:
        assert sum(map(len, store.stream(BlobLocation(name, 0, FILE_BYTES), digest))) == FILE_BYTES
    reclaim(store)
    assert list(store.abandoned()) == []
    if place.stages_apart:
        assert os.listdir(Path(place.where, "staging")) == []
