"""The folder that a download fills: files land in it whole or not at all, never outside of it, and nothing else stays.

A file is written without a name and gets its name when it is complete, so a process that is killed leaves nothing; the
few file systems that cannot do this get a temporary name instead. Folders are opened one by one from the root and no
link is followed on the way: whatever lies in the root, and whoever changes it meanwhile, cannot lead a write elsewhere.
"""

import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from headwater_schemas.errors import InvalidFile

from headwater._download.folders import Folder, remove
from headwater._download.integrity import Proof

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
_NO_FOLDER = {errno.ELOOP, errno.ENOTDIR}
_FULL = {errno.ENOSPC, errno.EDQUOT}

Pieces = Iterable[bytes | memoryview]
Clear = Callable[[Folder, str], None]  # takes away what is in the way of a file


def folder_named(root: object) -> Path:
    """The folder that a caller named. Raises: InvalidFile for what names none, such as an empty text.

    That would be the current folder, and hardly ever what was meant: a variable was not set.
    """
    text = root if isinstance(root, str) else root.__fspath__() if isinstance(root, os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidFile(f"{root!r} names no folder. Give its path as text or as a Path; '.' is the current folder.")
    return Path(text)


class Target:
    """A root to put files into. Paths are in the normal form of `headwater_schemas.paths`. Safe to use from threads."""

    def __init__(self, root: str, *, make: bool = True, clears: bool = False) -> None:
        """Make `root` where it is missing and `make` is set. What is in the way of a file or folder of the version is
        refused, or removed where `clears` is set. Raises: InvalidFile when it cannot be made or is no folder.
        """
        self.root = os.path.abspath(root)
        self._clears = clears
        self._lock = threading.Lock()
        self._closed = False
        self._temporaries: dict[str, Folder] = {}  # name → where it is
        try:
            if make:
                os.makedirs(self.root, exist_ok=True)
            # A link at the root itself is the caller's own choice.
            descriptor = os.open(self.root, _FOLDER)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidFile(f"{self.root!r} is no folder, or lies below a file. Give another folder.") from error
        except OSError as error:
            raise _refused(self.root, error) from error
        self.top = Folder(descriptor, self.root)
        self._unnamed = hasattr(os, "O_TMPFILE") and os.path.isdir(_DESCRIPTORS)
        self._folder: Callable[[str], Folder] = lru_cache(maxsize=OPEN_FOLDERS_MAX)(self._open_folder)

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
            for temporary, folder in self._temporaries.copy().items():  # of threads that nobody waited for
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.descriptor)
        self._folder = _closed  # the cache refers to this object, and would be open until such cycles are collected

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it. Raises: InvalidFile when something else is in its place."""
        self._folder(path)

    def holds(self, path: str, size: int | None, proof: Proof | None) -> bool:
        """Whether the file is there and proves to have this content. A link does not: it is replaced, never followed.

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
                if proof is None or size not in (None, found.st_size):
                    return False
                return is_proven(folder, name, found.st_size, proof)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InvalidFile(f"{location!r} cannot be checked: {error.strerror}. Move it away.") from error
        if stat.S_ISLNK(found.st_mode) or self._clears:
            return False
        raise InvalidFile(f"{location!r} is no file, but the version has one there. Move it away, and download again.")

    def land(self, path: str, pieces: Pieces) -> None:
        """Put a file there once `pieces` came to their end, replacing the file or link of that name.

        Raises: InvalidFile naming the file when it cannot be written; whatever `pieces` raises, and nothing lands.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        clear = remove if self._clears else _unlink
        try:
            descriptor = self._open_unnamed(folder) if self._unnamed else None
            if descriptor is None:
                self._land_named(folder, name, pieces, clear)
            else:
                _land_unnamed(descriptor, folder, name, pieces, clear)
        except OSError as error:
            raise _refused(f"{folder.location}/{name}", error) from error

    def link(self, path: str, source: str) -> bool:
        """Give the file `source` this name too, in the place of the file or link there. False where that cannot be.

        Raises: InvalidFile for a folder on the way, as `land`.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        try:
            if os.stat(source).st_dev != os.fstat(folder.descriptor).st_dev:  # before anything makes room for it
                return False
            _link(source, folder, name, remove if self._clears else _unlink)
        except OSError:  # there are many reasons, and a copy will do, or say which it is
            return False
        return True

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
            return self.top
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path)
        location = f"{parent.location}/{name}"
        try:
            return _made_folder(parent, name, location)
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                raise _refused(location, error) from error
            if not self._clears:
                raise InvalidFile(
                    f"{location!r} is a link or a file, but the version has a folder there, and a download follows no "
                    "links below its root. Move it away, or give another folder."
                ) from error
        try:
            remove(parent, name)
            return _made_folder(parent, name, location)
        except OSError as error:
            raise _refused(location, error) from error

    def _land_named(self, folder: Folder, name: str, pieces: Pieces, clear: Clear) -> None:
        temporary, descriptor = self._open_temporary(folder)
        try:
            try:
                _write(descriptor, pieces)
            finally:
                os.close(descriptor)  # before it gets its name: some file systems say only now that the disk is full
            try:
                os.replace(temporary, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
            except IsADirectoryError:
                clear(folder, name)
                os.replace(temporary, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder.descriptor)
            raise
        finally:
            self._temporaries.pop(temporary, None)

    def _open_temporary(self, folder: Folder) -> tuple[str, int]:
        temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(16)}"
        with self._lock:
            if self._closed:
                raise CancelledError
            descriptor = os.open(temporary, _NAMED, FILE_MODE, dir_fd=folder.descriptor)
            self._temporaries[temporary] = folder
        return temporary, descriptor

    def _open_unnamed(self, folder: Folder) -> int | None:
        """A file without a name in `folder`; None where the file system knows no such thing."""
        try:
            return os.open(".", _UNNAMED, FILE_MODE, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno not in _NO_UNNAMED_FILES:
                raise
            self._unnamed = False
            return None


def _closed(path: str) -> Folder:
    """Raises: CancelledError, in a thread that nobody waited for."""
    raise CancelledError(path)


def _made_folder(parent: Folder, name: str, location: str) -> Folder:
    """The folder of that name, made where it is missing. Raises: OSError, also for a link."""
    try:
        os.mkdir(name, dir_fd=parent.descriptor)
        fresh = True
    except FileExistsError:
        fresh = False
    return Folder(os.open(name, _FOLDER | _NO_LINK, dir_fd=parent.descriptor), location, fresh=fresh)


def _unlink(folder: Folder, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder.descriptor)


def _land_unnamed(descriptor: int, folder: Folder, name: str, pieces: Pieces, clear: Clear) -> None:
    try:
        _write(descriptor, pieces)
        _link(f"{_DESCRIPTORS}/{descriptor}", folder, name, clear)
    finally:
        os.close(descriptor)


def _link(source: str, folder: Folder, name: str, clear: Clear) -> None:
    for _ in range(LINK_ATTEMPTS):
        try:
            # With a folder's descriptor this is linkat(2), which follows `source` to the open file.
            os.link(source, name, dst_dir_fd=folder.descriptor)
        except FileExistsError:
            # A name for the moment, to be renamed onto it, could be left behind; what is complete now is put at once.
            clear(folder, name)
        else:
            return
    raise FileExistsError(errno.EEXIST, "something keeps putting a file there")


def _write(descriptor: int, pieces: Pieces) -> None:
    for piece in pieces:
        written, size = os.write(descriptor, piece), len(piece)
        while written < size:
            written += os.write(descriptor, memoryview(piece)[written:])


def is_proven(folder: Folder, name: str, size: int, proof: Proof) -> bool:
    """Whether a file that had that size has the content. Raises: OSError when it cannot be read."""
    descriptor = os.open(name, _READ, dir_fd=folder.descriptor)
    try:
        return proof(_pieces(descriptor, size))
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    while size >= 0 and (piece := os.read(descriptor, CHUNK_BYTES)):
        yield piece
        size -= len(piece)  # below zero it grew meanwhile, perhaps without end


def _refused(location: str, error: OSError) -> InvalidFile:
    if error.errno in _FULL:
        what_next = "Free space there and download again: what is complete stays"
    else:
        what_next = "Check its permissions and its disk, or give another folder"
    return InvalidFile(f"{location!r} cannot be written: {error.strerror or error}. {what_next}.")
