"""What `BlobStore` promises to who reads, of every adapter: the bytes that were stored, or an error."""

import random
from pathlib import Path

import pytest
from headwater_blobs.port import CHUNK_BYTES, READ_MANY_BYTES_MAX, BlobStore
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidInput
from headwater_schemas.object_names import pack_name

from tests.contract.blob_stores import (
    PROJECT,
    READERS,
    StorePlace,
    digest_of,
    each_reader,
    put_file,
    put_pack,
    streamed,
)
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store


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

    with pytest.raises(BlobCorrupt, match=rf"{where.object_name}.*7 bytes.*3 were found.*headwater doctor"):
        READERS[reader](store, where, digest)


@each_reader
def test_a_missing_object_is_an_error_that_names_it(store: BlobStore, reader: str) -> None:
    name = pack_name(PROJECT)

    with pytest.raises(BlobMissing, match=rf"{name}.*headwater doctor"):
        READERS[reader](store, BlobLocation(name, 0, 7), digest_of(b"content"))


@each_reader
@pytest.mark.parametrize(("offset", "size"), [(5, 7), (7, 1), (1 << 40, 7), (0, 8)])
def test_a_range_beyond_the_end_is_an_error(store: BlobStore, reader: str, offset: int, size: int) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(BlobCorrupt, match="were found"):
        READERS[reader](store, BlobLocation(where.object_name, offset, size), digest)


@pytest.mark.parametrize("reader", ["read", "stream"])
def test_a_huge_range_beyond_the_end_takes_no_memory(store: BlobStore, reader: str) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(BlobCorrupt, match="7 were found"):
        READERS[reader](store, BlobLocation(where.object_name, 0, 1 << 60), digest)


@each_reader
@pytest.mark.parametrize(("offset", "size"), [(-1, 7), (0, -1)])
def test_a_range_that_cannot_exist_is_refused(store: BlobStore, reader: str, offset: int, size: int) -> None:
    ((where, digest),) = put_pack(store, b"content")

    with pytest.raises(InvalidInput, match=where.object_name):
        READERS[reader](store, BlobLocation(where.object_name, offset, size), digest)


@each_reader
@pytest.mark.parametrize("offset", [0, 3, 7])
def test_a_place_without_bytes_is_read_and_verified(store: BlobStore, reader: str, offset: int) -> None:
    ((where, _),) = put_pack(store, b"content")
    empty = BlobLocation(where.object_name, offset, 0)

    assert READERS[reader](store, empty, digest_of(b"")) == b""
    with pytest.raises(BlobCorrupt):
        READERS[reader](store, empty, digest_of(b"content"))


@each_reader
def test_a_place_without_bytes_in_a_missing_object_is_missing(store: BlobStore, reader: str) -> None:
    with pytest.raises(BlobMissing):
        READERS[reader](store, BlobLocation(pack_name(PROJECT), 0, 0), digest_of(b""))


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


def test_a_part_is_streamed_wherever_it_lies(store: BlobStore, tmp_path: Path) -> None:
    data = random.Random(3).randbytes(2 * CHUNK_BYTES + 100)
    where, _ = put_file(store, tmp_path / "large", data)
    parts = ((0, 1), (CHUNK_BYTES - 1, 2), (100, 2 * CHUNK_BYTES), (len(data) - 5, 5), (0, len(data)), (7, 0))

    for start, size in parts:
        assert b"".join(map(bytes, store.stream_part(where, start, size))) == data[start : start + size]


def test_a_part_of_a_packed_file_has_nothing_of_its_neighbours(store: BlobStore) -> None:
    _, (where, _), _ = put_pack(store, b"before", b"content", b"after")

    assert b"".join(map(bytes, store.stream_part(where, 3, 4))) == b"tent"


@pytest.mark.parametrize(("start", "size"), [(0, 8), (7, 1), (-1, 2), (3, -1)])
def test_a_part_beyond_its_whole_is_refused(store: BlobStore, start: int, size: int) -> None:
    _, (where, _), _ = put_pack(store, b"before", b"content", b"after")

    with pytest.raises(InvalidInput):
        list(store.stream_part(where, start, size))


def test_a_part_that_is_missing_breaks_off_with_an_error(store: BlobStore, place: StorePlace) -> None:
    _, (where, _) = put_pack(store, b"before", b"content")
    place.damage(where.object_name, lambda content: content[:-3])

    with pytest.raises(BlobCorrupt, match=where.object_name):
        list(store.stream_part(where, 2, 5))


def test_many_are_given_in_the_order_asked_whatever_lies_between_them(store: BlobStore) -> None:
    dice = random.Random(7)
    contents = [[dice.randbytes(dice.choice((0, 1, 4096, 200_000))) for _ in range(40)] for _ in range(3)]
    pairs = [pair for pack in contents for pair in zip(put_pack(store, *pack), pack, strict=True)]
    asked = [*dice.sample(pairs, 60), *dice.sample(pairs, 20)]  # some twice, and with gaps

    assert store.read_many([one for one, _ in asked]) == [content for _, content in asked]


def test_many_may_overlap(store: BlobStore) -> None:
    ((where, digest),) = put_pack(store, b"content")
    inner = (BlobLocation(where.object_name, 1, 3), digest_of(b"ont"))

    assert store.read_many([inner, (where, digest), inner]) == [b"ont", b"content", b"ont"]


def test_none_of_many_is_nothing(store: BlobStore) -> None:
    assert store.read_many([]) == []


def test_many_can_be_as_much_as_the_bound_and_not_more(store: BlobStore) -> None:
    content = bytes(CHUNK_BYTES)
    ((where, digest),) = put_pack(store, content)
    count = READ_MANY_BYTES_MAX // CHUNK_BYTES

    assert store.read_many([(where, digest)] * count) == [content] * count
    with pytest.raises(InvalidInput, match="Split the request"):
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


def test_a_file_is_given_only_for_an_object_that_is_all_of_the_place(
    store: BlobStore, place: StorePlace, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", b"content")
    packed = [one for one, _ in put_pack(store, b"before", b"after")]
    part, gone = BlobLocation(where.object_name, 0, where.size - 1), BlobLocation(pack_name(PROJECT), 0, 7)

    found = store.local_file(where)

    assert (found is None) == (place.adapter == "s3")
    assert found is None or Path(found).read_bytes() == b"content"
    assert [store.local_file(one) for one in (*packed, part, gone)] == [None] * 4
