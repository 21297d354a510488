"""What only the folder adapter does: its marker, its layout, and what its file system does to it."""

import errno
import fcntl
import gc
import json
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from headwater_blobs.folder import FORMAT, MARKER, OPEN_OBJECTS_MAX, FolderBlobStore
from headwater_blobs.naming import check_staged_name, file_name, pack_name
from headwater_blobs.port import CHUNK_BYTES, Staged
from headwater_schemas import digests
from headwater_schemas.entries import Place
from headwater_schemas.errors import (
    BlobCorrupt,
    FormatTooNew,
    HeadwaterError,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)

from tests.support.disks import can_mount, filled, read_only, small_disk

WAIT_S = 60.0
DISK_BYTES = 8 * 1024 * 1024
PROJECT = "vision/digits"

_spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderBlobStore]:
    store = FolderBlobStore.open(tmp_path / "blobs")
    yield store
    store.close()


def digest_of(content: bytes) -> bytes:
    return digests.pack(digests.XXH3, digests.one_shot(digests.XXH3)(content))


def stage(store: FolderBlobStore, path: Path, content: bytes) -> Staged:
    path.write_bytes(content)
    with cast("BinaryIO", open(path, "rb", buffering=0)) as source:
        return store.stage_file(source, digests.XXH3)


def put(store: FolderBlobStore, content: bytes) -> tuple[Place, bytes]:
    staged, name = store.stage_pack([content]), pack_name(PROJECT)
    store.publish(staged, name)
    store.discard(staged)
    return Place(name, 0, len(content)), digest_of(content)


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Opening


def test_opening_an_empty_or_absent_folder_makes_a_store_that_keeps_its_identity(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for folder in (tmp_path / "empty", tmp_path / "deep" / "down"):
        made = FolderBlobStore.open(folder)
        assert FolderBlobStore.open(folder, create=False).identity == made.identity
        assert len(made.identity) == 32


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_opening_without_making_says_that_there_is_none_and_makes_nothing(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    with pytest.raises(StoreUnavailable, match=r"no blob store in .*/absent"):
        FolderBlobStore.open(tmp_path / "absent", **options)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_with_other_content_is_left_alone(tmp_path: Path, create: bool) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "notes.txt").write_text("mine")
    before = everything_in(tmp_path)

    with pytest.raises(StoreNotOurs, match=r"holds 'staging'.*left alone"):
        FolderBlobStore.open(tmp_path, create=create)
    assert everything_in(tmp_path) == before


def test_a_path_to_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(StoreNotOurs, match="not a folder"):
        FolderBlobStore.open(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "marker",
    ["", "{", "null", "[]", "7", "{}", '{"kind": "another", "format": 1, "identity": "x"}', "[" * 4000]
    + [json.dumps({"kind": "headwater blob store", "format": f, "identity": "x"}) for f in (0, -1, "1", None)]
    + [json.dumps({"kind": "headwater blob store", "format": FORMAT, "identity": 7})],
)
def test_a_marker_that_is_not_ours_is_left_alone(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER).write_text(marker)

    with pytest.raises(StoreNotOurs, match=MARKER):
        FolderBlobStore.open(tmp_path)
    assert everything_in(tmp_path) == {MARKER: marker.encode()}


def test_a_newer_format_is_refused_with_what_to_do(store: FolderBlobStore) -> None:
    marker = Path(store.folder, MARKER)
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": FORMAT + 1}))

    with pytest.raises(FormatTooNew, match=rf"format {FORMAT + 1}.*up to {FORMAT}.*Upgrade"):
        FolderBlobStore.open(Path(store.folder))


def test_a_store_whose_maker_was_killed_after_the_marker_is_completed(store: FolderBlobStore) -> None:
    for name in ("staging", "objects"):
        Path(store.folder, name).rmdir()

    again = FolderBlobStore.open(Path(store.folder))

    assert again.read(*put(again, b"content")) == b"content"


def test_what_a_killed_maker_left_before_the_marker_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".{MARKER}-{'0' * 32}").write_text("{")

    FolderBlobStore.open(tmp_path)


def _open_and_tell(folder: str, results: Connection) -> None:
    results.send(FolderBlobStore.open(Path(folder)).identity)


def test_processes_that_make_one_store_at_once_agree_whose_it_is(tmp_path: Path) -> None:
    pipes = [_spawn.Pipe(duplex=False) for _ in range(8)]
    makers = [_spawn.Process(target=_open_and_tell, args=(str(tmp_path / "blobs"), send)) for _, send in pipes]
    for maker in makers:
        maker.start()
    for _, send in pipes:
        send.close()

    assert all(receive.poll(WAIT_S) for receive, _ in pipes), "no answer in time"
    identities = {receive.recv() for receive, _ in pipes}
    for maker in makers:
        maker.join(WAIT_S)

    assert len(identities) == 1
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == {MARKER, "staging", "objects"}


