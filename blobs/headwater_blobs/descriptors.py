"""Work on open file descriptors: write all, read in pieces, share or reserve blocks where the file system can."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from headwater_runtime.files import DISK_FULL

from headwater_blobs.port import CHUNK_BYTES

_FICLONE = 0x40049409  # linux/fs.h
_WRITEV_BUFFERS_MAX = os.sysconf("SC_IOV_MAX") if hasattr(os, "sysconf") else 16


WRITEBACK_BYTES = 8 * 1024 * 1024  # the disk writes these while the next are read, so that the last sync is short


def write_all(target: int, buffers: Sequence[bytes | memoryview]) -> None:
    """Write `buffers`, one after the other. Raises: OSError."""
    for start in range(0, len(buffers), _WRITEV_BUFFERS_MAX):
        portion = buffers[start : start + _WRITEV_BUFFERS_MAX]
        written, size = os.writev(target, portion), sum(map(len, portion))
        if written < size:
            # Rare (a signal, a disk about to be full), so the copy does not matter. The next write raises the error.
            rest = memoryview(b"".join(portion))[written:]
            while rest:
                rest = rest[os.write(target, rest) :]


def reflink(origin: int, target: int) -> bool:
    """Share the blocks of `origin` with `target`, where both are on one file system that can."""
    with suppress(ImportError, OSError):  # whatever the reason, the caller then copies, which works or raises
        import fcntl  # not on every system

        fcntl.ioctl(target, _FICLONE, origin)
        return True
    return False


def pieces_of(descriptor: int, offset: int, size: int) -> Iterator[memoryview]:
    """`size` bytes from `offset`, fewer at the end of the file. Every piece is in the same buffer."""
    buffer = memoryview(bytearray(min(size, CHUNK_BYTES)))
    end = offset + size
    while offset < end and (got := os.preadv(descriptor, [buffer[: end - offset]], offset)):
        yield buffer[:got]
        offset += got


def reserve(target: int, size: int) -> None:
    """Reserve the blocks at once: a full disk fails before the first byte, and large files are written faster.

    Raises: OSError for a full disk.
    """
    if not size or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(target, 0, size)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        # Any other error means that the file system cannot reserve blocks; writing needs no reservation.
