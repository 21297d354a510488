"""What `BlobStore` promises to many processes and threads, forked and killed ones too, of every adapter."""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from headwater_blobs.port import CHUNK_BYTES, BlobStore, Staged
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import file_name, pack_name

from tests.contract.blob_stores import PROJECT, WAIT_S, StorePlace, digest_of, put_file, put_pack, streamed, unbuffered
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store
from tests.support.warm_processes import warm

PROCESSES = 16
THREADS = 8
PACK_BYTES = 200_000
STAGED_SLOWLY_BYTES = 64 * CHUNK_BYTES
LARGE_BYTES = 512 * 1024 * 1024
MEMORY_GROWTH_MAX = 64 * 1024 * 1024

_fork = multiprocessing.get_context("fork")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Worker:
    """A process of its own that runs `act(*args, answers)`; what it sends is waited for, but not for ever."""

    def __init__(self, act: Callable[..., None], *args: object) -> None:
        self._answers, send = warm.Pipe(duplex=False)
        self._process = warm.Process(target=act, args=(*args, send))
        self._process.start()
        send.close()  # so that a worker that dies is an end of file here

    def answer(self) -> Any:
        assert self._answers.poll(WAIT_S), "no answer in time"
        return self._answers.recv()

    def has_answered(self) -> bool:
        assert self._process.exitcode in (None, 0), "it failed"
        return self._answers.poll()

    def kill(self) -> None:
        self._process.kill()
        self.join()

    def join(self) -> None:
        self._process.join(WAIT_S)
        self._answers.close()
        assert self._process.exitcode is not None, "it did not end in time"


# Several at once


def _publish_the_same(place: StorePlace, source: str, start: Barrier, results: Connection) -> None:
    store = place.open()
    start.wait(WAIT_S)
    with unbuffered(Path(source)) as opened:
        staged = store.stage_file(opened, digests.XXH3, project=PROJECT)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    store.discard(staged)
    results.send(store.read(BlobLocation(name, 0, staged.size), staged.digest) == Path(source).read_bytes())


def test_the_same_large_content_published_by_sixteen_processes_at_once_is_stored_once(
    place: StorePlace, tmp_path: Path
) -> None:
    content = random.Random(3).randbytes(3 * CHUNK_BYTES)
    source = tmp_path / "source"
    source.write_bytes(content)
    start = warm.Barrier(PROCESSES)
    workers = [Worker(_publish_the_same, place, str(source), start) for _ in range(PROCESSES)]

    outcomes = [worker.answer() for worker in workers]
    for worker in workers:
        worker.join()

    store = place.open()
    (found,) = store.list_objects()
    assert outcomes == [True] * PROCESSES
    assert place.raw(found.name) == content
    assert list(store.abandoned()) == []


def test_threads_read_and_write_one_store_at_once(store: BlobStore, tmp_path: Path) -> None:
    written = [(*put_pack(store, i.to_bytes(4, "big") * 100)[0], i.to_bytes(4, "big") * 100) for i in range(150)]

    def work(thread: int) -> int:
        mine = put_file(store, tmp_path / f"source-{thread}", bytes([thread]) * CHUNK_BYTES)
        dice = random.Random(thread)
        right = sum(store.read(where, digest) == content for where, digest, content in dice.choices(written, k=1000))
        return right + (streamed(store, *mine) == bytes([thread]) * CHUNK_BYTES)

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [1001] * THREADS


def in_a_fork(act: Callable[[], object]) -> object:
    """What `act` returns in a forked child."""
    receive, send = _fork.Pipe(duplex=False)
    child = _fork.Process(target=lambda: send.send(act()))
    child.start()
    send.close()
    try:
        assert receive.poll(WAIT_S), "no answer in time"
        return receive.recv()
    finally:
        child.join(WAIT_S)
        receive.close()
        assert child.exitcode == 0


def test_a_forked_child_reads_what_its_parent_has_open_and_neither_disturbs_the_other(store: BlobStore) -> None:
    found = put_pack(store, *(bytes([i]) * 1000 for i in range(100)))
    expected = [bytes([i]) * 1000 for i in range(100)]
    assert [store.read(*one) for one in found] == expected

    def act() -> bool:
        right = [store.read(*one) for one in found] == expected
        store.close()
        return right and store.read_many(found) == expected

    assert in_a_fork(act) is True
    assert [store.read(*one) for one in found] == expected


def test_what_a_parent_staged_its_child_publishes(store: BlobStore, place: StorePlace) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)

    def act() -> None:
        store.publish(staged, name)
        store.discard(staged)

    in_a_fork(act)

    assert place.raw(name) == b"content"
    assert list(store.abandoned()) == []


