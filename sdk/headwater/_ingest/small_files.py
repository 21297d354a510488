"""Read the small files of a scan, in batches that are hashed and staged together.

Files are opened relative to their folder, which is opened once: that spares the kernel resolving the path of each.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headwater_blobs.local_sources import head_of, read_unchanged, state_at_rest, state_of
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_schemas.errors import InvalidFile

from headwater._ingest.folder_walk import CTIME_NS, MTIME_NS, NUMBERS_PER_FILE, SIZE, ScannedFolder
from headwater._ingest.scan import Scan

BYTES_PER_BATCH = 4 * 1024 * 1024
FILES_PER_BATCH = 512
PAGE_BYTES = 4096  # a file that is not longer is copied in one piece, so it cannot be torn
GROWN_FILE_BYTES_MAX = 2 * PACKED_FILE_BYTES_MAX  # of a file that was small when it was scanned

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_BY_DESCRIPTOR = os.open in os.supports_dir_fd

Batch = tuple[list[int], list[bytes]]  # rows of the scan, and what is in their files


def read_small_files(scanned: Scan, rows: Sequence[int]) -> Iterator[Batch]:
    """What is in the files of these rows, which ascend. Raises: InvalidFile naming a file that cannot be read."""
    of_batch: list[int] = []
    contents: list[bytes] = []
    size = 0
    for row, content in _contents(scanned, rows):
        of_batch.append(row)
        contents.append(content)
        size += len(content)
        if size > BYTES_PER_BATCH or len(contents) == FILES_PER_BATCH:
            yield of_batch, contents
            of_batch, contents, size = [], [], 0
    if contents:
        yield of_batch, contents


def unreadable_file(location: str, error: OSError) -> InvalidFile:
    """The error for a local file that cannot be read."""
    return InvalidFile(
        f"{location!r} cannot be read: {error.strerror or error}. It was not added; check the file and its disk."
    )


def _contents(scanned: Scan, rows: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    for folder, start, of_folder in scanned.by_folder(rows):
        location = os.path.join(scanned.root, folder.path)
        with _opened(location, folder.names[of_folder[0] - start]) as descriptor:
            for row in of_folder:
                yield row, _read(folder, row - start, location, descriptor)


@contextmanager
def _opened(folder: str, first: str) -> Iterator[int | None]:
    """A folder's descriptor, where files can be opened relative to one. An error names the `first` file in it."""
    if not _BY_DESCRIPTOR:
        yield None
        return
    try:
        descriptor = os.open(folder, _OPEN_FOLDER)
    except OSError as error:
        raise unreadable_file(os.path.join(folder, first), error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: ScannedFolder, at: int, location: str, descriptor: int | None) -> bytes:
    """The content of a folder's file, whole, as it was at one moment."""
    name, numbers, first = folder.names[at], folder.stats, at * NUMBERS_PER_FILE
    size = numbers[first + SIZE]
    path = name if descriptor is not None else os.path.join(location, name)
    try:
        opened = os.open(path, _OPEN, dir_fd=descriptor)
        try:
            if size > PAGE_BYTES:
                state_at_rest(opened)  # waits for a write that is in progress
            content = os.read(opened, size + 1)
            if len(content) == size:
                scanned = (size, numbers[first + MTIME_NS], numbers[first + CTIME_NS])
                if size <= PAGE_BYTES or state_of(opened) == scanned:
                    return content
        finally:
            os.close(opened)
        return _read_changed(os.path.join(location, name))
    except OSError as error:
        raise unreadable_file(os.path.join(location, name), error) from error


def _read_changed(location: str) -> bytes:
    """The content of a small file that changed since the scan."""
    with open(location, "rb", buffering=0) as source:
        content = read_unchanged(source, lambda: head_of(source.fileno(), GROWN_FILE_BYTES_MAX + 1))
    if len(content) > GROWN_FILE_BYTES_MAX:
        raise InvalidFile(f"{location!r} grows while it is read. Add it when its writer is done.")
    return content
