"""Disks that are small or cannot be written, real ones where this process may mount."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def can_mount() -> bool:
    """Whether this process may mount: root, and not in a container that forbids it."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode != 0:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


@contextmanager
def small_disk(size_bytes: int) -> Iterator[Path]:
    """An empty file system of `size_bytes`. Only where `can_mount()`; elsewhere a test needs a stand-in of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            _unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A path under which `folder` can be read but not written.

    Where `can_mount()` that is another path and `folder` itself stays writable; elsewhere it is `folder`, without its
    write permissions.
    """
    if can_mount():
        with tempfile.TemporaryDirectory() as view:
            subprocess.run(["mount", "--bind", folder, view], check=True)
            try:
                subprocess.run(["mount", "-o", "remount,ro,bind", view], check=True)
                yield Path(view)
            finally:
                _unmount(view)
        return
    _change_modes(folder, lambda mode: mode & ~0o222)
    try:
        yield folder
    finally:
        _change_modes(folder, lambda mode: mode | 0o200)


@contextmanager
def written_by_others(folder: Path, view: Path) -> Iterator[None]:
    """Within `read_only(folder)`, which gave `view`: a while in which other processes may write to `folder`."""
    if view != folder:
        yield
        return
    _change_modes(folder, lambda mode: mode | 0o200)
    yield
    _change_modes(folder, lambda mode: mode & ~0o222)


@contextmanager
def filled(folder: Path, *, leave_bytes: int = 0) -> Iterator[None]:
    """A small disk without room but for `leave_bytes`; the room is back afterwards."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    try:
        filler.write_bytes(b"\0" * max(0, room.f_bavail * room.f_frsize - leave_bytes))
        yield
    finally:
        filler.unlink()


def _change_modes(folder: Path, change: Callable[[int], int]) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(change(path.stat().st_mode))


def _unmount(folder: str) -> None:
    """Also where something is still open in it: then it goes away when that is closed."""
    if subprocess.run(["umount", folder], capture_output=True).returncode != 0:
        subprocess.run(["umount", "--lazy", folder], check=True)
