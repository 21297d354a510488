"""Local files that are read whole, which another process may be writing meanwhile.

What is kept is what the file held at one moment: its size and times are the same before and after it was read. A write
moves them when it begins and not when it ends, so one that is in progress already is waited for. A change through a
memory map may not move them, nor does the second write within one tick of the clock where the system counts in ticks
(4 ms, Linux before 6.13).
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeVar

from headwater_schemas import digests
from headwater_schemas.errors import InvalidFile

from headwater_blobs.port import CHUNK_BYTES, HASHING, Watch, unwatched

READINGS_MAX = 5  # of a file that keeps changing
WRITE_NS_MAX = 60_000_000_000  # longer than one call takes to write its 2 GiB at most; an older file is at rest

T = TypeVar("T")
FileState = tuple[int, int, int]  # size in bytes, mtime and ctime in nanoseconds


class SourceChanged(Exception):
    """A file changed while it was read. `read_unchanged` reads it again, so that this reaches no caller."""


def read_unchanged(source: BinaryIO, read: Callable[[], T]) -> T:
    """What `read` makes of `source`; called again when it raises SourceChanged.

    Raises: InvalidFile naming the file when it changes each time.
    """
    for _ in range(READINGS_MAX):
        with suppress(SourceChanged):
            return read()
    name = getattr(source, "name", None)
    shown = repr(os.fsdecode(name)) if isinstance(name, str | bytes) else "a file"
    raise InvalidFile(
        f"{shown} changed each of {READINGS_MAX} times while it was read; nothing of it was kept. "
        "Add it again when no process is writing it."
    )


def state_of(descriptor: int) -> FileState:
    """What shows whether a file changed, as far as its file system tells."""
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def state_at_rest(descriptor: int) -> FileState:
    """As `state_of`, once no write that began before is in progress."""
    state = state_of(descriptor)
    if max(state[1:]) > time.time_ns() - WRITE_NS_MAX:
        _wait_for_write(descriptor)
    return state


def _wait_for_write(descriptor: int) -> None:
    """Return when the write that is in progress, if there is one, has ended.

    It holds the file's lock, which reading does not ask for on ext4 and tmpfs, and seeking to data does. Other systems
    have reading wait itself (XFS), or cannot tell.
    """
    if not hasattr(os, "SEEK_DATA"):
        return
    at = os.lseek(descriptor, 0, os.SEEK_CUR)
    with suppress(OSError):  # no data there, or a file system that does not know
        os.lseek(descriptor, 0, os.SEEK_DATA)
    os.lseek(descriptor, at, os.SEEK_SET)


@contextmanager
def unchanged(descriptor: int) -> Iterator[None]:
    """Raises: SourceChanged after the block when the file changed since before it."""
    before = state_at_rest(descriptor)
    yield
    if state_of(descriptor) != before:
        raise SourceChanged


def head_of(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a file, fewer where it is shorter. Raises: SourceChanged."""
    with unchanged(descriptor):
        return read_at(descriptor, 0, size)


def digest_of(descriptor: int, algorithm: str, watch: Watch = unwatched) -> tuple[bytes, int]:
    """Digest (stored form) and size of a file. Raises: SourceChanged."""
    hasher, size = digests.new_hasher(algorithm), 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with unchanged(descriptor):
        while got := os.preadv(descriptor, [buffer], size):
            hasher.update(buffer[:got])
            size += got
            watch(HASHING, got)
    return digests.pack(algorithm, hasher.digest()), size


def read_at(descriptor: int, offset: int, size: int) -> bytes:
    """`size` bytes from `offset`, fewer where the file ends before."""
    data = os.pread(descriptor, size, offset)
    while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
        data += more
    return data
