"""Scan a local folder: names and stat numbers of its files, in columns, without opening a file.

The device number is not recorded: it changes when a file system is mounted again, and every file would be read again.
Inode, size, both times and whether it is executable identify one state of a file. Where the file system does not keep
which files are executable, none is in a scan.
"""

import os
import stat
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

from headwater_schemas.errors import InvalidFile, InvalidPath
from headwater_schemas.paths import colliding_forms, find_invalid, normalize
from headwater_stores.config.local_paths import absolute, local_path
from headwater_stores.config.store_folder import is_store

from headwater._ingest.folder_walk import (
    EXECUTABLE,
    NUMBERS_PER_FILE,
    SIZE,
    FolderWalk,
    ScannedFolder,
    numbers_of,
)
from headwater._ingest.ignore import rules_of
from headwater._ingest.left_out import LeftOut
from headwater._ingest.modes import keeps_executable
from headwater._ingest.refusals import refuse, refuse_kind, refuse_root
from headwater._ingest.trust import FileSystems


@dataclass(frozen=True, slots=True)
class Scan:
    """All files below a folder; a row is a file's position in the scan. Scans of an unchanged tree are equal."""

    root: str  # absolute
    prefix: str  # of each path inside the version: "" or "images/"
    folders: list[ScannedFolder]  # sorted by path
    started_ns: int = field(compare=False)  # this machine's clock, before the first stat
    ignore: tuple[str, ...] = ()  # the caller's rules
    left_out: LeftOut = field(default_factory=LeftOut, compare=False)
    knows_executable: bool = field(default=True, compare=False)  # False: the file system does not keep it
    _paths: list[str] = field(default_factory=list, compare=False, repr=False)  # empty until they are asked for

    def __len__(self) -> int:
        return sum(len(folder.names) for folder in self.folders)

    def paths(self) -> list[str]:
        """Each row's path inside the version."""
        if not self._paths:
            self._paths.extend([path for folder in self.folders for path in _paths_in(self.prefix, folder)])
        return self._paths

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

    def files(self, rows: Sequence[int]) -> Iterator["ScannedFile"]:
        """The files in these rows, which ascend, as if each was added by itself."""
        for folder, start, of_folder in self.by_folder(rows):
            for row in of_folder:
                at = row - start
                stats = folder.stats[at * NUMBERS_PER_FILE : (at + 1) * NUMBERS_PER_FILE]
                location = os.path.join(self.root, folder.path, folder.names[at])
                tells_changes = partial(bool, folder.tells_changes)
                yield ScannedFile(location, stats, self.started_ns, tells_changes, self.knows_executable)

    def by_folder(self, rows: Sequence[int]) -> Iterator[tuple[ScannedFolder, int, Sequence[int]]]:
        """The folders of these rows, which ascend: each with the row of its first file, and the rows that are in it."""
        start = done = 0
        for folder in self.folders:
            end = start + len(folder.names)
            of_folder = rows[done : bisect_left(rows, end, done)]
            if of_folder:
                yield folder, start, of_folder
            start, done = end, done + len(of_folder)


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A single file."""

    location: str  # absolute
    stats: "array[int]"  # its NUMBERS_PER_FILE
    started_ns: int  # this machine's clock, before the stat
    # Whether it is where times tell of every change. It takes long to find out, and matters only for what was read.
    tells_changes: Callable[[], bool]
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


def scan(
    root: str | os.PathLike[str], prefix: str = "", *, over_base: bool = False, ignore: Sequence[str] = ()
) -> Scan:
    """Scan every file below `root`; its path in the version is `prefix`/its path below `root`. Skips empty folders.

    What `ignore` or ignore files say is left out, and so are `.git` and stores unless those say otherwise.
    `over_base`: the files may replace executable ones, so that it matters whether the file system keeps that.
    Raises: InvalidFile when `root` is not a folder or belongs to a store, or something below cannot be added;
    InvalidPath for a name that cannot be stored, and for two names that look the same; InvalidInput for `ignore`.
    """
    started_ns = time.time_ns()
    location, rules = absolute(local_path(root)), rules_of(ignore)
    if not os.path.isdir(location):
        refuse_root(location)
    _refuse_store(location)
    start = f"{normalize(prefix)}/" if prefix else ""
    walk = FolderWalk(location, rules)
    folders = sorted(walk.folders(), key=attrgetter("path"))
    result = Scan(location, start, folders, started_ns, tuple(ignore), walk.left_out)
    _check_paths(result)
    tells = _tells_executable(location, len(result.executable()), len(result), over_base=over_base)
    return result if tells else _without_executable(result)


def scan_file(path: str | os.PathLike[str], *, over_base: bool = False) -> ScannedFile:
    """Stat one file. `over_base` is as in `scan`.

    Raises: InvalidFile when it is missing, or a folder, a FIFO, a socket or a device.
    """
    started_ns = time.time_ns()
    location = absolute(local_path(path))
    try:
        result = os.stat(location)
    except (OSError, ValueError) as error:
        refuse(location, error)
    if not stat.S_ISREG(result.st_mode):
        refuse_kind(location, result.st_mode)
    numbers = numbers_of([result])
    tells = _tells_executable(os.path.dirname(location), bool(numbers[EXECUTABLE]), 1, over_base=over_base)
    if not tells:
        numbers[EXECUTABLE] = 0
    tells_changes = partial(FileSystems().tell_changes, result.st_dev)
    return ScannedFile(location, numbers, started_ns, tells_changes, tells)


def _refuse_store(location: str) -> None:
    """Raises: InvalidFile for a store, and for what is in one."""
    real = Path(os.path.realpath(location))
    store = next((folder for folder in (real, *real.parents) if is_store(os.fspath(folder))), None)
    if store is not None:
        what = "is a headwater store" if store == real else f"is part of the headwater store {str(store)!r}"
        raise InvalidFile(f"{location!r} {what}, which changes while it is added. Add the files that it holds instead.")


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