# Layout


def test_objects_are_spread_over_folders_of_two_digits(store: FolderBlobStore) -> None:
    staged = store.stage_pack([b"content"])
    pack, file = f"packs/{PROJECT}/{'ab' * 16}", file_name(PROJECT, b"\x01" + b"\xcd" * 16)
    for name in (pack, file):
        store.publish(staged, name)

    folder = Path(store.folder, "objects")
    assert (folder / "packs" / PROJECT / "ab" / ("ab" * 16)).read_bytes() == b"content"
    assert (folder / "files" / PROJECT / "xxh3-cd" / f"xxh3-{'cd' * 16}-0").read_bytes() == b"content"


def test_publishing_takes_no_second_copy(store: FolderBlobStore) -> None:
    staged, name = store.stage_pack([b"content"]), pack_name(PROJECT)

    store.publish(staged, name)

    (found,) = Path(store.folder, "objects").rglob("?" * 32)
    assert found.samefile(Path(store.folder, "staging", staged.location))


def recorded_syncs(monkeypatch: pytest.MonkeyPatch, root: str) -> list[tuple[str, str]]:
    """Fills with what is put on the disk, and in which order: ("data" | "link" | "folder", path below `root`)."""
    seen: list[tuple[str, str]] = []
    data, folder, link = os.fdatasync, os.fsync, os.link

    def record(kind: str, sync: Callable[[int], None], descriptor: int) -> None:
        sync(descriptor)
        seen.append((kind, os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), root)))

    def record_link(source: str, target: str) -> None:
        link(source, target)
        seen.append(("link", os.path.relpath(target, root)))

    monkeypatch.setattr(os, "fdatasync", partial(record, "data", data))
    monkeypatch.setattr(os, "fsync", partial(record, "folder", folder))
    monkeypatch.setattr(os, "link", record_link)
    return seen