def test_a_stream_begun_before_a_fork_goes_on_in_parent_and_child(store: BlobStore, tmp_path: Path) -> None:
    content = random.Random(5).randbytes(4 * CHUNK_BYTES)
    stream = store.stream(*put_file(store, tmp_path / "source", content))
    first = bytes(next(stream))

    assert in_a_fork(lambda: first + b"".join(map(bytes, stream)) == content) is True
    assert first + b"".join(map(bytes, stream)) == content


def test_a_fork_while_threads_read_leaves_a_child_that_can_read(store: BlobStore) -> None:
    found = [put_pack(store, bytes([i]) * 100)[0] for i in range(100)]
    stop = threading.Event()

    def keep_reading() -> None:
        while not stop.is_set():
            for one in found:
                store.read(*one)

    threads = [threading.Thread(target=keep_reading) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        outcomes = [in_a_fork(lambda: len([store.read(*one) for one in found])) for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)

    assert outcomes == [100] * 10


# Killed writers


class _Slow:
    """A hasher that takes its time, so that staging takes long."""

    def __init__(self, algorithm: str) -> None:
        self._hasher = _new_hasher(algorithm)

    def update(self, data: memoryview) -> None:
        time.sleep(0.01)
        self._hasher.update(data)

    def digest(self) -> bytes:
        return self._hasher.digest()


_new_hasher = digests.new_hasher


def _stage_slowly(place: StorePlace, source: str, _: Connection) -> None:
    digests.new_hasher = _Slow
    with unbuffered(Path(source)) as opened:
        place.open().stage_file(opened, digests.XXH3, project=PROJECT)


def _stage_and_wait(place: StorePlace, ready: Connection) -> None:
    place.open().stage_pack([b"content"], project=PROJECT)
    ready.send(None)
    signal.pause()


def _publish_without_end(place: StorePlace, ready: Connection) -> None:
    store = place.open()
    ready.send(None)
    while True:
        content = os.urandom(PACK_BYTES)
        staged = store.stage_pack([content], project=PROJECT)
        store.publish(staged, file_name(PROJECT, digest_of(content)))
        store.discard(staged)


def test_a_writer_killed_while_it_stages_leaves_no_object_and_what_it_left_is_listed(
    place: StorePlace, store: BlobStore, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(bytes(STAGED_SLOWLY_BYTES))
    writer = Worker(_stage_slowly, place, str(tmp_path / "source"))
    wait_until(lambda: any(found.size for found in store.abandoned()))
    writer.kill()

    assert list(store.list_objects()) == []
    (left,) = store.abandoned()
    store.discard(Staged(left.name, left.size, None))
    assert list(store.abandoned()) == []


def test_what_a_writer_that_is_killed_before_it_publishes_left_is_whole_and_can_be_found(
    place: StorePlace, store: BlobStore
) -> None:
    writer = Worker(_stage_and_wait, place)
    writer.answer()
    writer.kill()

    objects, left = list(store.list_objects()), list(store.abandoned())
    assert [found.size for found in (left if place.stages_apart else objects)] == [7]
    assert (objects if place.stages_apart else left) == []


def test_whenever_a_writer_is_killed_every_visible_object_is_whole(place: StorePlace, store: BlobStore) -> None:
    for delay_s in (0.05, 0.11, 0.17):
        writer = Worker(_publish_without_end, place)
        writer.answer()
        time.sleep(delay_s)
        writer.kill()

    found = list(store.list_objects())
    assert found
    for one in found:
        content = place.raw(one.name)
        assert one.name == file_name(PROJECT, digest_of(content)) or _is_only_staged(place, one.name, content)


def _is_only_staged(place: StorePlace, name: str, content: bytes) -> bool:
    return not place.stages_apart and name.startswith(f"packs/{PROJECT}/") and len(content) == PACK_BYTES


# Memory


def _peak_bytes() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def _stage_and_stream(place: StorePlace, source: str, small: str, results: Connection) -> None:
    store = place.open()
    put_file(store, Path(small), bytes(CHUNK_BYTES))  # what is loaded once is not the large file's doing
    before = _peak_bytes()
    with unbuffered(Path(source)) as opened:
        staged = store.stage_file(opened, digests.XXH3, project=PROJECT)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    size = sum(map(len, store.stream(BlobLocation(name, 0, staged.size), staged.digest)))
    results.send((size, _peak_bytes() - before))


def test_memory_does_not_grow_with_the_size_of_a_file(place: StorePlace, tmp_path: Path) -> None:
    with open(tmp_path / "source", "wb") as source:
        source.truncate(LARGE_BYTES)
    worker = Worker(_stage_and_stream, place, str(tmp_path / "source"), str(tmp_path / "small"))

    size, grown_bytes = worker.answer()
    worker.join()

    assert size == LARGE_BYTES
    assert grown_bytes < MEMORY_GROWTH_MAX
