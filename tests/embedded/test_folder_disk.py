"""What a folder store does on a disk that is full or cannot be written."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import Staged
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, StoreReadOnly, StoreUnavailable
from headwater_schemas.object_names import pack_name

from tests.embedded.folder_stores import PROJECT, everything_in, put, stage
from tests.embedded.folder_stores import store as store
from tests.support.disks import can_mount, filled, read_only, small_disk

DISK_BYTES = 8 * 1024 * 1024


@contextmanager
def nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderBlobStore]:
    """A store that has room for two megabytes: on a small disk where we may mount, else by refusing larger writes."""
    room_bytes = 2 * 1024 * 1024
    with ExitStack() as stack:
        if can_mount():
            disk = stack.enter_context(small_disk(DISK_BYTES))
            store = FolderBlobStore.open(disk / "blobs")
            stack.callback(store.close)
            stack.enter_context(filled(disk, leave_bytes=room_bytes))
            yield store
        else:
            _limit_writes(monkeypatch, room_bytes)
            yield FolderBlobStore.open(tmp_path / "blobs")


def _limit_writes(monkeypatch: pytest.MonkeyPatch, room_bytes: int) -> None:
    whole, written = os.writev, 0

    def writev(target: int, buffers: list[bytes]) -> int:
        nonlocal written
        written += sum(map(len, buffers))
        if written > room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(target, buffers)

    monkeypatch.setattr(os, "writev", writev)
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: None)


@pytest.mark.parametrize("reserve", [True, False], ids=["reserving", "not reserving"])
def test_a_full_disk_refuses_a_file_names_folder_and_bytes_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve: bool
) -> None:
    if not reserve:
        monkeypatch.setattr(os, "posix_fallocate", lambda *_: None)
    with nearly_full(tmp_path, monkeypatch) as store:
        with pytest.raises(StoreUnavailable, match=rf"{store.folder} is full: 5,242,880 bytes were needed.*Free space"):
            stage(store, tmp_path / "source", bytes(5 * 1024 * 1024))
        assert list(store.abandoned()) == []
        assert list(store.list_objects()) == []


def test_a_full_disk_refuses_a_pack_names_folder_and_bytes_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nearly_full(tmp_path, monkeypatch) as store:
        with pytest.raises(StoreUnavailable, match=rf"{store.folder} is full: 5,242,880 bytes were needed.*Free space"):
            store.stage_pack([bytes(1024)] * 5120, project=PROJECT)
        assert list(store.abandoned()) == []
        assert list(store.list_objects()) == []


def test_a_full_disk_leaves_what_was_there_readable_and_takes_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nearly_full(tmp_path, monkeypatch) as store:
        before = put(store, b"before")
        with pytest.raises(StoreUnavailable):
            store.stage_pack([bytes(5 * 1024 * 1024)], project=PROJECT)

        assert store.read(*before) == b"before"
        if can_mount():  # a refused write took no room
            assert store.read(*put(store, b"after")) == b"after"


def test_a_disk_that_fills_when_publishing_shows_no_object_and_keeps_what_is_staged(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "link", refuse)
        with pytest.raises(StoreUnavailable, match="is full"):
            store.publish(staged, name)
    assert list(store.list_objects()) == []
    store.publish(staged, name)
    assert set(store.sizes([name])) == {name}


def test_a_full_disk_at_the_last_sync_keeps_nothing(
    store: FolderBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fdatasync", refuse)

    with pytest.raises(StoreUnavailable, match="is full: 7 bytes"):
        stage(store, tmp_path / "source", b"content")
    with pytest.raises(StoreUnavailable, match="is full: 7 bytes"):
        store.stage_pack([b"content"], project=PROJECT)
    assert list(store.abandoned()) == []


def write_attempts(store: FolderBlobStore, where: BlobLocation, source: Path) -> Iterator[HeadwaterError]:
    staged = Staged(f"{'0' * 32}/{'0' * 32}", 7, None)
    for attempt in (
        lambda: store.stage_pack([b"content"], project=PROJECT),
        lambda: stage(store, source, b"content"),
        lambda: store.publish(staged, pack_name(PROJECT)),
        lambda: store.delete([where.object_name]),
    ):
        try:
            attempt()
        except HeadwaterError as error:
            yield error


def test_a_store_opened_for_reading_reads_and_refuses_to_write(store: FolderBlobStore, tmp_path: Path) -> None:
    where, digest = put(store, b"content")
    reader = FolderBlobStore.open(Path(store.folder), read_only=True)
    before = everything_in(Path(store.folder))

    refused = list(write_attempts(reader, where, tmp_path / "source"))

    assert [type(error) for error in refused] == [StoreReadOnly] * 4
    assert all(store.folder in str(error) for error in refused)
    assert reader.read(where, digest) == b"content"
    assert everything_in(Path(store.folder)) == before


def test_a_disk_that_cannot_be_written_is_read_and_named(store: FolderBlobStore, tmp_path: Path) -> None:
    where, digest = put(store, b"content")
    before = everything_in(Path(store.folder))
    with read_only(Path(store.folder)) as view:
        reader = FolderBlobStore.open(view)

        with pytest.raises(StoreReadOnly, match=str(view)):
            reader.stage_pack([b"content"], project=PROJECT)
        with pytest.raises(StoreReadOnly, match=str(view)):
            stage(reader, tmp_path / "source", b"content")
        with pytest.raises(StoreReadOnly, match=str(view)):
            reader.delete([where.object_name])
        assert reader.read(where, digest) == b"content"
        reader.close()
    assert everything_in(Path(store.folder)) == before


def test_a_store_cannot_be_made_on_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with read_only(tmp_path / "disk") as view, pytest.raises(StoreReadOnly, match=str(view)):
        FolderBlobStore.open(view / "blobs")
