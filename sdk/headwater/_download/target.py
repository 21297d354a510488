"""The folder that a download writes to. Files appear in it complete or not at all, and never outside of it.

A file is written without a name (O_TMPFILE) and gets its name when it is complete, so a killed process leaves nothing
behind; the few file systems that lack this use a temporary name. Folders are opened one by one from the root without
following links: neither what lies in the root nor what changes it meanwhile can redirect a write.
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
from types import TracebackType

from headwater_runtime.files import DISK_FULL
from headwater_schemas.errors import InvalidFile
from headwater_stores.config.local_paths import absolute

from headwater._download.folders import OpenFolder, remove
from headwater._download.integrity import IntegrityCheck
from headwater._ingest.modes import TEMPORARY_PREFIX, is_executable, keeps_executable

OPEN_FOLDERS_MAX = 64  # descriptors kept, well below the 1,024 that a process usually may have
LINK_ATTEMPTS = 8  # each lost only if another process creates that file between two calls
CHUNK_BYTES = 1024 * 1024
FILE_MODE = 0o644  # before the umask
EXECUTABLE_MODE = 0o755

_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOSE_ON_EXEC
_UNNAMED = os.O_WRONLY | getattr(os, "O_TMPFILE", 0) | _CLOSE_ON_EXEC
_NAMED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _CLOSE_ON_EXEC
_READ = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | _CLOSE_ON_EXEC  # opening a FIFO must not block
_ALL_MAY_READ, _ALL_MAY_EXECUTE = 0o444, 0o111
_DESCRIPTORS = "/proc/self/fd"
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT}
_NOT_A_FOLDER = {errno.ELOOP, errno.ENOTDIR}

Pieces = Iterable[bytes | memoryview]
Remover = Callable[[OpenFolder, str], None]  # removes what blocks the name of a file


class DownloadTarget:
    """A root to put files into. Paths are in the normal form of `headwater_schemas.paths`. Safe to use from threads."""

    def __init__(self, root: str, *, create: bool = True, force: bool = False) -> None:
        """Open `root`, creating it if it is missing and `create` is set. What blocks a file or folder of the version is
        refused, or removed if `force` is set. Raises: InvalidFile when it cannot be created or is not a folder.
        """
        self.root = absolute(root)
        self._force = force
        self._lock = threading.Lock()
        self._closed = False
        self._temporaries: dict[str, OpenFolder] = {}  # name → its folder
        try:
            if create:
                os.makedirs(self.root, exist_ok=True)
            # A link at the root itself is the caller's own choice.
            descriptor = os.open(self.root, _FOLDER)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidFile(f"{self.root!r} is not a folder, or is below a file. Choose another folder.") from error
        except OSError as error:
            raise _write_error(self.root, error) from error
        self.top = OpenFolder(descriptor, self.root)
        self._unnamed = hasattr(os, "O_TMPFILE") and os.path.isdir(_DESCRIPTORS)
        self._folder: Callable[[str], OpenFolder] = lru_cache(maxsize=OPEN_FOLDERS_MAX)(self._open_folder)
        self._keeps_executable: bool | None = None  # None: not tried yet

    def __enter__(self) -> "DownloadTarget":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
            for temporary, folder in self._temporaries.copy().items():  # of abandoned threads
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.descriptor)
        self._folder = _closed  # the cache refers to this object, and would be open until such cycles are collected

    def create_folder(self, path: str) -> None:
        """Create a folder and its parents. Raises: InvalidFile when something else blocks its name."""
        self._folder(path)

    def has_content(
        self, path: str, size: int | None, check: IntegrityCheck | None, *, executable: bool | None = None
    ) -> bool:
        """Whether the file exists and passes the check. A link never does: it is replaced, not followed.

        It is made `executable` or not, unless that is None. Where that is impossible, or would change another name of
        the file (a store's own, say), the answer is no.
        Raises: InvalidFile when something other than a file blocks the name, or the file cannot be read.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        if folder.is_new:
            return False
        location = f"{folder.location}/{name}"
        try:
            found = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                if check is None or size not in (None, found.st_size):
                    return False
                if not passes_check(folder, name, found.st_size, check):
                    return False
                return self.is_as_executable(found, executable) or _set_executable(folder, name, executable)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InvalidFile(
                f"{location!r} cannot be inspected: {error.strerror}. Move it elsewhere and download again."
            ) from error
        if stat.S_ISLNK(found.st_mode) or self._force:
            return False
        raise InvalidFile(
            f"{location!r} is not a file, but the version has a file there. Move it elsewhere and download again."
        )

    def is_as_executable(self, found: os.stat_result, executable: bool | None) -> bool:
        """Whether a file is `executable` or not, as far as the file system keeps that."""
        if executable is None or is_executable(found.st_mode) == executable:
            return True
        if self._keeps_executable is None:
            self._keeps_executable = keeps_executable(self.top.descriptor)
        return not self._keeps_executable

    def write_file(self, path: str, pieces: Pieces, *, executable: bool = False) -> None:
        """Write a file that appears after the last of `pieces`, replacing a file or link of that name.

        Raises: InvalidFile naming the file when it cannot be written; what `pieces` raises, and then no file appears.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        clear = remove if self._force else _unlink
        mode = EXECUTABLE_MODE if executable else FILE_MODE
        try:
            descriptor = self._open_unnamed(folder, mode) if self._unnamed else None
            if descriptor is None:
                self._write_named(folder, name, mode, pieces, clear)
            else:
                _write_unnamed(descriptor, folder, name, pieces, clear)
        except OSError as error:
            raise _write_error(f"{folder.location}/{name}", error) from error

    def hard_link(self, path: str, source: str, *, executable: bool) -> bool:
        """Hard-link `path` to the file `source`, replacing a file or link of that name.

        False where that is impossible, or `source` is not as `executable` as the file shall be.
        Raises: InvalidFile for its folder, as `write_file`.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        try:
            found = os.stat(source)  # checked before anything is removed
            if found.st_dev != os.fstat(folder.descriptor).st_dev or not self.is_as_executable(found, executable):
                return False
            _hard_link(source, folder, name, remove if self._force else _unlink)
        except OSError:  # there are many reasons; a copy works, or reports the reason
            return False
        return True

    def is_found_as(self, path: str, other_name: str) -> bool:
        """Whether `path` can also be opened under another name, though its folder lists only one of the two."""
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        try:
            os.stat(other_name, dir_fd=folder.descriptor, follow_symlinks=False)
            return not {name, other_name} <= set(os.listdir(folder.descriptor))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _write_error(folder.location, error) from error

    def _open_folder(self, path: str) -> OpenFolder:
        if not path:
            return self.top
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path)
        location = f"{parent.location}/{name}"
        try:
            return _open_or_create(parent, name, location)
        except OSError as error:
            if error.errno not in _NOT_A_FOLDER:
                raise _write_error(location, error) from error
            if not self._force:
                raise InvalidFile(
                    f"{location!r} is a link or a file, but the version has a folder there, and downloads do not "
                    "follow links below the target folder. Move it elsewhere, or choose another folder."
                ) from error
        try:
            remove(parent, name)
            return _open_or_create(parent, name, location)
        except OSError as error:
            raise _write_error(location, error) from error

    def _write_named(self, folder: OpenFolder, name: str, mode: int, pieces: Pieces, clear: Remover) -> None:
        temporary, descriptor = self._open_temporary(folder, mode)
        try:
            try:
                _write(descriptor, pieces)
            finally:
                os.close(descriptor)  # before it gets its name: some file systems report a full disk only now
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

    def _open_temporary(self, folder: OpenFolder, mode: int) -> tuple[str, int]:
        temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(16)}"
        with self._lock:
            if self._closed:
                raise CancelledError
            descriptor = os.open(temporary, _NAMED, mode, dir_fd=folder.descriptor)
            self._temporaries[temporary] = folder
        return temporary, descriptor

    def _open_unnamed(self, folder: OpenFolder, mode: int) -> int | None:
        """An unnamed file in `folder`; None where the file system does not support it."""
        try:
            return os.open(".", _UNNAMED, mode, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno not in _NO_UNNAMED_FILES:
                raise
            self._unnamed = False
            return None


def _closed(path: str) -> OpenFolder:
    """Raises: CancelledError, in an abandoned thread."""
    raise CancelledError(path)


def _open_or_create(parent: OpenFolder, name: str, location: str) -> OpenFolder:
    """Open the folder of that name, creating it if it is missing. Raises: OSError, also for a link."""
    try:
        os.mkdir(name, dir_fd=parent.descriptor)
        is_new = True
    except FileExistsError:
        is_new = False
    return OpenFolder(os.open(name, _FOLDER | _NO_LINK, dir_fd=parent.descriptor), location, is_new=is_new)


def _unlink(folder: OpenFolder, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder.descriptor)


def _write_unnamed(descriptor: int, folder: OpenFolder, name: str, pieces: Pieces, clear: Remover) -> None:
    try:
        _write(descriptor, pieces)
        _hard_link(f"{_DESCRIPTORS}/{descriptor}", folder, name, clear)
    finally:
        os.close(descriptor)


def _hard_link(source: str, folder: OpenFolder, name: str, clear: Remover) -> None:
    for _ in range(LINK_ATTEMPTS):
        try:
            # With a folder's descriptor this is linkat(2), which follows `source` to the open file.
            os.link(source, name, dst_dir_fd=folder.descriptor)
        except FileExistsError:
            # Linking to a temporary name and renaming that could leave it behind; so remove what blocks it, and retry.
            clear(folder, name)
        else:
            return
    raise FileExistsError(errno.EEXIST, "another process keeps creating this file")


def _write(descriptor: int, pieces: Pieces) -> None:
    for piece in pieces:
        written, size = os.write(descriptor, piece), len(piece)
        while written < size:
            written += os.write(descriptor, memoryview(piece)[written:])


def _set_executable(folder: OpenFolder, name: str, executable: bool | None) -> bool:
    """Make a file executable by whoever may read it, or by nobody. False where it must be written anew."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder.descriptor)
        try:
            found = os.fstat(descriptor)
            mode = stat.S_IMODE(found.st_mode) & ~_ALL_MAY_EXECUTE
            if found.st_nlink == 1:
                os.fchmod(descriptor, mode | stat.S_IXUSR | (mode & _ALL_MAY_READ) >> 2 if executable else mode)
            return found.st_nlink == 1
        finally:
            os.close(descriptor)
    except OSError:  # another user's, for instance; writing it anew works, or reports the reason
        return False


def passes_check(folder: OpenFolder, name: str, size: int, check: IntegrityCheck) -> bool:
    """Whether a file of that size passes the check. Raises: OSError when it cannot be read."""
    descriptor = os.open(name, _READ, dir_fd=folder.descriptor)
    try:
        return check(_pieces(descriptor, size))
    finally:
        os.close(descriptor)


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    while size >= 0 and (piece := os.read(descriptor, CHUNK_BYTES)):
        yield piece
        size -= len(piece)  # below zero it grew meanwhile, and may never end


def _write_error(location: str, error: OSError) -> InvalidFile:
    if error.errno in DISK_FULL:
        next_step = "Free disk space and download again; completed files are kept"
    else:
        next_step = "Check its permissions and disk, or choose another folder"
    return InvalidFile(f"{location!r} cannot be written: {error.strerror or error}. {next_step}.")
