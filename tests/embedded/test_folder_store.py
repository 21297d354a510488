"""What only the folder adapter does: its layout, and what it makes of its file system."""

import errno
import fcntl
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from headwater_blobs.folder import OPEN_OBJECTS_MAX, FolderBlobStore
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, StoreUnavailable
from headwater_schemas.object_names import file_name, pack_name

from tests.embedded.folder_stores import PROJECT, digest_of, put, stage
from tests.embedded.folder_stores import store as store
from tests.support.descriptors import open_under

# Layout


def test_objects_are_spread_over_folders_of_two_digits(store: FolderBlobStore) -> None:
    staged = store.stage_pack([b"content"], project=PROJECT)
    pack, file = f"packs/{PROJECT}/{'ab' * 16}", file_name(PROJECT, b"\x01" + b"\xcd" * 16)
    for name in (pack, file):
        store.publish(staged, name)

    folder = Path(store.folder, "objects")
    assert (folder / "packs" / PROJECT / "ab" / ("ab" * 16)).read_bytes() == b"content"
    assert (folder / "files" / PROJECT / "xxh3-cd" / f"xxh3-{'cd' * 16}-0").read_bytes() == b"content"


def test_publishing_takes_no_second_copy(store: FolderBlobStore) -> None:
    staged, name = store.stage_pack([b"content"], project=PROJECT), pack_name(PROJECT)

    store.publish(staged, name)

    (found,) = Path(store.folder, "objects").rglob("?" * 32)
    assert found.samefile(Path(store.folder, "staging", staged.handle))


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
    staged = (
        store.stage_pack([b"content"], project=PROJECT)
        if kind == "pack"
        else stage(store, tmp_path / "source", b"content")
    )
    shelf = f"objects/packs/{PROJECT}/ab"

    store.publish(staged, f"packs/{PROJECT}/{'ab' * 16}")

    assert seen[:2] == [("data", f"staging/{staged.handle}"), ("link", f"{shelf}/{'ab' * 16}")]
    chain = [shelf, f"objects/packs/{PROJECT}", "objects/packs/vision", "objects/packs", "objects", "."]
    assert seen[2:] == [("folder", path) for path in chain]


def test_a_folder_that_is_known_to_last_is_synced_alone(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(store.stage_pack([b"content"], project=PROJECT), f"packs/{PROJECT}/ab{'0' * 30}")
    staged = store.stage_pack([b"content"], project=PROJECT)
    seen = recorded_syncs(monkeypatch, store.folder)

    store.publish(staged, f"packs/{PROJECT}/ab{'1' * 30}")

    assert [one for one in seen if one[0] == "folder"] == [("folder", f"objects/packs/{PROJECT}/ab")]


def test_an_object_that_another_writer_linked_is_put_on_the_disk_by_this_one_too(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"packs/{PROJECT}/{'ab' * 16}"
    store.publish(store.stage_pack([b"content"], project=PROJECT), name)
    other = FolderBlobStore.open(Path(store.folder))
    staged = other.stage_pack([b"content"], project=PROJECT)
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


def test_a_folder_removed_behind_the_stores_back_is_made_again(store: FolderBlobStore) -> None:
    where, digest = put(store, b"content")
    staged = store.stage_pack([b"content"], project=PROJECT)
    Path(store.folder, "objects").rename(Path(store.folder, "elsewhere"))

    store.publish(staged, where.object_name)

    assert FolderBlobStore.open(Path(store.folder)).read(where, digest) == b"content"


def test_a_store_that_went_away_is_unavailable_and_not_missing_a_blob(store: FolderBlobStore, tmp_path: Path) -> None:
    where, digest = put(store, b"content")
    (tmp_path / "blobs").rename(tmp_path / "unplugged")

    with pytest.raises(StoreUnavailable, match="mounted"):
        store.read(where, digest)
    with pytest.raises(StoreUnavailable, match="blobs"):
        store.stage_pack([b"content"], project=PROJECT)


def test_reading_many_objects_keeps_few_files_open(store: FolderBlobStore) -> None:
    found = [put(store, i.to_bytes(4, "big")) for i in range(3 * OPEN_OBJECTS_MAX)]
    before = len(open_under(folder := Path(store.folder)))

    for one in found:
        store.read(*one)

    assert len(open_under(folder)) <= before + OPEN_OBJECTS_MAX
    store.close()
    assert len(open_under(folder)) <= before


def test_a_store_that_nobody_holds_lets_go_of_its_files(tmp_path: Path) -> None:
    store = FolderBlobStore.open(tmp_path / "blobs")
    before = len(open_under(tmp_path))
    store.read(*put(store, b"content"))
    assert len(open_under(tmp_path)) == before + 2, "the object, and the lock of a writer"

    del store

    assert len(open_under(tmp_path)) == before


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
    staged, names = store.stage_pack([b"content"], project=PROJECT), sorted(pack_name(PROJECT) for _ in range(2))

    for name in (*names, names[0]):
        store.publish(staged, name)
    store.discard(staged)

    assert [found.name for found in store.list_objects()] == names
    assert [store.read(BlobLocation(name, 0, 7), digest_of(b"content")) for name in names] == [b"content", b"content"]
    assert list(store.abandoned()) == []


def test_without_links_an_object_of_another_size_is_still_an_error(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, digest = put(store, b"content")
    without_links(monkeypatch)

    with pytest.raises(BlobCorrupt, match=where.object_name):
        store.publish(store.stage_pack([b"longer content"], project=PROJECT), where.object_name)
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
    pack = store.stage_pack([b"some", b"more", b"content"], project=PROJECT)

    assert Path(store.folder, "staging", staged.handle).read_bytes() == content
    assert Path(store.folder, "staging", pack.handle).read_bytes() == b"somemorecontent"
