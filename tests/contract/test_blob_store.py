"""What `BlobStore` promises, of every adapter: what is stored, published, listed and deleted.

How it is read, what names it takes and what many processes may do with it is in the modules beside this one.
"""

import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from headwater_blobs.port import CHUNK_BYTES, BlobStore, Staged
from headwater_schemas import digests
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidFile
from headwater_schemas.object_names import file_name, pack_name, project_of

from tests.contract.blob_stores import (
    PROJECT,
    READERS,
    WAIT_S,
    StorePlace,
    digest_of,
    each_reader,
    put_file,
    put_pack,
    stage,
    unbuffered,
)
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store
from tests.support.changing_files import ChangingFiles

# What is stored


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 17 * CHUNK_BYTES + 7])
def test_what_comes_piece_by_piece_is_stored_whole(store: BlobStore, place: StorePlace, size: int) -> None:
    content = random.Random(size).randbytes(size)
    stream = store.stage_stream(project=PROJECT, size=size)
    for start in range(0, size, 700_000):
        stream.write(content[start : start + 700_000])

    staged = stream.finish()
    name = staged.name or pack_name(PROJECT)
    store.publish(staged, name)

    assert (staged.size, staged.digest) == (size, None)
    assert place.raw(name) == content


def test_a_stream_that_is_aborted_leaves_nothing(store: BlobStore) -> None:
    for written in (b"", b"x" * (9 * CHUNK_BYTES)):
        stream = store.stage_stream(project=PROJECT, size=9 * CHUNK_BYTES)
        stream.write(written)
        stream.abort()
        stream.abort()

    assert not list(store.list_objects())
    assert not list(store.abandoned())


def test_two_streams_of_the_same_bytes_never_share_a_name(store: BlobStore) -> None:
    names = []
    for _ in range(2):
        stream = store.stage_stream(project=PROJECT, size=4)
        stream.write(b"same")
        staged = stream.finish()
        name = staged.name or pack_name(PROJECT)
        store.publish(staged, name)
        names.append(name)

    assert len(set(names)) == 2


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
    staged = store.stage_pack([b"ab", b"c"], project=PROJECT)

    assert (staged.size, staged.digest) == (3, None)


def test_changing_and_deleting_the_source_changes_nothing(store: BlobStore, tmp_path: Path) -> None:
    where, digest = put_file(store, tmp_path / "source", b"as it was")

    (tmp_path / "source").write_bytes(b"otherwise")
    (tmp_path / "source").unlink()

    assert store.read(where, digest) == b"as it was"


def overwrite_middle(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(CHUNK_BYTES))


