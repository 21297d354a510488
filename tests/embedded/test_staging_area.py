"""What writers stage in a folder: whose it is, and what is deleted of it."""

import errno
import os
import threading
from pathlib import Path

import pytest
from headwater_blobs import staging_area
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.staging_area import StagingArea
from headwater_schemas.object_names import pack_name

from tests.embedded.folder_stores import PROJECT, everything_in, put, stage
from tests.embedded.folder_stores import store as store

SIZE = 1000
WAIT_S = 30.0


def left_by_a_writer(store: FolderBlobStore, *, published: bool = False) -> str:
    writer = FolderBlobStore.open(Path(store.folder))
    staged = writer.stage_pack([bytes(SIZE)], project=PROJECT)
    if published:
        writer.publish(staged, pack_name(PROJECT))
    writer.close()
    return staged.handle


def reclaimed(store: FolderBlobStore) -> list[tuple[str, int]]:
    return [(found.name, found.size) for found in store.reclaim(idle_s=0, dry_run=False)]


def staging(store: FolderBlobStore) -> Path:
    return Path(store.folder, "staging")


def test_what_was_published_and_not_let_go_of_frees_nothing(store: FolderBlobStore) -> None:
    name = left_by_a_writer(store, published=True)

    assert reclaimed(store) == [(name, 0)]
    assert [found.size for found in store.list_objects()] == [SIZE]


def test_a_writer_that_ends_leaves_no_folder(store: FolderBlobStore, tmp_path: Path) -> None:
    put(store, b"content")
    store.discard(stage(store, tmp_path / "source", b"content"))
    assert len(everything_in(staging(store))) == 2, "its folder, and the lock in it"

    store.close()

    assert everything_in(staging(store)) == {}


def test_a_store_goes_on_after_it_was_closed_as_another_writer(store: FolderBlobStore) -> None:
    first = store.stage_pack([b"content"], project=PROJECT)
    store.close()

    second = store.stage_pack([b"content"], project=PROJECT)

    assert first.handle.partition("/")[0] != second.handle.partition("/")[0]
    assert reclaimed(store) == [(first.handle, 7)]
    store.publish(second, pack_name(PROJECT))


def test_a_writer_whose_folder_is_collected_while_it_begins_takes_another(store: FolderBlobStore) -> None:
    other = FolderBlobStore.open(Path(store.folder))
    make, made = os.mkdir, []

    def collected_at_once(path: str) -> None:
        make(path)
        made.append(path)
        if len(made) < 3:
            reclaimed(other)

    try:
        os.mkdir = collected_at_once  # type: ignore[assignment]
        staged = store.stage_pack([b"content"], project=PROJECT)
    finally:
        os.mkdir = make

    assert len(made) == 3
    assert reclaimed(other) == []
    store.publish(staged, pack_name(PROJECT))


def test_what_somebody_put_among_what_is_staged_stays(store: FolderBlobStore) -> None:
    name = left_by_a_writer(store)
    mine = [
        staging(store) / "notes.txt",
        staging(store) / "folder" / "a.txt",
        (staging(store) / name).with_name("b.txt"),
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")

    assert reclaimed(store) == [(name, SIZE)]
    assert [path.read_text() for path in mine] == ["mine"] * 3


def test_what_another_user_keeps_to_themselves_is_left_alone(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, mine = sorted(left_by_a_writer(store).partition("/")[0] for _ in range(2))
    listdir, open_file = os.listdir, os.open

    def refuse(path: str) -> None:
        if theirs in path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def list_mine(path: str) -> list[str]:
        refuse(path)
        return listdir(path)

    def open_mine(path: str, flags: int, mode: int = 0o777) -> int:
        refuse(path)
        return open_file(path, flags, mode)

    monkeypatch.setattr(os, "listdir", list_mine)
    monkeypatch.setattr(os, "open", open_mine)

    assert [found.name.partition("/")[0] for found in store.abandoned()] == [mine]
    assert [name.partition("/")[0] for name, _ in reclaimed(store)] == [mine]


def test_bytes_without_a_lock_file_belong_to_nobody(store: FolderBlobStore) -> None:
    name = left_by_a_writer(store)
    (staging(store) / name).with_name("lock").unlink()

    assert reclaimed(store) == [(name, SIZE)]
    assert everything_in(staging(store)) == {}


def test_where_nothing_can_be_locked_no_stream_is_kept(store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could tell there whether another process writes it."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", refused)
    stream = store.stage_stream(project=PROJECT, size=SIZE)
    stream.write(bytes(SIZE))

    assert stream.keep() is None
    assert stream.finish().size == SIZE


def test_a_writer_that_begins_while_a_collection_looks_at_its_folder_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is there before its lock is, so for a moment nobody can tell whose it is."""
    has_folder, may_lock = threading.Event(), threading.Event()
    writing, collecting = StagingArea(str(tmp_path)), StagingArea(str(tmp_path))
    names: list[str] = []

    def wait_between(*_: object) -> None:
        has_folder.set()
        assert may_lock.wait(WAIT_S)

    def begin() -> None:
        names.append(writing.new_name())

    writer = threading.Thread(target=begin)

    def find_no_lock(path: str) -> None:
        assert not os.path.exists(path)
        may_lock.set()
        writer.join(WAIT_S)
        raise FileNotFoundError(path)

    monkeypatch.setattr(staging_area, "follow_folder", wait_between)
    monkeypatch.setattr(staging_area, "hold_left", find_no_lock)
    writer.start()
    assert has_folder.wait(WAIT_S)

    assert list(collecting.reclaim(idle_s=0, dry_run=False)) == []

    Path(writing.path_of(names[0])).write_bytes(b"staged")
    assert [found.size for found in collecting.all()] == [6]
