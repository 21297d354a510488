"""Scan a local folder: names and stat numbers of its files, in columns, without opening a file.

A scan stats every regular file once. Links to files and folders are followed, so a scan sees what a reader would see;
anything without content of its own (sockets, FIFOs, devices, broken links) is an error that names it. Stat numbers are
in flat arrays, NUMBERS_PER_FILE per file: an object per file would cost more than the stat call.

The device number is not recorded: it changes when a file system is mounted again, and every file would be read again.
Inode, size, both times and whether it is executable identify one state of a file. Where the file system does not keep
which files are executable, none is in a scan.
"""

import errno
import os
import stat
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import NoReturn

from headwater_schemas.errors import InvalidFile, InvalidPath
from headwater_schemas.limits import PATH_DEPTH_MAX
from headwater_schemas.paths import colliding_forms, find_invalid, normalize

from headwater._ingest.modes import keeps_executable

NUMBERS_PER_FILE = 5
INODE, SIZE, MTIME_NS, CTIME_NS, EXECUTABLE = range(NUMBERS_PER_FILE)  # the last is the owner's bit of the mode, or 0

FOLDERS_MAX = 4_000_000  # links can make a few folders look like more than could ever be walked

_INT64_SIGN = 1 << 63
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_BY_DESCRIPTOR = os.scandir in os.supports_fd  # saves the kernel resolving the path for every file
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
}
_name_of = attrgetter("name")

_Identity = tuple[int, int]  # device and inode: the same for two paths of one folder


@dataclass(frozen=True, slots=True)
class ScannedFolder:
    """The files directly in one folder."""

    path: str  # relative to the scan's root, with forward slashes; "" is the root itself
    names: list[str]  # sorted by code points; never empty
    stats: "array[int]"  # NUMBERS_PER_FILE of each name, one file after the other


@dataclass(frozen=True, slots=True)
class Scan:
    """All files below a folder; a row is a file's position in the scan. Scans of an unchanged tree are equal."""

    root: str  # absolute
    prefix: str  # of each path inside the version: "" or "images/"
    folders: list[ScannedFolder]  # sorted by path
    started_ns: int = field(compare=False)  # this machine's clock, before the first stat
    knows_executable: bool = field(default=True, compare=False)  # False: the file system does not keep it

    def __len__(self) -> int:
        return sum(len(folder.names) for folder in self.folders)

    def paths(self) -> list[str]:
        """Each row's path inside the version."""
        return [path for folder in self.folders for path in _paths_in(self.prefix, folder)]

    def sizes(self) -> list[int]:
        """Each row's size in bytes at the time of the scan."""
        return [size for folder in self.folders for size in folder.stats[SIZE::NUMBERS_PER_FILE]]

    def executable(self) -> list[int]:
        """The rows whose file is executable, ascending."""
        rows: list[int] = []
        start = 0
        for folder in self.folders:
            bits = folder.stats[EXECUTABLE::NUMBERS_PER_FILE]
            if any(bits):
                rows += [start + i for i, bit in enumerate(bits) if bit]
            start += len(bits)
        return rows

    def known_executable(self) -> list[int] | None:
        """As `executable`; None where the file system does not keep it."""
        return self.executable() if self.knows_executable else None

    def locations(self) -> list[str]:
        """Each row's path on this machine."""
        start = os.path.join(self.root, "")
        return [path for folder in self.folders for path in _paths_in(start, folder)]


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A single file that is added by itself."""

    location: str  # absolute
    stats: "array[int]"  # its NUMBERS_PER_FILE
    started_ns: int  # this machine's clock, before the stat
    knows_executable: bool = True  # False: the file system does not keep it

    @property
    def size(self) -> int:
        """Bytes, at the time of the scan."""
        return self.stats[SIZE]

    def known_executable(self) -> list[int] | None:
        """As `Scan.known_executable`: [0] when it is executable."""
        if not self.knows_executable:
            return None
        return [0] if self.stats[EXECUTABLE] else []


def scan(root: str | os.PathLike[str], prefix: str = "", *, over_base: bool = False) -> Scan:
    """Scan every file below `root`; its path in the version is `prefix`/its path below `root`. Skips empty folders.

    `over_base`: the files may replace executable ones, so that it matters whether the file system keeps that.
    Raises: InvalidFile when `root` is not a folder, or something below cannot be added; InvalidPath for a name that
    cannot be stored, and for two names that look the same.
    """
    started_ns = time.time_ns()
    location = _location(root)
    if not os.path.isdir(location):
        _refuse_root(location)
    start = f"{normalize(prefix)}/" if prefix else ""
    folders = sorted(_walk(location), key=attrgetter("path"))
    result = Scan(location, start, folders, started_ns)
    _check_paths(result)
    tells = _tells_executable(location, len(result.executable()), len(result), over_base=over_base)
    return result if tells else _without_executable(result)


def scan_file(path: str | os.PathLike[str], *, over_base: bool = False) -> ScannedFile:
    """Stat one file. `over_base` is as in `scan`.

    Raises: InvalidFile when it is missing, or a folder, a FIFO, a socket or a device.
    """
    started_ns = time.time_ns()
    location = _location(path)
    try:
        result = os.stat(location)
    except (OSError, ValueError) as error:
        _refuse(location, error)
    if not stat.S_ISREG(result.st_mode):
        _refuse_kind(location, result.st_mode)
    numbers = array("q")
    _append(numbers, result)
    tells = _tells_executable(os.path.dirname(location), bool(numbers[EXECUTABLE]), 1, over_base=over_base)
    if not tells:
        numbers[EXECUTABLE] = 0
    return ScannedFile(location, numbers, started_ns, tells)


def _location(path: str | bytes | os.PathLike[str]) -> str:
    """The absolute form of a local path. Raises: InvalidFile for anything that is not a path."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise InvalidFile(f"a local path is text or a Path, not {type(path).__name__}: {path!r:.60}.") from None
    if not text:  # the system would read it as the current folder, which the caller did not write
        raise InvalidFile("a local path is empty. Give the path of a file or folder; '.' is the current folder.")
    return os.path.abspath(text)


