"""The folder that a download fills: files land in it whole or not at all, never outside of it, and nothing else stays.

A file is written without a name and gets its name when it is complete, so a process that is killed leaves nothing; the
few file systems that cannot do this get a temporary name instead. Folders are opened one by one from the root and no
link is followed on the way: whatever lies in the root, and whoever changes it meanwhile, cannot lead a write elsewhere.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType

from headwater_schemas.errors import InvalidFile

from headwater._sums import Check, Sum

OPEN_FOLDERS_MAX = 64  # descriptors kept, well below the 1,024 that a process usually may have
LINK_ATTEMPTS = 8  # lost only to as many others that put a file there between two calls
CHUNK_BYTES = 1024 * 1024
FILE_MODE = 0o644  # before the umask
TEMPORARY_PREFIX = ".headwater-"

_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOSE_ON_EXEC
_UNNAMED = os.O_WRONLY | getattr(os, "O_TMPFILE", 0) | _CLOSE_ON_EXEC
_NAMED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _CLOSE_ON_EXEC
_READ = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | _CLOSE_ON_EXEC  # a FIFO must not make anybody wait
_DESCRIPTORS = "/proc/self/fd"
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Folder:
    """A folder at or below the root, held open. Closed when nobody uses it any more."""

    __slots__ = ("descriptor", "fresh", "location")

    def __init__(self, descriptor: int, location: str, *, fresh: bool) -> None:
        self.descriptor = descriptor
        self.location = location  # for people
        self.fresh = fresh  # it was made here, so nothing was in it

    def __del__(self) -> None:
        os.close(self.descriptor)


class Target:
    """A root to put files into. Paths are in the normal form of `headwater_schemas.paths`. Safe to use from threads."""

    def __init__(self, root: str) -> None:
        """Make `root` where it is missing. Raises: InvalidFile when it cannot be made or is no folder."""
        self.root = os.path.abspath(root)
        try:
            os.makedirs(self.root, exist_ok=True)
            # A link at the root itself is the caller's own choice.
            descriptor = os.open(self.root, _FOLDER)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidFile(f"{self.root!r} is no folder, or lies below a file. Give another folder.") from error
        except OSError as error:
            raise _refused(self.root, error) from error
        self._root = Folder(descriptor, self.root, fresh=False)
        self._unnamed = hasattr(os, "O_TMPFILE") and os.path.isdir(_DESCRIPTORS)
        self._folder = lru_cache(maxsize=OPEN_FOLDERS_MAX)(self._open_folder)

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cache_clear()

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it. Raises: InvalidFile when something else is in its place."""
        self._folder(path)

    def holds(self, path: str, size: int | None, recorded: Sum) -> bool:
        """Whether the file is there and has this content. A link is not: it is replaced, never followed.

        Raises: InvalidFile when something that is no file is in its place, or the file cannot be read.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        if folder.fresh:
            return False
        location = f"{folder.location}/{name}"
        try:
            found = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                return size in (None, found.st_size) and has_sum(folder, name, found.st_size, recorded)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InvalidFile(f"{location!r} cannot be checked: {error.strerror}. Move it away.") from error
        if stat.S_ISLNK(found.st_mode):
            return False
        raise InvalidFile(f"{location!r} is no file, but the version has one there. Move it away, and download again.")

    def land(self, path: str, pieces: Iterable[bytes | memoryview]) -> None:
        """Put a file there once `pieces` came to their end, replacing the file or link of that name.

        Raises: InvalidFile naming the file when it cannot be written; whatever `pieces` raises, and nothing lands.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        try:
            descriptor = self._open_unnamed(folder) if self._unnamed else None
            if descriptor is None:
                _land_named(folder, name, pieces)
            else:
                _land_unnamed(descriptor, folder, name, pieces)
        except OSError as error:
            raise _refused(f"{folder.location}/{name}", error) from error

    def is_found_as(self, path: str, other_name: str) -> bool:
        """Whether what is at `path` is also found under another name, though only one of the two is there."""
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        try:
            os.stat(other_name, dir_fd=folder.descriptor, follow_symlinks=False)
            return not {name, other_name} <= set(os.listdir(folder.descriptor))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _refused(folder.location, error) from error

    def _open_folder(self, path: str) -> Folder:
        if not path:
            return self._root
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path)
        location = f"{parent.location}/{name}"
        try:
            fresh = _make_folder(parent, name)
            return Folder(os.open(name, _FOLDER | _NO_LINK, dir_fd=parent.descriptor), location, fresh=fresh)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise InvalidFile(
                    f"{location!r} is a link or a file, but the version has a folder there, and a download follows no "
                    "links below its root. Move it away, or give another folder."
                ) from error
            raise _refused(location, error) from error

    def _open_unnamed(self, folder: Folder) -> int | None:
        """A file without a name in `folder`; None where the file system knows no such thing."""
        try:
            return os.open(".", _UNNAMED, FILE_MODE, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno not in _NO_UNNAMED_FILES:
                raise
            self._unnamed = False
            return None


def _make_folder(parent: Folder, name: str) -> bool:
    """Whether it was made now."""
    try:
        os.mkdir(name, dir_fd=parent.descriptor)
    except FileExistsError:
        return False
    return True


def _land_unnamed(descriptor: int, folder: Folder, name: str, pieces: Iterable[bytes | memoryview]) -> None:
    try:
        _write(descriptor, pieces)
        _link(f"{_DESCRIPTORS}/{descriptor}", folder, name)
    finally:
        os.close(descriptor)


def _link(source: str, folder: Folder, name: str) -> None:
    for _ in range(LINK_ATTEMPTS):
        try:
            # With a folder's descriptor this is linkat(2), which follows `source` to the open file.
            os.link(source, name, dst_dir_fd=folder.descriptor)
        except FileExistsError:
            # A name for the moment, to be renamed onto it, could be left behind; what is complete now is put at once.
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder.descriptor)
        else:
            return
    raise FileExistsError(errno.EEXIST, "something keeps putting a file there")


def _land_named(folder: Folder, name: str, pieces: Iterable[bytes | memoryview]) -> None:
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(16)}"
    descriptor = os.open(temporary, _NAMED, FILE_MODE, dir_fd=folder.descriptor)
    try:
        try:
            _write(descriptor, pieces)
        finally:
            os.close(descriptor)  # before it gets its name: some file systems say only now that the disk is full
        os.replace(temporary, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder.descriptor)
        raise


def _write(descriptor: int, pieces: Iterable[bytes | memoryview]) -> None:
    for piece in pieces:
        written, size = os.write(descriptor, piece), len(piece)
        while written < size:
            written += os.write(descriptor, memoryview(piece)[written:])


def has_sum(folder: Folder, name: str, size: int, recorded: Sum) -> bool:
    """Whether a file of that size has the recorded content. Raises: OSError when it cannot be read."""
    check = Check(recorded)
    descriptor = os.open(name, _READ, dir_fd=folder.descriptor)
    try:
        while size >= 0 and (piece := os.read(descriptor, CHUNK_BYTES)):
            check.update(piece)
            size -= len(piece)  # below zero it grew meanwhile, perhaps without end
    finally:
        os.close(descriptor)
    return size == 0 and check.agrees()


def _refused(location: str, error: OSError) -> InvalidFile:
    if error.errno in _FULL:
        what_next = "Free space there and download again: what is complete stays"
    else:
        what_next = "Check its permissions and its disk, or give another folder"
    return InvalidFile(f"{location!r} cannot be written: {error.strerror or error}. {what_next}.")
