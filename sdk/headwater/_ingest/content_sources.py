"""Where the content of an artifact came from: what a collection took away is stored again from there.

Folders are remembered rather than files. What is found there counts only if it has the digest that was recorded, so
nothing is said of files that changed or went away.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, BinaryIO

from headwater_blobs.local_sources import read_at
from headwater_blobs.port import CHUNK_BYTES

FOLDERS_MAX = 8  # of one prefix that single files came from; those of further folders are remembered one by one
HELD_BYTES_MAX = 4 * 1024 * 1024  # of what was written for one artifact, in memory; the rest is in a temporary file


class ContentSources:
    """The sources of one artifact's content, until it is a version."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, None]] = {}  # start of paths → what locations start with instead
        self._files: dict[str, str] = {}  # path → location
        self.written = WrittenContent()

    def note_folder(self, root: str, prefix: str) -> None:
        """What is below `root` is in the artifact below `prefix`: "" or "images/"."""
        self._folders.setdefault(prefix, {})[os.path.join(root, "")] = None

    def note_file(self, path: str, location: str) -> None:
        """One file, which often is one of many of its folder."""
        name = path.rpartition("/")[2]
        if location.endswith(f"/{name}"):
            folders, folder = self._folders.setdefault(path.removesuffix(name), {}), location.removesuffix(name)
            if folder in folders or len(folders) < FOLDERS_MAX:
                folders[folder] = None
                return
        self._files[path] = location

    def locations(self, path: str) -> Iterator[str]:
        """Local files that a path may have come from, the likeliest first."""
        if path in self._files:
            yield self._files[path]
        end = len(path)
        while end:
            end = path.rfind("/", 0, end)
            prefix = path[: end + 1]
            for folder in reversed(self._folders.get(prefix, {})):
                yield folder + path[len(prefix) :]
            end = max(end, 0)

    def close(self) -> None:
        """It is a version, or never will be: nothing is read again."""
        self.written.close()
        self._folders.clear()
        self._files.clear()


class WrittenContent:
    """Content that was written for an artifact and is nowhere else, by path."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        self._spooled: dict[str, tuple[BinaryIO, int, int]] = {}  # file, offset and size
        self._spool: BinaryIO | None = None
        self._spool_size = 0
        self._pid = os.getpid()

    def keep(self, path: str, content: IO[bytes], size: int) -> None:
        """Keep all of `content`. A disk that is full keeps nothing: the store most likely never asks for it."""
        content.seek(0)
        if size <= HELD_BYTES_MAX - self._held_bytes:
            self._held_bytes += size - len(self._held.get(path, b""))
            self._held[path] = content.read()
            return
        with suppress(OSError):
            self._spooled[path] = self._spooled_copy(content)
            self._held_bytes -= len(self._held.pop(path, b""))

    def pieces(self, path: str) -> Iterator[bytes]:
        """What was written there, if anything was."""
        if path in self._held:
            yield self._held[path]
        elif path in self._spooled:
            file, start, size = self._spooled[path]
            for at in range(0, size, CHUNK_BYTES):
                yield read_at(file.fileno(), start + at, min(CHUNK_BYTES, size - at))

    def close(self) -> None:
        """Keep nothing."""
        self._held.clear()
        self._spooled.clear()  # each file is closed with its last reader
        self._spool, self._held_bytes = None, 0

    def _spooled_copy(self, content: IO[bytes]) -> tuple[BinaryIO, int, int]:
        if self._spool is None or self._pid != os.getpid():  # a child of a fork would overwrite what its parent keeps
            self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with its last reader
            self._spool_size, self._pid = 0, os.getpid()
        start = end = self._spool_size
        while piece := content.read(CHUNK_BYTES):
            left = memoryview(piece)
            while left:
                written = os.pwrite(self._spool.fileno(), left, end)
                left, end = left[written:], end + written
        self._spool_size = end
        return self._spool, start, end - start