def _walk(root: str) -> Iterator[ScannedFolder]:
    """Every folder that contains files, in no particular order."""
    to_do: list[tuple[str, frozenset[_Identity]]] = [("", frozenset())]
    visited = 0
    while to_do:
        path, ancestors = to_do.pop()
        visited += 1
        _check_bounds(root, path, visited)
        location = os.path.join(root, path) if path else root
        try:
            folder, subfolders, identity = _open_and_read(location, path, ancestors)
        except OSError as error:
            _refuse(location, error)
        if folder.names:
            yield folder
        if subfolders:
            line = ancestors | {identity}
            to_do += [(f"{path}/{name}" if path else name, line) for name in subfolders]


def _open_and_read(
    location: str, path: str, ancestors: frozenset[_Identity]
) -> tuple[ScannedFolder, list[str], _Identity]:
    descriptor = os.open(location, _OPEN_FOLDER) if _BY_DESCRIPTOR else None
    try:
        own = os.stat(location if descriptor is None else descriptor)
        identity = (own.st_dev, own.st_ino)
        if identity in ancestors:
            raise InvalidFile(f"{location!r} leads through a link back to a folder that contains it. Remove the link.")
        return *_read_folder(location, path, location if descriptor is None else descriptor), identity
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _read_folder(location: str, path: str, handle: str | int) -> tuple[ScannedFolder, list[str]]:
    folder = ScannedFolder(path, [], array("q"))
    subfolders = []
    names, numbers = folder.names, folder.stats
    with os.scandir(handle) as listing:
        entries = sorted(listing, key=_name_of)
    for entry in entries:
        try:
            if entry.is_file():  # a system call only for links; `stat` is the one call for each file
                _append(numbers, entry.stat())
                names.append(entry.name)
            elif entry.is_dir():
                subfolders.append(entry.name)
            else:
                _refuse_kind(os.path.join(location, entry.name), entry.stat().st_mode)
        except OSError as error:
            _refuse(os.path.join(location, entry.name), error)
    return folder, subfolders


