"""Files that are there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from headwater_runtime.files import is_temporary, make_folders, move_into_place, sync_folder, write_atomically


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, "file" or "folder", and each rename between."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_sync(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def record_replace(*paths: Path) -> None:
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    return done


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "pointer"
    write_atomically(file, b"first")
    write_atomically(file, b"second")

    assert file.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["pointer"]


def test_content_is_synced_before_the_rename_and_the_folder_after_it(tmp_path: Path, synced: list[str]) -> None:
    write_atomically(tmp_path / "pointer", b"content")

    assert synced == ["file", "rename", "folder"]


def test_a_moved_file_keeps_its_new_name(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "new").write_bytes(b"content")

    move_into_place(tmp_path / "new", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == b"content"
    assert synced == ["rename", "folder"]


def test_without_overwriting_the_first_writer_wins(tmp_path: Path) -> None:
    file = tmp_path / "marker"
    write_atomically(file, b"first", overwrite=False)
    write_atomically(file, b"second", overwrite=False)

    assert file.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["marker"]


def test_without_overwriting_the_first_writer_wins_also_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "marker"
    write_atomically(file, b"first", overwrite=False)
    write_atomically(file, b"second", overwrite=False)

    assert file.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["marker"]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pointer"
    write_atomically(file, b"first")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken disk"):
        write_atomically(file, b"second")

    assert file.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["pointer"]


def test_what_a_killed_writer_leaves_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "unlink", lambda _: None)
    monkeypatch.setattr(os, "replace", lambda *_: None)
    write_atomically(tmp_path / "pointer", b"content")

    (left,) = os.listdir(tmp_path)
    assert is_temporary(left, "pointer")
    assert is_temporary(left)
    assert not is_temporary(left, "other")
    assert not is_temporary("pointer", "pointer")
    assert not is_temporary("pointer")


def test_folders_are_made_with_their_parents_synced(tmp_path: Path, synced: list[str]) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    assert synced == ["folder", "folder"]


def test_a_file_system_that_cannot_sync_folders_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EINVAL, "not for folders")

    monkeypatch.setattr(os, "fsync", refuse)

    sync_folder(tmp_path)


def test_a_disk_that_keeps_no_owners_or_modes_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "this owner is not known here")

    tmp_path.chmod(0o2775)
    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    make_folders(tmp_path / "a")
    write_atomically(tmp_path / "a" / "file", b"content")

    assert (tmp_path / "a" / "file").read_bytes() == b"content"
