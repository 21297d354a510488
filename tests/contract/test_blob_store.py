"""What `BlobStore` promises, of every adapter."""

import io
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.naming import check_object_name, check_staged_name, file_name, pack_name, project_of
from headwater_blobs.port import CHUNK_BYTES, READ_MANY_BYTES_MAX, BlobStore, Staged
from headwater_schemas import digests
from headwater_schemas.entries import Place
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidInput, InvalidName

WAIT_S = 60.0
PROCESSES = 16
THREADS = 8
PROJECT = "vision/digits"
LARGE_BYTES = 512 * 1024 * 1024
MEMORY_GROWTH_MAX = 64 * 1024 * 1024

_spawn = multiprocessing.get_context("spawn")
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class StorePlace:
    """Where a store is. Can be sent to another process, which opens it there."""

    adapter: str
    where: str

    def open(self) -> BlobStore:
        return _ADAPTERS[self.adapter].open(self.where)

    def raw(self, name: str) -> bytes:
        """An object's bytes, read without the adapter."""
        return _ADAPTERS[self.adapter].raw(self.where, name)

    def damage(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change an object's bytes behind the adapter's back."""
        _ADAPTERS[self.adapter].write(self.where, name, change(self.raw(name)))


@dataclass(frozen=True)
class _Adapter:
    place: Callable[[Path], str]  # from a fresh folder of the test's
    open: Callable[[str], BlobStore]
    raw: Callable[[str, str], bytes]
    write: Callable[[str, str, bytes], None]


def _file_of(where: str, name: str) -> Path:
    (path,) = Path(where, "objects", *name.split("/")[:-1]).glob("*/" + name.split("/")[-1])
    return path


def _write_file(where: str, name: str, content: bytes) -> None:
    path = _file_of(where, name)
    path.chmod(0o600)
    path.write_bytes(content)


_ADAPTERS = {
    "folder": _Adapter(
        place=str,
        open=lambda where: FolderBlobStore.open(Path(where)),
        raw=lambda where, name: _file_of(where, name).read_bytes(),
        write=_write_file,
    ),
}


@pytest.fixture(params=list(_ADAPTERS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    return StorePlace(request.param, _ADAPTERS[request.param].place(tmp_path / "blobs"))


@pytest.fixture
def store(place: StorePlace) -> Iterator[BlobStore]:
    store = place.open()
    yield store
    store.close()


def digest_of(content: bytes, algorithm: str = digests.XXH3) -> bytes:
    return digests.pack(algorithm, digests.one_shot(algorithm)(content))


def unbuffered(path: Path) -> BinaryIO:
    return cast("BinaryIO", open(path, "rb", buffering=0))


def stage(store: BlobStore, path: Path, content: bytes, algorithm: str = digests.XXH3) -> Staged:
    path.write_bytes(content)
    with unbuffered(path) as source:
        return store.stage_file(source, algorithm)


def put_pack(store: BlobStore, *contents: bytes) -> list[tuple[Place, bytes]]:
    """Publish a pack; the place and digest of each of its contents."""
    staged, name = store.stage_pack(contents), pack_name(PROJECT)
    store.publish(staged, name)
    store.discard(staged)
    offsets = [sum(map(len, contents[:i])) for i in range(len(contents))]
    return [(Place(name, at, len(c)), digest_of(c)) for at, c in zip(offsets, contents, strict=True)]


def put_file(store: BlobStore, path: Path, content: bytes) -> tuple[Place, bytes]:
    staged = stage(store, path, content)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    store.discard(staged)
    return Place(name, 0, staged.size), staged.digest


def streamed(store: BlobStore, place: Place, digest: bytes) -> bytes:
    return b"".join(map(bytes, store.stream(place, digest)))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Worker:
    """A process of its own that runs `act(*args, answers)`; what it sends is waited for, but not for ever."""

    def __init__(self, act: Callable[..., None], *args: object) -> None:
        self._answers, send = _spawn.Pipe(duplex=False)
        self._process = _spawn.Process(target=act, args=(*args, send))
        self._process.start()
        send.close()  # so that a worker that dies is an end of file here
        self.process_id = self._process.pid

    def answer(self) -> Any:
        assert self._answers.poll(WAIT_S), "no answer in time"
        return self._answers.recv()

    def kill(self) -> None:
        self._process.kill()
        self.join()

    def join(self) -> None:
        self._process.join(WAIT_S)
        self._answers.close()
        assert self._process.exitcode is not None, "it did not end in time"


READERS: dict[str, Callable[[BlobStore, Place, bytes], bytes]] = {
    "read": lambda store, place, digest: store.read(place, digest),
    "read_many": lambda store, place, digest: store.read_many([(place, digest)])[0],
    "stream": streamed,
}
each_reader = pytest.mark.parametrize("reader", list(READERS))


# What is stored


def test_the_contents_of_a_pack_stand_one_after_the_other(store: BlobStore, place: StorePlace) -> None:
    (first, *_) = put_pack(store, b"one", b"", b"three")

    assert place.raw(first[0].object_name) == b"onethree"


@each_reader
def test_each_content_of_a_pack_comes_back(store: BlobStore, reader: str) -> None:
    contents = [bytes([i]) * i for i in range(50)]

    found = put_pack(store, *contents)

    assert [READERS[reader](store, *one) for one in found] == contents


def test_a_pack_of_more_pieces_than_one_write_takes_is_stored_whole(store: BlobStore, place: StorePlace) -> None:
    contents = [i.to_bytes(4, "big") for i in range(5000)]

    found = put_pack(store, *contents)

    assert place.raw(found[0][0].object_name) == b"".join(contents)


@each_reader
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 10 * CHUNK_BYTES + 7])
def test_a_file_comes_back_at_every_size_around_a_chunk(
    store: BlobStore, place: StorePlace, tmp_path: Path, reader: str, size: int
) -> None:
    content = random.Random(size).randbytes(size)

    where, digest = put_file(store, tmp_path / "source", content)

    assert (where.size, digest) == (size, digest_of(content))
    assert place.raw(where.object_name) == content
    assert READERS[reader](store, where, digest) == content


@pytest.mark.parametrize("algorithm", [digests.XXH3, digests.BLAKE3])
def test_a_staged_file_has_the_digest_of_the_algorithm_asked_for(
    store: BlobStore, tmp_path: Path, algorithm: str
) -> None:
    staged = stage(store, tmp_path / "source", b"content", algorithm)

    assert staged.digest == digest_of(b"content", algorithm)


def test_a_staged_pack_has_a_size_and_no_digest(store: BlobStore) -> None:
    staged = store.stage_pack([b"ab", b"c"])

    assert (staged.size, staged.digest) == (3, None)


def test_changing_and_deleting_the_source_changes_nothing(store: BlobStore, tmp_path: Path) -> None:
    where, digest = put_file(store, tmp_path / "source", b"as it was")

    (tmp_path / "source").write_bytes(b"otherwise")
    (tmp_path / "source").unlink()

    assert store.read(where, digest) == b"as it was"


@pytest.mark.parametrize("length", [0, CHUNK_BYTES // 2, 5 * CHUNK_BYTES], ids=["emptied", "shrunk", "grown"])
def test_of_a_source_that_changes_while_it_is_read_is_kept_what_was_hashed(
    store: BlobStore, place: StorePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    path = tmp_path / "source"
    new_hasher = digests.new_hasher

    class Meddler:
        """A hasher during whose first update the source takes another length."""

        def __init__(self, algorithm: str) -> None:
            self.hasher = new_hasher(algorithm)

        def update(self, data: memoryview) -> None:
            os.truncate(path, length)
            self.hasher.update(data)

        def digest(self) -> bytes:
            return self.hasher.digest()

    monkeypatch.setattr(digests, "new_hasher", Meddler)
    staged = stage(store, path, random.Random(1).randbytes(3 * CHUNK_BYTES))
    store.publish(staged, name := pack_name(PROJECT))

    kept = place.raw(name)
    assert (len(kept), digest_of(kept)) == (staged.size, staged.digest)


def test_a_source_that_cannot_be_read_is_the_callers_error_and_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)  # a folder: reading it fails
    with pytest.raises(IsADirectoryError):
        store.stage_file(cast("BinaryIO", _Opened(descriptor)), digests.XXH3)
    os.close(descriptor)

    assert list(store.abandoned()) == []


class _Opened(io.RawIOBase):
    """Something opened, whatever it is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


# Publishing


def test_what_is_staged_is_no_object_yet(store: BlobStore) -> None:
    staged = store.stage_pack([b"content"])

    assert list(store.list_objects()) == []
    assert [(found.name, found.size) for found in store.abandoned()] == [(staged.location, 7)]


def test_publishing_a_name_that_is_there_is_fine_and_changes_nothing(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", b"first")
    again = store.stage_pack([b"other"])

    store.publish(again, where.object_name)

    assert place.raw(where.object_name) == b"first"


def test_publishing_over_an_object_of_another_size_is_an_error_that_names_it(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", b"content")
    place.damage(where.object_name, lambda content: content[:3])

    with pytest.raises(BlobCorrupt, match=rf"{where.object_name}.* 3 bytes .* 7; .*headwater doctor"):
        store.publish(stage(store, tmp_path / "source", b"content"), where.object_name)
    assert place.raw(where.object_name) == b"con"


def test_what_is_staged_can_be_published_under_two_names(store: BlobStore, place: StorePlace) -> None:
    staged, names = store.stage_pack([b"content"]), [pack_name(PROJECT), pack_name("nlp/other")]

    for name in names:
        store.publish(staged, name)

    assert [place.raw(name) for name in names] == [b"content", b"content"]


def test_discarding_keeps_the_objects_and_forgets_the_rest_also_twice(store: BlobStore) -> None:
    staged, name = store.stage_pack([b"content"]), pack_name(PROJECT)
    store.publish(staged, name)

    store.discard(staged)
    store.discard(staged)

    assert store.have([name]) == {name}
    assert list(store.abandoned()) == []


def test_an_object_is_there_for_a_store_opened_later(store: BlobStore, place: StorePlace) -> None:
    ((where, digest),) = put_pack(store, b"content")
    store.close()

    assert place.open().read(where, digest) == b"content"


# Reading


@each_reader
def test_a_flipped_byte_is_an_error_that_says_what_was_expected_and_found(
    store: BlobStore, place: StorePlace, reader: str
) -> None:
    _, (where, digest), _ = put_pack(store, b"before", b"content", b"after")
    place.damage(where.object_name, lambda content: content.replace(b"content", b"c0ntent"))

    with pytest.raises(BlobCorrupt) as error:
        READERS[reader](store, where, digest)
    for part in (
        where.object_name,
        digests.to_text(digest),
        digests.to_text(digest_of(b"c0ntent")),
        "headwater doctor",
    ):
        assert part in str(error.value)


@each_reader
def test_a_flipped_byte_elsewhere_in_the_object_does_no_harm(store: BlobStore, place: StorePlace, reader: str) -> None:
    _, (where, digest), _ = put_pack(store, b"before", b"content", b"after")
    place.damage(where.object_name, lambda content: content.replace(b"after", b"AFTER"))

    assert READERS[reader](store, where, digest) == b"content"


@each_reader
@pytest.mark.parametrize("opened", [True, False], ids=["read before", "not read before"])
def test_a_truncated_object_is_an_error_that_says_how_much_is_there(
    store: BlobStore, place: StorePlace, reader: str, opened: bool
) -> None:
    _, (where, digest) = put_pack(store, b"before", b"content")
    if opened:
        READERS[reader](store, where, digest)
    place.damage(where.object_name, lambda content: content[:9])

    with pytest.raises(BlobCorrupt, match=rf"{where.object_name}.*7 bytes.*3 are there.*headwater doctor"):
        READERS[reader](store, where, digest)


@each_reader
def test_a_missing_object_is_an_error_that_names_it(store: BlobStore, reader: str) -> None:
    name = pack_name(PROJECT)

    with pytest.raises(BlobMissing, match=rf"{name}.*headwater doctor"):
        READERS[reader](store, Place(name, 0, 7), digest_of(b"content"))


@each_reader
@pytest.mark.parametrize(("offset", "size"), [(5, 7), (7, 1), (1 << 40, 7), (0, 8)])
def test_a_range_beyond_the_end_is_an_error(store: BlobStore, reader: str, offset: int, size: int) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(BlobCorrupt, match="are there"):
        READERS[reader](store, Place(where.object_name, offset, size), digest)


@pytest.mark.parametrize("reader", ["read", "stream"])
def test_a_huge_range_beyond_the_end_takes_no_memory(store: BlobStore, reader: str) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(BlobCorrupt, match="7 are there"):
        READERS[reader](store, Place(where.object_name, 0, 1 << 60), digest)


@each_reader
@pytest.mark.parametrize(("offset", "size"), [(-1, 7), (0, -1)])
def test_a_range_that_cannot_exist_is_refused(store: BlobStore, reader: str, offset: int, size: int) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(InvalidInput, match=where.object_name):
        READERS[reader](store, Place(where.object_name, offset, size), digest)


@each_reader
@pytest.mark.parametrize("offset", [0, 3, 7])
def test_a_place_without_bytes_is_read_and_verified(store: BlobStore, reader: str, offset: int) -> None:
    ((where, _),) = put_pack(store, b"content")
    empty = Place(where.object_name, offset, 0)

    assert READERS[reader](store, empty, digest_of(b"")) == b""
    with pytest.raises(BlobCorrupt):
        READERS[reader](store, empty, digest_of(b"content"))


@each_reader
def test_a_place_without_bytes_in_a_missing_object_is_missing(store: BlobStore, reader: str) -> None:
    with pytest.raises(BlobMissing):
        READERS[reader](store, Place(pack_name(PROJECT), 0, 0), digest_of(b""))


@each_reader
def test_content_of_both_algorithms_is_verified(store: BlobStore, reader: str) -> None:
    ((where, _),) = put_pack(store, b"content")

    assert READERS[reader](store, where, digest_of(b"content", digests.BLAKE3)) == b"content"
    with pytest.raises(BlobCorrupt, match="blake3:"):
        READERS[reader](store, where, digest_of(b"other", digests.BLAKE3))


@each_reader
def test_what_is_no_digest_is_refused(store: BlobStore, reader: str) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(InvalidInput, match="digest"):
        READERS[reader](store, where, digest[1:])


def test_a_stream_comes_in_pieces_of_at_most_a_chunk(store: BlobStore, tmp_path: Path) -> None:
    where, digest = put_file(store, tmp_path / "source", bytes(3 * CHUNK_BYTES + 5))

    assert max(len(piece) for piece in store.stream(where, digest)) <= CHUNK_BYTES


def test_a_damaged_stream_ends_with_the_error_and_not_before(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, digest = put_file(store, tmp_path / "source", bytes(3 * CHUNK_BYTES))
    place.damage(where.object_name, lambda content: content[:-1] + b"\x01")

    taken = 0
    with pytest.raises(BlobCorrupt):  # noqa: PT012  what came before the error is the point
        for piece in store.stream(where, digest):
            taken += len(piece)
    assert taken == 3 * CHUNK_BYTES


def test_a_stream_can_be_left_in_the_middle(store: BlobStore, tmp_path: Path) -> None:
    where, digest = put_file(store, tmp_path / "source", bytes(3 * CHUNK_BYTES))

    next(store.stream(where, digest))

    assert streamed(store, where, digest) == bytes(3 * CHUNK_BYTES)


def test_many_are_given_in_the_order_asked_whatever_lies_between_them(store: BlobStore) -> None:
    dice = random.Random(7)
    contents = [[dice.randbytes(dice.choice((0, 1, 4096, 200_000))) for _ in range(40)] for _ in range(3)]
    pairs = [pair for pack in contents for pair in zip(put_pack(store, *pack), pack, strict=True)]
    asked = [*dice.sample(pairs, 60), *dice.sample(pairs, 20)]  # some twice, and with gaps

    assert store.read_many([one for one, _ in asked]) == [content for _, content in asked]


def test_many_may_overlap(store: BlobStore) -> None:
    ((where, digest),) = put_pack(store, b"content")
    inner = (Place(where.object_name, 1, 3), digest_of(b"ont"))

    assert store.read_many([inner, (where, digest), inner]) == [b"ont", b"content", b"ont"]


def test_none_of_many_is_nothing(store: BlobStore) -> None:
    assert store.read_many([]) == []


def test_many_can_be_as_much_as_the_bound_and_not_more(store: BlobStore) -> None:
    content = bytes(CHUNK_BYTES)
    ((where, digest),) = put_pack(store, content)
    count = READ_MANY_BYTES_MAX // CHUNK_BYTES

    assert store.read_many([(where, digest)] * count) == [content] * count
    with pytest.raises(InvalidInput, match="portions"):
        store.read_many([(where, digest)] * (count + 1))


def test_one_damaged_of_many_is_an_error_that_names_it(store: BlobStore, place: StorePlace) -> None:
    found = put_pack(store, b"aaaa", b"bbbb", b"cccc")
    place.damage(found[0][0].object_name, lambda content: content.replace(b"b", b"x"))

    with pytest.raises(BlobCorrupt, match=digests.to_text(found[1][1])):
        store.read_many(found)


def test_what_is_restored_after_an_error_can_be_read(store: BlobStore, place: StorePlace) -> None:
    ((where, digest),) = put_pack(store, b"content")
    place.damage(where.object_name, lambda _: b"")
    with pytest.raises(BlobCorrupt):
        store.read(where, digest)

    place.damage(where.object_name, lambda _: b"content")

    assert store.read(where, digest) == b"content"


# Having, listing, deleting


def test_have_says_which_of_the_names_are_there(store: BlobStore, tmp_path: Path) -> None:
    there = {put_pack(store, b"a")[0][0].object_name, put_file(store, tmp_path / "source", b"b")[0].object_name}
    absent = {pack_name(PROJECT), pack_name("no/body"), file_name(PROJECT, digest_of(b"absent"))}

    assert store.have([*there, *absent]) == there
    assert store.have([]) == set()


def publish_in(store: BlobStore, project: str, count: int) -> list[str]:
    names = [pack_name(project) for _ in range(count)]
    names += [
        file_name(project, digest_of(bytes([i]), algorithm)) for i in range(count) for algorithm in ("xxh3", "blake3")
    ]
    staged = store.stage_pack([b"four"])
    for name in names:
        store.publish(staged, name)
    store.discard(staged)
    return names


def test_objects_are_listed_in_order_of_names_with_size_and_time(store: BlobStore) -> None:
    before_s = time.time()
    names = [name for project in ("a/p", "a-b/p", "a.b/p", "a/p-q", "b/p") for name in publish_in(store, project, 20)]

    found = list(store.list_objects())

    assert [one.name for one in found] == sorted(names)
    assert {one.size for one in found} == {4}
    assert all(abs(one.modified_s - before_s) < WAIT_S for one in found)


@pytest.mark.parametrize("length", [1, 5, 6, 7, 9, 12, 20, 40])
def test_a_listing_holds_exactly_the_names_with_the_prefix(store: BlobStore, length: int) -> None:
    names = publish_in(store, "a/p", 8) + publish_in(store, "a/pq", 8)
    prefix = sorted(names)[11][:length]

    found = [one.name for one in store.list_objects(prefix)]

    assert found == sorted(name for name in names if name.startswith(prefix))


@pytest.mark.parametrize("prefix", ["packs/no/body", "../", "/", "zzz"])
def test_a_prefix_that_nothing_has_lists_nothing(store: BlobStore, prefix: str) -> None:
    put_pack(store, b"content")

    assert list(store.list_objects(prefix)) == []


def test_deleted_objects_are_gone_also_for_who_read_them_before(store: BlobStore) -> None:
    ((gone, digest),), ((stays, _),) = put_pack(store, b"content"), put_pack(store, b"other")
    store.read(gone, digest)

    store.delete([gone.object_name, pack_name(PROJECT)])
    store.delete([gone.object_name])

    assert [one.name for one in store.list_objects()] == [stays.object_name]
    with pytest.raises(BlobMissing):
        store.read(gone, digest)


def test_what_is_abandoned_can_be_discarded_by_its_name(store: BlobStore, place: StorePlace) -> None:
    store.stage_pack([b"content"])
    other = place.open()

    for found in other.abandoned():
        other.discard(Staged(found.name, found.size, None))

    assert list(store.abandoned()) == []


def test_closing_twice_is_fine(store: BlobStore) -> None:
    store.close()
    store.close()


# Names


HOSTILE_NAMES = [
    "",
    "/etc/passwd",
    "../outside",
    "packs/../../outside",
    f"packs/../p/{'0' * 32}",
    f"packs/e/../{'0' * 32}",
    f"packs/./p/{'0' * 32}",
    f"packs//p/{'0' * 32}",
    f"/packs/e/p/{'0' * 32}",
    f"packs/e/p/{'0' * 32}/",
    f"packs/e/p/{'0' * 32}\n",
    f"packs/e\0/p/{'0' * 32}",
    f"packs/e/p/{'0' * 31}",
    f"packs/e/p/{'A' * 32}",
    "packs/e/p/" + "\u0660" * 32,  # a digit, but not one of ours
    f"packs/e/p/q/{'0' * 32}",
    f"staging/e/p/{'0' * 32}",
    f"packs/e/p/xxh3-{'0' * 32}-0",
    f"files/e/p/{'0' * 32}",
    f"files/e/p/xxh3-{'0' * 32}",
    f"files/e/p/xxh3-{'0' * 32}-",
    f"files/e/p/xxh3-{'0' * 32}-00",
    f"files/e/p/xxh3-{'0' * 32}--1",
    f"files/e/p/xxh3-{'0' * 32}-1000000000",
    f"files/e/p/xxh3-{'0' * 64}-0",
    f"files/e/p/blake3-{'0' * 32}-0",
    f"files/e/p/md5-{'0' * 32}-0",
    f"packs/{'e' * 129}/p/{'0' * 32}",
    "packs/" + "x" * 100_000,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: ascii(name)[:40])
def test_a_hostile_name_is_refused_everywhere(store: BlobStore, name: str) -> None:
    staged, digest = store.stage_pack([b"content"]), digest_of(b"content")
    calls: list[Callable[[], object]] = [
        lambda: store.publish(staged, name),
        lambda: store.have([name]),
        lambda: store.read(Place(name, 0, 7), digest),
        lambda: store.read_many([(Place(name, 0, 7), digest)]),
        lambda: streamed(store, Place(name, 0, 7), digest),
        lambda: store.delete([name]),
        lambda: project_of(name),
    ]

    for call in calls:
        with pytest.raises(InvalidInput, match="not the name of an object"):
            call()
    assert list(store.list_objects()) == []


@pytest.mark.parametrize("location", ["", "..", "../../outside", "/etc/passwd", "1-2-3-4", "a\0"])
def test_a_hostile_location_is_refused(store: BlobStore, location: str) -> None:
    staged = Staged(location, 7, None)

    with pytest.raises(InvalidInput):
        store.publish(staged, pack_name(PROJECT))
    with pytest.raises(InvalidInput):
        store.discard(staged)


def test_a_pack_gets_a_name_that_was_never_given() -> None:
    assert len({pack_name(PROJECT) for _ in range(1000)}) == 1000


def test_a_large_file_gets_the_same_name_from_every_writer_until_it_was_condemned() -> None:
    digest = digest_of(b"content")

    assert file_name(PROJECT, digest) == f"files/{PROJECT}/xxh3-{digest[1:].hex()}-0"
    assert file_name(PROJECT, digest, 12) == f"files/{PROJECT}/xxh3-{digest[1:].hex()}-12"


@pytest.mark.parametrize("algorithm", ["xxh3", "blake3"])
def test_a_name_that_was_given_is_accepted_and_tells_its_project(algorithm: str) -> None:
    for name in (pack_name(PROJECT), file_name(PROJECT, digest_of(b"", algorithm), 999_999_999)):
        assert check_object_name(name) == name
        assert project_of(name) == PROJECT


@pytest.mark.parametrize("project", ["", "e", "e/", "/p", "e/p/q", "../p", "e/..", "e/p\n"])
def test_a_project_that_is_none_gets_no_name(project: str) -> None:
    with pytest.raises(InvalidName):
        pack_name(project)
    with pytest.raises(InvalidName):
        file_name(project, digest_of(b""))


@pytest.mark.parametrize("attempt", [-1, 1_000_000_000])
def test_an_attempt_out_of_range_gets_no_name(attempt: int) -> None:
    with pytest.raises(InvalidInput, match="attempt"):
        file_name(PROJECT, digest_of(b""), attempt)


# Several at once


def _publish_the_same(place: StorePlace, source: str, start: Barrier, results: Connection) -> None:
    store = place.open()
    start.wait(WAIT_S)
    with unbuffered(Path(source)) as opened:
        staged = store.stage_file(opened, digests.XXH3)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    store.discard(staged)
    results.send(store.read(Place(name, 0, staged.size), staged.digest) == Path(source).read_bytes())


def test_the_same_large_content_published_by_sixteen_processes_at_once_is_stored_once(
    place: StorePlace, tmp_path: Path
) -> None:
    content = random.Random(3).randbytes(3 * CHUNK_BYTES)
    source = tmp_path / "source"
    source.write_bytes(content)
    start = _spawn.Barrier(PROCESSES)
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


def _in_a_fork(act: Callable[[], object]) -> object:
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

    assert _in_a_fork(act) is True
    assert [store.read(*one) for one in found] == expected


def test_what_a_parent_staged_its_child_publishes(store: BlobStore, place: StorePlace) -> None:
    staged, name = store.stage_pack([b"content"]), pack_name(PROJECT)

    def act() -> None:
        store.publish(staged, name)
        store.discard(staged)

    _in_a_fork(act)

    assert place.raw(name) == b"content"
    assert list(store.abandoned()) == []


def test_a_stream_begun_before_a_fork_goes_on_in_parent_and_child(store: BlobStore, tmp_path: Path) -> None:
    content = random.Random(5).randbytes(4 * CHUNK_BYTES)
    stream = store.stream(*put_file(store, tmp_path / "source", content))
    first = bytes(next(stream))

    assert _in_a_fork(lambda: first + b"".join(map(bytes, stream)) == content) is True
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
        outcomes = [_in_a_fork(lambda: len([store.read(*one) for one in found])) for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)

    assert outcomes == [100] * 10


# Killed writers


def _stage_from(place: StorePlace, source: str, _: Connection) -> None:
    with unbuffered(Path(source)) as opened:
        place.open().stage_file(opened, digests.XXH3)


def _stage_and_wait(place: StorePlace, ready: Connection) -> None:
    place.open().stage_pack([b"content"])
    ready.send(None)
    signal.pause()


def _publish_without_end(place: StorePlace, ready: Connection) -> None:
    store = place.open()
    ready.send(None)
    while True:
        content = os.urandom(200_000)
        staged = store.stage_pack([content])
        store.publish(staged, file_name(PROJECT, digest_of(content)))
        store.discard(staged)


def test_a_writer_killed_while_it_stages_leaves_no_object_and_what_it_left_is_listed(
    place: StorePlace, store: BlobStore, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    # Opened for both, so that opening does not wait for a writer that may never come.
    with open(os.open(tmp_path / "fifo", os.O_RDWR), "wb", buffering=0) as fifo:
        writer = Worker(_stage_from, place, str(tmp_path / "fifo"))
        fifo.write(b"the first part")
        wait_until(lambda: any(found.size for found in store.abandoned()))
        writer.kill()

    assert list(store.list_objects()) == []
    (left,) = store.abandoned()
    assert check_staged_name(left.name).startswith(f"{writer.process_id}-")


def test_a_writer_killed_before_it_publishes_leaves_no_object_and_what_it_left_is_listed(
    place: StorePlace, store: BlobStore
) -> None:
    writer = Worker(_stage_and_wait, place)
    writer.answer()
    writer.kill()

    assert list(store.list_objects()) == []
    assert [(found.size, found.name.split("-")[0]) for found in store.abandoned()] == [(7, str(writer.process_id))]


def test_whenever_a_writer_is_killed_every_visible_object_is_whole(place: StorePlace, store: BlobStore) -> None:
    for delay_s in (0.05, 0.11, 0.17):
        writer = Worker(_publish_without_end, place)
        writer.answer()
        time.sleep(delay_s)
        writer.kill()

    found = list(store.list_objects())
    assert found
    for one in found:
        assert one.name == file_name(PROJECT, digest_of(place.raw(one.name)))


# Memory


def _peak_bytes() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def _stage_and_stream(place: StorePlace, source: str, small: str, results: Connection) -> None:
    store = place.open()
    put_file(store, Path(small), bytes(CHUNK_BYTES))  # what is loaded once is not the large file's doing
    before = _peak_bytes()
    with unbuffered(Path(source)) as opened:
        staged = store.stage_file(opened, digests.XXH3)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    size = sum(map(len, store.stream(Place(name, 0, staged.size), staged.digest)))
    results.send((size, _peak_bytes() - before))


def test_memory_does_not_grow_with_the_size_of_a_file(place: StorePlace, tmp_path: Path) -> None:
    with open(tmp_path / "source", "wb") as source:
        source.truncate(LARGE_BYTES)
    worker = Worker(_stage_and_stream, place, str(tmp_path / "source"), str(tmp_path / "small"))

    size, grown_bytes = worker.answer()
    worker.join()

    assert size == LARGE_BYTES
    assert grown_bytes < MEMORY_GROWTH_MAX