def _append(numbers: "array[int]", result: os.stat_result) -> None:
    executable = result.st_mode & stat.S_IXUSR
    row = (result.st_ino, result.st_size, result.st_mtime_ns, result.st_ctime_ns, executable)
    try:
        numbers.extend(row)
    except OverflowError:  # some file systems use all 64 bits of an inode's number
        del numbers[len(numbers) // NUMBERS_PER_FILE * NUMBERS_PER_FILE :]
        numbers.extend([(number + _INT64_SIGN) % (2 * _INT64_SIGN) - _INT64_SIGN for number in row])


def _tells_executable(folder: str, executable: int, count: int, *, over_base: bool) -> bool:
    """Whether the number of executable files in a folder means anything. Only all or none of them is in doubt."""
    in_doubt = executable == count if executable else over_base
    return not in_doubt or keeps_executable(folder)


def _without_executable(found: Scan) -> Scan:
    for folder in found.folders:
        folder.stats[EXECUTABLE::NUMBERS_PER_FILE] = array("q", bytes(8 * len(folder.names)))
    return replace(found, knows_executable=False)


def _paths_in(start: str, folder: ScannedFolder) -> list[str]:
    start = f"{start}{folder.path}/" if folder.path else start
    return [start + name for name in folder.names]


def _check_paths(result: Scan) -> None:
    paths = result.paths()
    invalid = find_invalid(paths)
    if invalid is not None:
        normalize(invalid)  # raises an error that says why
        raise InvalidPath(f"{invalid!r} is not in the normal form of a path. Rename it.")
    twins = colliding_forms(paths)
    if twins:
        one, other = twins
        raise InvalidPath(
            f"{one!r} ({one!a}) and {other!r} ({other!a}) look the same: "
            "they differ only in Unicode composition. Rename one of them."
        )


def _check_bounds(root: str, path: str, visited: int) -> None:
    if path.count("/") >= PATH_DEPTH_MAX:
        raise InvalidPath(f"{path[:60]!r}… below {root!r} is more than {PATH_DEPTH_MAX} folders deep. Flatten it.")
    if visited > FOLDERS_MAX:
        raise InvalidFile(
            f"{root!r} has more than {FOLDERS_MAX:,} folders, counting those behind links. Check for links that "
            "repeat folders, or add it in parts."
        )


def _refuse_root(location: str) -> NoReturn:
    try:
        result = os.stat(location)
    except (OSError, ValueError) as error:
        _refuse(location, error)
    raise InvalidFile(f"{location!r} is {_kind(result.st_mode)}, not a folder. Pass a folder, or use `add_file`.")


def _refuse_kind(location: str, mode: int) -> NoReturn:
    advice = "Add it as a folder." if stat.S_ISDIR(mode) else "Only files and folders can be added: move it elsewhere."
    raise InvalidFile(f"{location!r} is {_kind(mode)}, not a file. {advice}")


def _refuse(location: str, error: OSError | ValueError) -> NoReturn:
    """Raises: InvalidFile that explains `error` for the file or folder at `location`."""
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    if os.path.islink(location) and number in (errno.ENOENT, errno.ENOTDIR):
        problem = (
            f"is a link to {os.readlink(location)!r}, which does not exist. Restore its target or remove the link."
        )
    elif number == errno.ELOOP:
        problem = "is a link to itself. Remove the link."
    elif number in (errno.ENOENT, errno.ENOTDIR):
        problem = "does not exist. Check the path; if another process removes files meanwhile, let it finish first."
    elif number in (errno.EACCES, errno.EPERM):
        problem = "is not readable with your permissions. Change its permissions, or leave it out."
    else:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = f"cannot be read: {reason}. Check the path and the file system."
    raise InvalidFile(f"{location!r} {problem}") from error


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "a file" if stat.S_ISREG(mode) else "something else")
