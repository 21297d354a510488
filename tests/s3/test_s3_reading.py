"""Reading from a bucket that fails: what is broken off is taken up again, what is rotten is an error that names it."""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from headwater_blobs.port import CHUNK_BYTES, PACKED_FILE_BYTES_MAX, UNREADABLE
from headwater_blobs.s3.client import RETRIES
from headwater_blobs.s3.reading import BREAKS
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_producer import stored_content
from headwater_producer.stored_content import ContentCheck
from headwater_runtime.retries import Retries
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, StoreError, StoreUnavailable
from headwater_schemas.object_names import pack_name

from tests.contract.blob_stores import READERS, digest_of, each_reader, put_file, put_pack
from tests.s3.stand_ins import BUSY, Cutter, answering, cutting
from tests.support import buckets

PROJECT = "vision/digits"
ONE_REFUSAL_S = 4.0  # with its retries
CONTENT = random.Random(1).randbytes(5 * CHUNK_BYTES)


@pytest.fixture
def cutter(settings: S3Settings) -> Iterator[Cutter]:
    with cutting(settings.endpoint) as cutter:
        yield cutter


@pytest.fixture
def behind(settings: S3Settings, cutter: Cutter) -> Iterator[S3BlobStore]:
    """The store, as it is reached by way of the cutter."""
    store = buckets.open_store(replace(settings, endpoint=cutter.endpoint))
    yield store
    store.close()


@each_reader
def test_a_connection_that_breaks_is_made_again_where_it_broke(
    behind: S3BlobStore, cutter: Cutter, tmp_path: Path, reader: str
) -> None:
    found = put_file(behind, tmp_path / "source", CONTENT)
    cutter.cuts, cutter.after_bytes, cutter.begins_with = 3, 2 * CHUNK_BYTES, b"GET /"

    assert READERS[reader](behind, *found) == CONTENT
    assert cutter.done >= 2


@each_reader
def test_an_object_whose_bytes_never_come_is_damaged_and_that_is_not_tried_for_ever(
    behind: S3BlobStore, cutter: Cutter, tmp_path: Path, reader: str
) -> None:
    where, digest = put_file(behind, tmp_path / "source", CONTENT)
    cutter.cuts, cutter.after_bytes, cutter.begins_with = 1000, 600, b"GET /"  # of which the headers are about 500

    with pytest.raises(BlobCorrupt, match=rf"{where.object_name}.*broke off.*headwater doctor"):
        READERS[reader](behind, where, digest)
    assert BREAKS.attempts_max is not None
    assert cutter.done <= 2 * BREAKS.attempts_max


@each_reader
def test_a_server_that_always_asks_to_slow_down_is_not_asked_for_ever(settings: S3Settings, reader: str) -> None:
    seen: list[str] = []
    name = pack_name(PROJECT)
    with answering(503, BUSY, seen.append) as endpoint:
        store = S3BlobStore(
            replace(settings, endpoint=endpoint, region="us-east-1"), read_only=False, part_bytes=8 * CHUNK_BYTES
        )
        with pytest.raises(StoreUnavailable, match=rf"{name}.*SlowDownRead.*headwater doctor"):
            READERS[reader](store, BlobLocation(name, 0, 7), digest_of(b"content"))
        store.close()

    assert len(seen) == 1 + RETRIES


@each_reader
@pytest.mark.parametrize("size", [5000, 300_000, 3 * CHUNK_BYTES], ids=["within", "beside", "large"])
@pytest.mark.parametrize("change", [buckets.flip, buckets.cut])
def test_what_rotted_on_the_servers_disk_is_an_error_that_names_it(
    settings: S3Settings, store: S3BlobStore, tmp_path: Path, change: Callable[[bytes], bytes], size: int, reader: str
) -> None:
    where, digest = put_file(store, tmp_path / "source", random.Random(size).randbytes(size))
    buckets.rot(settings, where.object_name, change)

    with pytest.raises((BlobCorrupt, StoreUnavailable), match=where.object_name):
        READERS[reader](store, where, digest)


def test_an_object_whose_metadata_rotted_exists_and_has_no_size(settings: S3Settings, store: S3BlobStore) -> None:
    sound, rotten = (put_pack(store, content)[0][0].object_name for content in (b"sound", b"rotten"))
    buckets.rot(settings, rotten, buckets.flip)

    assert store.sizes([sound, rotten]) == {sound: 5, rotten: UNREADABLE}