@pytest.mark.parametrize("kind", ["pack", "file"])
def test_bytes_are_on_the_disk_before_their_name_and_then_every_folder_that_changed(
    store: FolderBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    seen = recorded_syncs(monkeypatch, store.folder)
    staged = store.stage_pack([b"content"]) if kind == "pack" else stage(store, tmp_path / "source", b"content")
    shelf = f"objects/packs/{PROJECT}/ab"

    store.publish(staged, f"packs/{PROJECT}/{'ab' * 16}")

    assert seen[:2] == [("data", f"staging/{staged.location}"), ("link", f"{shelf}/{'ab' * 16}")]
    chain = [shelf, f"objects/packs/{PROJECT}", "objects/packs/vision", "objects/packs", "objects", "."]
    assert seen[2:] == [("folder", path) for path in chain]


def test_a_folder_that_is_known_to_last_is_synced_alone(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(store.stage_pack([b"content"]), f"packs/{PROJECT}/ab{'0' * 30}")
    staged = store.stage_pack([b"content"])
    seen = recorded_syncs(monkeypatch, store.folder)

    store.publish(staged, f"packs/{PROJECT}/ab{'1' * 30}")

    assert [one for one in seen if one[0] == "folder"] == [("folder", f"objects/packs/{PROJECT}/ab")]


def test_an_object_that_another_writer_linked_is_put_on_the_disk_by_this_one_too(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"packs/{PROJECT}/{'ab' * 16}"
    store.publish(store.stage_pack([b"content"]), name)
    other = FolderBlobStore.open(Path(store.folder))
    staged = other.stage_pack([b"content"])
    seen = recorded_syncs(monkeypatch, store.folder)

    other.publish(staged, name)

    assert ("folder", f"objects/packs/{PROJECT}/ab") in seen
    assert ("folder", ".") in seen


def test_files_that_somebody_put_there_are_not_listed(store: FolderBlobStore) -> None:
    where, _ = put(store, b"content")
    shelf = next(Path(store.folder, "objects", "packs", PROJECT).iterdir())
    for path in (shelf / "notes.txt", shelf.parent / "notes.txt", Path(store.folder, "objects", "notes.txt")):
        path.write_text("mine")

    assert [found.name for found in store.list_objects()] == [where.object_name]


def test_the_name_of_what_is_staged_tells_its_writer(store: FolderBlobStore) -> None:
    staged = store.stage_pack([b"content"])

    process_id, start, _, _ = check_staged_name(staged.location).split("-")
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert (process_id, start) == (str(os.getpid()), started)


def test_a_folder_removed_behind_the_stores_back_is_made_again(store: FolderBlobStore) -> None:
    where, digest = put(store, b"content")
    staged = store.stage_pack([b"content"])
    Path(store.folder, "objects").rename(Path(store.folder, "elsewhere"))

    store.publish(staged, where.object_name)

    assert FolderBlobStore.open(Path(store.folder)).read(where, digest) == b"content"


def test_a_store_that_went_away_is_unavailable_and_not_missing_a_blob(store: FolderBlobStore, tmp_path: Path) -> None:
    where, digest = put(store, b"content")
    (tmp_path / "blobs").rename(tmp_path / "unplugged")

    with pytest.raises(StoreUnavailable, match="mounted"):
        store.read(where, digest)
    with pytest.raises(StoreUnavailable, match="blobs"):
        store.stage_pack([b"content"])


def test_reading_many_objects_keeps_few_files_open(store: FolderBlobStore) -> None:
    found = [put(store, i.to_bytes(4, "big")) for i in range(3 * OPEN_OBJECTS_MAX)]
    gc.collect()  # other tests' files are not this store's
    before = len(os.listdir("/proc/self/fd"))

    for one in found:
        store.read(*one)

    assert len(os.listdir("/proc/self/fd")) <= before + OPEN_OBJECTS_MAX
    store.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_store_that_nobody_holds_lets_go_of_its_files(tmp_path: Path) -> None:
    store = FolderBlobStore.open(tmp_path / "blobs")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    store.read(*put(store, b"content"))
    assert len(os.listdir("/proc/self/fd")) == before + 1

    del store

    assert len(os.listdir("/proc/self/fd")) == before


# File systems that can less, or more


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), source, None, target)

    monkeypatch.setattr(os, "link", refuse)


def test_without_links_the_store_keeps_its_promises_by_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    store = FolderBlobStore.open(tmp_path / "blobs")
    staged, names = store.stage_pack([b"content"]), sorted(pack_name(PROJECT) for _ in range(2))

    for name in (*names, names[0]):
        store.publish(staged, name)
    store.discard(staged)

    assert [found.name for found in store.list_objects()] == names
    assert [store.read(Place(name, 0, 7), digest_of(b"content")) for name in names] == [b"content", b"content"]
    assert list(store.abandoned()) == []


def test_without_links_an_object_of_another_size_is_still_an_error(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, digest = put(store, b"content")
    without_links(monkeypatch)

    with pytest.raises(BlobCorrupt, match=where.object_name):
        store.publish(store.stage_pack([b"longer content"]), where.object_name)
    assert store.read(where, digest) == b"content"


def test_where_the_file_system_can_share_blocks_the_clone_is_what_is_hashed(
    store: FolderBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = random.Random(2).randbytes(2 * CHUNK_BYTES + 1)
    monkeypatch.setattr(fcntl, "ioctl", lambda target, *_: os.pwrite(target, clone, 0))

    staged = stage(store, tmp_path / "source", b"changed after it was cloned")

    assert (staged.size, staged.digest) == (len(clone), digest_of(clone))


def test_short_writes_are_continued(store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda target, buffers: whole(target, [b"".join(buffers)[:5]]))
    content = random.Random(4).randbytes(CHUNK_BYTES + 3)

    staged = stage(store, tmp_path / "source", content)
    pack = store.stage_pack([b"some", b"more", b"content"])

    assert Path(store.folder, "staging", staged.location).read_bytes() == content
    assert Path(store.folder, "staging", pack.location).read_bytes() == b"somemorecontent"


# Disks that are full or cannot be written


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
            store.stage_pack([bytes(1024)] * 5120)
        assert list(store.abandoned()) == []
        assert list(store.list_objects()) == []


def test_a_full_disk_leaves_what_was_there_readable_and_takes_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nearly_full(tmp_path, monkeypatch) as store:
        before = put(store, b"before")
        with pytest.raises(StoreUnavailable):
            store.stage_pack([bytes(5 * 1024 * 1024)])

        assert store.read(*before) == b"before"
        if can_mount():  # a refused write took no room
            assert store.read(*put(store, b"after")) == b"after"


def test_a_disk_that_fills_when_publishing_shows_no_object_and_keeps_what_is_staged(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, name = store.stage_pack([b"content"]), pack_name(PROJECT)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "link", refuse)
        with pytest.raises(StoreUnavailable, match="is full"):
            store.publish(staged, name)
    assert list(store.list_objects()) == []
    store.publish(staged, name)
    assert store.have([name]) == {name}


def test_a_full_disk_at_the_last_sync_keeps_nothing(
    store: FolderBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fdatasync", refuse)

    with pytest.raises(StoreUnavailable, match="is full: 7 bytes"):
        stage(store, tmp_path / "source", b"content")
    with pytest.raises(StoreUnavailable, match="is full: 7 bytes"):
        store.stage_pack([b"content"])
    assert list(store.abandoned()) == []


def write_attempts(store: FolderBlobStore, where: Place, source: Path) -> Iterator[HeadwaterError]:
    staged = Staged(f"1-2-{'0' * 16}-{'0' * 32}", 7, None)
    for attempt in (
        lambda: store.stage_pack([b"content"]),
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
            reader.stage_pack([b"content"])
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
