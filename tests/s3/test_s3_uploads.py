"""Files that go into a bucket: large ones in parts, whatever happens to them or to the connection meanwhile."""

import hashlib
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from headwater_blobs.local_sources import READINGS_MAX
from headwater_blobs.port import CHUNK_BYTES, Staged
from headwater_blobs.s3.client import PARTS_AT_ONCE
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_blobs.s3.uploads import PARTS_MAX, part_bytes_for
from headwater_schemas import digests
from headwater_schemas.errors import BlobCorrupt, InvalidFile, StoreUnavailable
from headwater_schemas.object_names import file_name, pack_name

from tests.contract.blob_stores import PROJECT, digest_of, put_file, stage, streamed, unbuffered
from tests.contract.test_blob_processes import in_a_fork
from tests.s3.stand_ins import cutting
from tests.support import buckets

PART = buckets.SMALL_PARTS_BYTES
LARGE = random.Random(1).randbytes(3 * PART + 1234)
_new_hasher = digests.new_hasher


class Meddling:
    """Hashers that do `act` before update number `updates` of each of the `readings`, all counted from 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, updates: int = 1) -> None:
        self.readings: set[int] = set()
        self._act, self._updates, self._begun = act, updates, 0
        monkeypatch.setattr(digests, "new_hasher", self._new)

    def _new(self, algorithm: str) -> digests.Hasher:
        self._begun += 1
        return _Hasher(_new_hasher(algorithm), self._act, self._updates if self._begun in self.readings else 0)


class _Hasher:
    def __init__(self, hasher: digests.Hasher, act: Callable[[], object], updates: int) -> None:
        self._hasher, self._act, self._left = hasher, act, updates

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._left -= 1
        if self._left == 0:
            self._act()
        self._hasher.update(data)

    def digest(self) -> bytes:
        return self._hasher.digest()


def nothing_is_left(store: S3BlobStore) -> bool:
    return list(store.list_objects()) == [] and list(store.abandoned()) == []


# In parts


def test_a_large_file_arrives_in_parts_and_whole(store: S3BlobStore, settings: S3Settings, tmp_path: Path) -> None:
    where, digest = put_file(store, tmp_path / "source", LARGE)

    found = buckets.client_of(settings).stat_object(settings.bucket, where.object_name)
    assert str(found.etag).endswith("-4")  # how S3 marks an object of four parts
    assert streamed(store, where, digest) == LARGE
    assert list(store.abandoned()) == []


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1])
def test_a_file_comes_back_at_every_size_around_a_part(store: S3BlobStore, tmp_path: Path, size: int) -> None:
    found = put_file(store, tmp_path / "source", LARGE[:size])

    assert streamed(store, *found) == LARGE[:size]


@pytest.mark.parametrize("size", [0, 1, PARTS_MAX * PART, PARTS_MAX * PART + 1, 5 * 1024**4])
def test_no_object_has_more_parts_than_s3_takes(size: int) -> None:
    assert part_bytes_for(size, PART) >= PART
    assert -(-size // part_bytes_for(size, PART)) <= PARTS_MAX


def test_more_large_files_at_once_than_there_are_slots_arrive(store: S3BlobStore, tmp_path: Path) -> None:
    def put(number: int) -> bool:
        content = number.to_bytes(4, "big") + LARGE
        return streamed(store, *put_file(store, tmp_path / str(number), content)) == content

    with ThreadPoolExecutor(2 * PARTS_AT_ONCE) as pool:
        assert all(pool.map(put, range(2 * PARTS_AT_ONCE)))
    assert list(store.abandoned()) == []


def test_what_is_there_already_is_not_sent_again(store: S3BlobStore, settings: S3Settings, tmp_path: Path) -> None:
    for content in (b"small", LARGE):
        where, _ = put_file(store, tmp_path / "source", content)
        # Had it been sent again, this would be gone.
        buckets.write(settings, where.object_name, marked := bytes(len(content)))

        again = stage(store, tmp_path / "source", content)
        store.publish(again, where.object_name)

        assert again.name == where.object_name
        assert buckets.raw(settings, where.object_name) == marked


def test_what_is_there_in_another_size_is_an_error_and_left_as_it_is(
    store: S3BlobStore, settings: S3Settings, tmp_path: Path
) -> None:
    where, _ = put_file(store, tmp_path / "source", LARGE)
    buckets.write(settings, where.object_name, b"other")

    with pytest.raises(BlobCorrupt, match=where.object_name):
        stage(store, tmp_path / "source", LARGE)
    assert buckets.raw(settings, where.object_name) == b"other"


# Sources that change


def test_a_source_that_changed_between_the_readings_is_read_anew(
    store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = LARGE[:-1] + bytes([LARGE[-1] ^ 1])
    Meddling(monkeypatch, lambda: (tmp_path / "source").write_bytes(changed)).readings = {2}

    staged = stage(store, tmp_path / "source", LARGE)

    assert staged.digest == digest_of(changed)
    assert [one.name for one in store.list_objects()] == [staged.name]
    assert list(store.abandoned()) == []


@pytest.mark.parametrize("length", [0, 100, PART, 2 * PART + 1], ids=["emptied", "small", "one part", "shorter"])
def test_a_source_truncated_while_it_is_sent_is_kept_as_it_is_then(
    store: S3BlobStore, settings: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    meddling = Meddling(monkeypatch, lambda: os.truncate(tmp_path / "source", length), updates=PART // CHUNK_BYTES + 1)
    meddling.readings = {2}

    staged = stage(store, tmp_path / "source", LARGE)

    assert (staged.digest, staged.size) == (digest_of(LARGE[:length]), length)
    assert staged.name is not None
    assert buckets.raw(settings, staged.name) == LARGE[:length]
    assert [one.name for one in store.list_objects()] == [staged.name]
    assert list(store.abandoned()) == []


def test_of_a_source_that_grows_while_it_is_sent_is_kept_what_was_there(
    store: S3BlobStore, settings: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Meddling(monkeypatch, lambda: os.truncate(tmp_path / "source", len(LARGE) + 7)).readings = {2}

    staged = stage(store, tmp_path / "source", LARGE)

    assert (staged.digest, staged.size) == (digest_of(LARGE), len(LARGE))


def test_a_source_that_changes_each_time_is_an_error_that_names_it_and_leaves_nothing(
    store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[bytes] = []

    def change() -> None:
        changes.append(os.urandom(16))
        with open(tmp_path / "source", "r+b") as source:
            source.write(changes[-1])

    path = tmp_path / "source"
    path.write_bytes(LARGE)
    monkeypatch.setattr(digests, "new_hasher", _changing_before_each_reading(change))
    with unbuffered(path) as source, pytest.raises(InvalidFile, match=rf"{path}.*changed.*Add it again"):
        store.stage_file(source, digests.XXH3, project=PROJECT)

    assert len(changes) == 2 * READINGS_MAX
    assert nothing_is_left(store)


def _changing_before_each_reading(change: Callable[[], None]) -> Callable[[str], digests.Hasher]:
    def new(algorithm: str) -> digests.Hasher:
        change()
        return _new_hasher(algorithm)

    return new


def test_a_source_that_cannot_be_read_to_its_end_is_the_callers_error_and_leaves_nothing(
    store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reads = os.pread, iter(range(100))

    def failing(descriptor: int, size: int, offset: int) -> bytes:
        if next(reads) == 2:
            raise OSError(5, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(OSError, match="Input/output error"):
        stage(store, tmp_path / "source", LARGE)

    assert nothing_is_left(store)


# Connections that break, writers that end


@pytest.mark.parametrize("request_line", [b"POST /", b"PUT /", b"HEAD /"])
def test_an_answer_that_gets_lost_is_asked_for_again(settings: S3Settings, tmp_path: Path, request_line: bytes) -> None:
    with cutting(settings.endpoint) as cutter:
        store = buckets.open_store(replace(settings, endpoint=cutter.endpoint))
        cutter.begins_with = request_line
        for cuts in (1, 2):
            cutter.cuts = cuts
            content = bytes([cuts]) + LARGE
            found = put_file(store, tmp_path / "source", content)
            assert streamed(store, *found) == content
        assert cutter.done == 3
        store.close()


def test_a_server_that_is_gone_in_the_middle_is_an_error_and_nothing_is_visible(
    settings: S3Settings, store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cutting(settings.endpoint) as cutter:
        behind = buckets.open_store(replace(settings, endpoint=cutter.endpoint))

        def gone() -> None:
            cutter.cuts, cutter.begins_with = 10**6, b""

        Meddling(monkeypatch, gone, updates=PART // CHUNK_BYTES + 1).readings = {2}
        with pytest.raises(StoreUnavailable, match=settings.bucket):
            stage(behind, tmp_path / "source", LARGE)
        behind.close()

    assert list(store.list_objects()) == []
    for left in store.abandoned():
        store.discard(Staged(left.name, left.size, None))
    assert nothing_is_left(store)


def test_an_interrupted_upload_leaves_nothing(
    store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    Meddling(monkeypatch, interrupt, updates=2 * PART // CHUNK_BYTES + 1).readings = {2}
    with pytest.raises(KeyboardInterrupt):
        stage(store, tmp_path / "source", LARGE)

    assert nothing_is_left(store)
    assert stage(store, tmp_path / "source", LARGE).size == len(LARGE)  # what it held is free again


def collect_everything(store: S3BlobStore) -> int:
    return len(list(store.reclaim(idle_s=0, dry_run=False)))


def test_an_upload_that_is_collected_meanwhile_is_sent_again(
    settings: S3Settings, store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[int] = []
    meddling = Meddling(
        monkeypatch, lambda: collected.append(collect_everything(store)), updates=2 * PART // CHUNK_BYTES + 1
    )
    meddling.readings = {2, 4}

    staged = stage(store, tmp_path / "source", LARGE)

    assert collected == [1, 1]
    assert staged.name is not None
    assert buckets.raw(settings, staged.name) == LARGE
    assert list(store.abandoned()) == []


def test_an_upload_that_is_collected_each_time_is_an_error_that_says_what_to_look_at(
    store: S3BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddling = Meddling(monkeypatch, lambda: collect_everything(store), updates=2 * PART // CHUNK_BYTES + 1)
    meddling.readings = set(range(2 * READINGS_MAX + 1))

    with pytest.raises(StoreUnavailable, match=r"lost each of 5 uploads.*--grace"):
        stage(store, tmp_path / "source", LARGE)

    assert nothing_is_left(store)


def test_uploads_of_others_are_not_among_what_is_abandoned(settings: S3Settings, store: S3BlobStore) -> None:
    client = buckets.client_of(settings)
    upload_id = client._create_multipart_upload(settings.bucket, "theirs", {})

    assert list(store.abandoned()) == []
    assert collect_everything(store) == 0
    client._abort_multipart_upload(settings.bucket, "theirs", upload_id)


# Packs that were never published


@pytest.fixture
def packs(store: S3BlobStore) -> Callable[[], list[str]]:
    return lambda: [one.name for one in store.list_objects("packs/")]


def test_a_pack_that_was_never_published_is_deleted_by_who_staged_it_and_nobody_else(
    settings: S3Settings, store: S3BlobStore, packs: Callable[[], list[str]]
) -> None:
    staged, other = store.stage_pack([b"content"], project=PROJECT), buckets.open_store(settings)

    other.discard(staged)
    assert packs() == [staged.name]
    store.discard(staged)
    assert packs() == []
    other.close()


def test_a_large_file_that_is_discarded_stays_since_others_may_have_the_same(
    store: S3BlobStore, tmp_path: Path
) -> None:
    staged = stage(store, tmp_path / "source", b"content")

    store.discard(staged)

    assert [one.name for one in store.list_objects()] == [staged.name]


def test_a_pack_that_a_child_published_survives_its_parents_discarding(
    store: S3BlobStore, packs: Callable[[], list[str]]
) -> None:
    staged = store.stage_pack([b"content"], project=PROJECT)
    assert staged.name is not None

    in_a_fork(lambda: store.publish(staged, staged.handle))
    store.discard(staged)

    assert packs() == [staged.name]


def test_a_pack_that_a_parent_has_is_not_deleted_by_its_child(
    store: S3BlobStore, packs: Callable[[], list[str]]
) -> None:
    staged = store.stage_pack([b"content"], project=PROJECT)

    in_a_fork(lambda: store.discard(staged))
    store.publish(staged, staged.handle)

    assert packs() == [staged.name]


def test_publishing_what_was_deleted_meanwhile_is_an_error_that_says_to_add_it_again(store: S3BlobStore) -> None:
    staged = store.stage_pack([b"content"], project=PROJECT)
    store.delete([staged.handle])

    for name in (staged.handle, pack_name(PROJECT)):
        with pytest.raises(StoreUnavailable, match=rf"{staged.handle}.*Add its content again"):
            store.publish(staged, name)


def test_a_large_file_is_copied_to_another_project_within_the_server(
    store: S3BlobStore, settings: S3Settings, tmp_path: Path
) -> None:
    staged = stage(store, tmp_path / "source", LARGE)
    assert staged.digest is not None

    store.publish(staged, name := file_name("nlp/other", staged.digest))

    assert hashlib.sha256(buckets.raw(settings, name)).digest() == hashlib.sha256(LARGE).digest()


def test_a_closed_store_goes_on_when_it_is_used_again(store: S3BlobStore, tmp_path: Path) -> None:
    put_file(store, tmp_path / "source", LARGE)
    store.close()

    assert streamed(store, *put_file(store, tmp_path / "source", LARGE + b"more")) == LARGE + b"more"