def test_a_damaged_object_is_tried_again_once_only(
    settings: S3Settings, store: S3BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = put_pack(store, *(os.urandom(250) for _ in range(20)))
    buckets.rot(settings, pack[0][0].object_name, buckets.flip)
    attempts: list[bool] = []
    pause = Retries.pause

    def counted(retries: Retries) -> bool:
        attempts.append(pause(retries))
        return attempts[-1]

    monkeypatch.setattr(Retries, "pause", counted)
    for content in pack:
        with pytest.raises(BlobCorrupt):
            store.read(*content)

    assert sum(attempts) == (BREAKS.attempts_max or 0) - 1, "of the first content; its object is known to be damaged"


@pytest.mark.parametrize("size", [250, 15_000, 3 * CHUNK_BYTES], ids=["within", "beside", "large"])
@pytest.mark.parametrize("change", [buckets.flip, buckets.cut])
def test_what_rotted_on_the_servers_disk_is_told_from_what_is_sound(
    settings: S3Settings, store: S3BlobStore, tmp_path: Path, change: Callable[[bytes], bytes], size: int
) -> None:
    random_bytes = random.Random(size).randbytes
    if size > PACKED_FILE_BYTES_MAX:
        objects = [[put_file(store, tmp_path / "source", random_bytes(size))] for _ in range(2)]
    else:
        objects = [put_pack(store, *(random_bytes(size) for _ in range(20))) for _ in range(2)]
    buckets.rot(settings, objects[0][0][0].object_name, change)

    damaged = set(ContentCheck(store).damaged([place for of in objects for place in of]))

    assert damaged
    assert damaged <= set(objects[0])


def test_many_objects_are_read_at_once_and_one_that_is_damaged_is_named(
    settings: S3Settings, store: S3BlobStore
) -> None:
    packs = [put_pack(store, *(os.urandom(1000) for _ in range(20))) for _ in range(30)]
    wanted = [pack[i] for i in range(20) for pack in packs]
    expected = [store.read(*one) for one in wanted]

    assert store.read_many(wanted) == expected

    damaged = packs[7][3][0].object_name
    buckets.write(settings, damaged, bytes(20_000))
    with pytest.raises(BlobCorrupt, match=damaged):
        store.read_many(wanted)


def test_more_names_than_are_asked_for_at_once_are_told_apart(store: S3BlobStore) -> None:
    ((there, _),) = put_pack(store, b"content")
    absent = [pack_name(PROJECT) for _ in range(600)]

    assert set(store.sizes([*absent, there.object_name])) == {there.object_name}


def test_what_is_not_ours_in_the_bucket_is_not_listed(settings: S3Settings, store: S3BlobStore) -> None:
    ((there, _),) = put_pack(store, b"content")
    for name in ("notes.txt", "packs/readme", f"packs/{PROJECT}/other"):
        buckets.write(settings, name, b"theirs")

    assert [one.name for one in store.list_objects()] == [there.object_name]


def test_an_error_of_the_server_is_ours(settings: S3Settings) -> None:
    with answering(500, "<Error><Code>InternalError</Code></Error>", seen=lambda _: None) as endpoint:
        store = S3BlobStore(
            replace(settings, endpoint=endpoint, region="us-east-1"), read_only=False, part_bytes=8 * CHUNK_BYTES
        )
        with pytest.raises(StoreError, match="InternalError"):
            list(store.list_objects())
        store.close()


def test_an_object_that_the_server_cannot_read_is_damaged_and_the_others_are_sound(
    behind: S3BlobStore, cutter: Cutter, tmp_path: Path
) -> None:
    small = [put_pack(behind, *(os.urandom(1000) for _ in range(20))) for _ in range(4)]
    large = [put_file(behind, tmp_path / "source", os.urandom(PACKED_FILE_BYTES_MAX + 1)) for _ in range(2)]
    check, places = ContentCheck(behind), [*(one for pack in small for one in pack), *large]
    cutter.refuses = small[1][0][0].object_name.encode()

    assert set(check.damaged(places)) == set(small[1])

    cutter.refuses = large[0][0].object_name.encode()
    before = time.monotonic()
    assert set(check.damaged(places)) == {*small[1], large[0]}, "what was unreadable is not asked for again"
    assert time.monotonic() - before < 2 * ONE_REFUSAL_S
    assert set(ContentCheck(behind).damaged(small[1])) == set()


def test_a_server_that_reads_nothing_has_not_lost_everything(behind: S3BlobStore, cutter: Cutter) -> None:
    places = [put_pack(behind, os.urandom(1000))[0] for _ in range(4)]
    cutter.refuses = b"packs/"

    with (
        patch.object(stored_content, "UNREADABLE_MAX", 1),
        pytest.raises(StoreUnavailable, match=r"object 'packs/.*SlowDownRead"),
    ):
        list(ContentCheck(behind).damaged(places))
