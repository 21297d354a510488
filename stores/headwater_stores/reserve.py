"""Room that a store in a folder keeps for itself, so that what frees room works where there is none left.

    STORE/reserve      a file of blocks that are allocated and never written; no content

Who frees room gets its blocks for a while; the file keeps its size, so that it is known what to allocate again. It is
locked by all who have them, and the last of these does that: after a crash, the next one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headwater_blobs.port import PACK_BYTES_MAX
from headwater_runtime.files import DISK_FULL
from headwater_runtime.lock_files import LockFile
from headwater_runtime.shared_files import FILE_MODE, follow_folder

from headwater_stores.config.store_folder import MARKER

RESERVE = "reserve"
DATABASES_BYTES = 16 * 1024 * 1024  # what a collection writes to the log and to the projection until bytes are freed
RESERVE_BYTES = PACK_BYTES_MAX + DATABASES_BYTES  # a pack is written anew before the old one is deleted
FREE_SHARE_MAX = 1 / 8  # of what is free, where that is little
RESERVE_BYTES_MIN = 256 * 1024  # less would not help

_BLOCK_BYTES = 512  # stat(2), "st_blocks"


def make_reserve(folder: Path) -> None:
    """Allocate the reserve of a store, or what it lacks of it, where there is room. Others may do so at once."""
    with _opened(folder) as reserve:
        if reserve is not None:
            _fill(reserve)


@contextmanager
def reserve_released(folder: Path) -> Iterator[None]:
    """Free the reserve of the store in `folder` for a block that frees room. Does nothing where there is no store.

    Others that write meanwhile can take it, too.
    """
    with _opened(folder) as reserve:
        if reserve is None:
            yield
            return
        with suppress(OSError):
            reserve.lock.share()
            _free(reserve, os.fstat(reserve.descriptor).st_size)
        try:
            yield
        finally:
            _fill(reserve)


class _Reserve:
    """The open file."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        self.lock = LockFile(str(path), self.descriptor)  # which closes it


@contextmanager
def _opened(folder: Path) -> Iterator[_Reserve | None]:
    """None where there is no store, it may not be written, or the system cannot allocate."""
    reserve = None
    if hasattr(os, "posix_fallocate") and (folder / MARKER).exists():
        with suppress(OSError):
            reserve = _Reserve(folder / RESERVE)
            follow_folder(reserve.descriptor, folder)
    try:
        yield reserve
    finally:
        if reserve is not None:
            reserve.lock.close()


def _fill(reserve: _Reserve) -> None:
    """Allocate it, unless others have its room: as much as it had, or its share of what is free."""
    if not reserve.lock.lock(wait=False):
        return
    with suppress(OSError):
        found, room = os.fstat(reserve.descriptor), os.fstatvfs(reserve.descriptor)
        have = found.st_blocks * _BLOCK_BYTES
        free = room.f_bavail * room.f_frsize + have
        target = min(RESERVE_BYTES, max(found.st_size, int(free * FREE_SHARE_MAX)))
        wanted = min(target, free)
        while wanted > have and wanted >= RESERVE_BYTES_MIN and not _allocated(reserve, wanted, target):
            wanted //= 2  # others write, too, or the file system needs some for itself


def _allocated(reserve: _Reserve, wanted: int, target: int) -> bool:
    try:
        os.posix_fallocate(reserve.descriptor, 0, wanted)
        os.ftruncate(reserve.descriptor, target)
    except OSError as error:
        _free(reserve, target)
        if error.errno not in DISK_FULL:
            raise
        return False
    return True


def _free(reserve: _Reserve, size: int) -> None:
    """Free its blocks, and leave its size as it is to be."""
    os.ftruncate(reserve.descriptor, 0)
    os.ftruncate(reserve.descriptor, size)
