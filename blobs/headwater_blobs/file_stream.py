"""Staging what comes piece by piece in a file of a staging area."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from headwater_runtime.shared_files import follow_folder

from headwater_blobs.descriptors import WRITEBACK_BYTES, write_all
from headwater_blobs.port import Kept, KeptInUse, KeptLost, Staged
from headwater_blobs.staging_area import SetApart, StagingArea

Translated = Callable[[int], AbstractContextManager[None]]  # a block that needs so many bytes, with our errors

_READ_ONLY, _WRITABLE = 0o444, 0o644  # what is staged is not changed any more, unless it was left to go on with


class FileStream:
    """A `StagedStream` in a file."""

    def __init__(self, area: StagingArea, name: str, target: int, translated: Translated) -> None:
        """`target`: the open descriptor of the file that `area` calls `name`."""
        self._area, self._name, self._translated = area, name, translated
        self._target: int | None = target
        self._apart: SetApart | None = None  # once some of it was kept
        self._size = self._flushed = 0

    @classmethod
    def begin(cls, area: StagingArea, size: int, translated: Translated) -> "FileStream":
        """A new one, for about `size` bytes. Raises: StoreUnavailable, StoreReadOnly."""
        with translated(size):
            name = area.new_name()
            path = area.path_of(name)
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _READ_ONLY)
            follow_folder(target, os.path.dirname(path))
        return cls(area, name, target, translated)

    @classmethod
    def continued(cls, area: StagingArea, kept: Kept, translated: Translated) -> "FileStream":
        """The one of which this was kept. Raises: as `BlobStore.continue_stream`."""
        with translated(0):
            try:
                apart = area.take_up(kept.handle)
            except FileNotFoundError:
                raise _lost(area, kept) from None
            if apart is None:
                raise KeptInUse(f"{area.path_of(kept.handle)} is in use: another process goes on with it. Try again.")
            target = _opened_at(area.path_of(kept.handle), kept.size)
            if target is None:
                area.let_go(apart)
                raise _lost(area, kept)
        stream = cls(area, kept.handle, target, translated)
        stream._apart, stream._size, stream._flushed = apart, kept.size, kept.size
        return stream

    def write(self, piece: bytes | memoryview) -> None:
        """See `StagedStream`."""
        assert self._target is not None
        with self._translated(self._size + len(piece)):
            write_all(self._target, [piece])
        self._size += len(piece)
        if self._size - self._flushed >= WRITEBACK_BYTES:
            with suppress(AttributeError, OSError):  # a hint that not every system has; the sync at the end counts
                os.posix_fadvise(self._target, self._flushed, self._size - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = self._size

    def finish(self) -> Staged:
        """See `StagedStream`."""
        assert self._target is not None
        with self._translated(self._size):
            os.fdatasync(self._target)
            if self._apart is not None:
                with suppress(PermissionError):  # the file of another user of a shared store
                    os.fchmod(self._target, _READ_ONLY)
                self._name, self._apart = self._area.take_back(self._apart), None
        self._close()
        return Staged(self._name, self._size, None)

    def keep(self) -> Kept | None:
        """See `StagedStream`."""
        assert self._target is not None
        if not self._size:
            return None
        with self._translated(self._size):
            os.fdatasync(self._target)
            if self._apart is None:
                self._apart = self._area.set_apart(self._name)
                if self._apart is None:
                    return None
                self._name = self._apart.name
                os.fchmod(self._target, _WRITABLE)
                follow_folder(self._target, os.path.dirname(self._area.path_of(self._name)))
        return Kept(self._name, self._size, 1, "")

    def leave(self) -> None:
        """See `StagedStream`."""
        if self._apart is None:
            self.abort()
        self._close()

    def abort(self) -> None:
        """See `StagedStream`."""
        if self._target is not None:
            with suppress(OSError):  # it is listed as abandoned
                os.unlink(self._area.path_of(self._name))
            self._close()

    def _close(self) -> None:
        if self._target is not None:
            os.close(self._target)
            self._target = None
        if self._apart is not None:
            apart, self._apart = self._apart, None
            self._area.let_go(apart)


def _opened_at(path: str, size: int) -> int | None:
    """A descriptor of the file, cut off after `size` bytes, to write from there; None where there are not so many."""
    try:
        target = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if os.fstat(target).st_size < size:
        os.close(target)
        return None
    os.ftruncate(target, size)
    os.lseek(target, size, os.SEEK_SET)
    return target


def _lost(area: StagingArea, kept: Kept) -> KeptLost:
    return KeptLost(
        f"{area.path_of(kept.handle)}, of which {kept.size:,} bytes were kept, is gone or shorter: it was discarded or "
        "collected. Send all of it again."
    )