CHANGES: dict[str, Callable[[Path], None]] = {
    "emptied": lambda path: os.truncate(path, 0),
    "shrunk": lambda path: os.truncate(path, CHUNK_BYTES // 2),
    "grown": lambda path: os.truncate(path, 12 * CHUNK_BYTES),
    "overwritten": overwrite_middle,
}


@pytest.mark.parametrize("size", [3 * CHUNK_BYTES, 9 * CHUNK_BYTES], ids=["one part", "several parts"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_source_that_changes_while_it_is_read_is_read_again(
    store: BlobStore,
    place: StorePlace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    size: int,
) -> None:
    (path := tmp_path / "source").write_bytes(random.Random(1).randbytes(size))
    changing = ChangingFiles(monkeypatch)
    changing.change(path, lambda: change(path))

    with unbuffered(path) as source:
        staged = store.stage_file(source, digests.XXH3, project=PROJECT)
    store.publish(staged, name := pack_name(PROJECT))

    kept = place.raw(name)
    assert changing.is_over
    assert kept == path.read_bytes()
    assert (len(kept), digest_of(kept)) == (staged.size, staged.digest)


@pytest.mark.parametrize("size", [3 * CHUNK_BYTES, 9 * CHUNK_BYTES], ids=["one part", "several parts"])
def test_a_source_that_changes_each_time_it_is_read_is_an_error_that_names_it_and_leaves_nothing(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (path := tmp_path / "source").write_bytes(random.Random(1).randbytes(size))
    ChangingFiles(monkeypatch).change(path, lambda: overwrite_middle(path), times=1000)

    with (
        unbuffered(path) as source,
        pytest.raises(InvalidFile, match=rf"^'{path}' changed each of \d times.*no process"),
    ):
        store.stage_file(source, digests.XXH3, project=PROJECT)

    assert list(store.abandoned()) == []
    assert list(store.list_objects()) == []


def test_a_source_that_cannot_be_read_is_the_callers_error_and_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)  # a folder: reading it fails
    with pytest.raises(IsADirectoryError):
        store.stage_file(cast("BinaryIO", _Opened(descriptor)), digests.XXH3, project=PROJECT)
    os.close(descriptor)

    assert list(store.abandoned()) == []


class _Opened(io.RawIOBase):
    """Something opened, whatever it is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


# Publishing


def test_what_is_staged_is_no_object_yet_or_the_one_that_it_will_be(store: BlobStore, place: StorePlace) -> None:
    staged = store.stage_pack([b"content"], project=PROJECT)

    objects = [(found.name, found.size) for found in store.list_objects()]
    left = [(found.name, found.size) for found in store.abandoned()]
    if place.stages_apart:
        assert (staged.name, objects, left) == (None, [], [(staged.handle, 7)])
    else:
        assert (objects, left) == ([(staged.name, 7)], [])
        assert staged.name is not None
        assert project_of(staged.name) == PROJECT


@pytest.mark.parametrize("kind", ["pack", "file"])
def test_what_is_published_as_what_it_is_already_stays_when_it_is_discarded(
    store: BlobStore, place: StorePlace, tmp_path: Path, kind: str
) -> None:
    if kind == "pack":
        staged, later = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)
    else:
        staged, later = stage(store, tmp_path / "source", b"content"), file_name(PROJECT, digest_of(b"content"))

    store.publish(staged, name := staged.name or later)
    store.discard(staged)

    assert [one.name for one in store.list_objects()] == [name]
    assert place.raw(name) == b"content"


def test_publishing_a_name_that_is_there_is_fine_and_changes_nothing(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", b"first")
    again = store.stage_pack([b"other"], project=PROJECT)

    store.publish(again, where.object_name)

    assert place.raw(where.object_name) == b"first"


def test_publishing_over_an_object_of_another_size_is_an_error_that_names_it(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", b"content")
    place.damage(where.object_name, lambda content: content[:3])

    with pytest.raises(BlobCorrupt, match=rf"{where.object_name}.* 3 bytes, .* 7; .*headwater doctor"):
        store.publish(stage(store, tmp_path / "source", b"content"), where.object_name)
    assert place.raw(where.object_name) == b"con"


def test_what_is_staged_can_be_published_under_two_names(store: BlobStore, place: StorePlace) -> None:
    staged, names = store.stage_pack([b"content"], project=PROJECT), [pack_name(PROJECT), pack_name("nlp/other")]

    for name in names:
        store.publish(staged, name)

    assert [place.raw(name) for name in names] == [b"content", b"content"]


def test_discarding_keeps_the_objects_and_forgets_the_rest_also_twice(store: BlobStore) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)
    store.publish(staged, name)

    store.discard(staged)
    store.discard(staged)

    assert [one.name for one in store.list_objects()] == [name]
    assert list(store.abandoned()) == []


def test_an_object_is_there_for_a_store_opened_later(store: BlobStore, place: StorePlace) -> None:
    ((where, digest),) = put_pack(store, b"content")
    store.close()

    assert place.open().read(where, digest) == b"content"


# Having, listing, deleting


def test_have_says_which_of_the_names_are_there(store: BlobStore, tmp_path: Path) -> None:
    there = {put_pack(store, b"a")[0][0].object_name, put_file(store, tmp_path / "source", b"b")[0].object_name}
    absent = {pack_name(PROJECT), pack_name("no/body"), file_name(PROJECT, digest_of(b"absent"))}

    assert store.sizes([*there, *absent]) == dict.fromkeys(there, 1)
    assert store.sizes([]) == {}


def publish_in(store: BlobStore, project: str, count: int) -> list[str]:
    names = [pack_name(project) for _ in range(count)]
    names += [
        file_name(project, digest_of(bytes([i]), algorithm)) for i in range(count) for algorithm in ("xxh3", "blake3")
    ]
    staged = store.stage_pack([b"four"], project=PROJECT)
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
    store.stage_pack([b"content"], project=PROJECT)
    other = place.open()

    for found in other.abandoned():
        other.discard(Staged(found.name, found.size, None))

    assert list(store.abandoned()) == []


def test_closing_twice_is_fine(store: BlobStore) -> None:
    store.close()
    store.close()
