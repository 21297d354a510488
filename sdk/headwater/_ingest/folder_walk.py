"""Walk a local folder: names and stat numbers of its files, in columns, without what is left out.

Every regular file is looked at once. Links to files and folders are followed, so a walk sees what a reader would see;
anything without content of its own (sockets, FIFOs, devices, broken links) is an error that names it, unless a rule
leaves it out. Stat numbers are in flat arrays, NUMBERS_PER_FILE per file: an object per file would cost more than the
stat call.
"""

import os
import stat
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

from headwater_schemas.errors import InvalidFile, InvalidPath
from headwater_schemas.limits import PATH_DEPTH_MAX

from headwater._ingest.ignore import IGNORE_FILE, NO_RULES, IgnoreRules, read_ignore_file
from headwater._ingest.left_out import LeftOut
from headwater._ingest.own_files import A_CACHE, A_STORE, GIT, has, is_own_cache, is_own_store, may_have_own
from headwater._ingest.refusals import refuse, refuse_kind
from headwater._ingest.trust import FileSystems

NUMBERS_PER_FILE = 5
INODE, SIZE, MTIME_NS, CTIME_NS, EXECUTABLE = range(NUMBERS_PER_FILE)  # the last is the owner's bit of the mode, or 0

FOLDERS_MAX = 4_000_000  # links can make a few folders look like more than could ever be walked

_INT64_SIGN = 1 << 63
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_BY_DESCRIPTOR = os.scandir in os.supports_fd  # saves the kernel resolving the path for every file
_name_of = attrgetter("name")

_Identity = tuple[int, int]  # device and inode: the same for two paths of one folder


@dataclass(frozen=True, slots=True)
class ScannedFolder:
    """The files directly in one folder."""

    path: str  # relative to the root, with forward slashes; "" is the root itself
    names: list[str]  # sorted by code points; never empty in a scan
    stats: "array[int]"  # NUMBERS_PER_FILE of each name, one file after the other
    tells_changes: bool = True  # False: some file is where times do not tell of every change


@dataclass(frozen=True, slots=True)
class _ToWalk:
    """A folder that was found and is not read yet."""

    path: str
    ancestors: frozenset[_Identity]
    rules: IgnoreRules | None  # of the folder that it is in


class FolderWalk:
    """One walk through a folder."""

    def __init__(self, root: str, rules: IgnoreRules | None) -> None:
        """`rules` are the caller's; those of ignore files are found on the way."""
        self.left_out = LeftOut()
        self._root = root
        self._file_systems = FileSystems()
        self._to_walk = [_ToWalk("", frozenset(), rules)]

    def folders(self) -> Iterator[ScannedFolder]:
        """Every folder that contains files, in no particular order. Raises: InvalidFile, InvalidPath."""
        visited = 0
        while self._to_walk:
            found = self._to_walk.pop()
            visited += 1
            self._check_bounds(found.path, visited)
            location = os.path.join(self._root, found.path) if found.path else self._root
            try:
                folder = self._open_and_read(found, location)
            except OSError as error:
                refuse(location, error)
            if folder.names:
                yield folder

    def _open_and_read(self, found: _ToWalk, location: str) -> ScannedFolder:
        descriptor = os.open(location, _OPEN_FOLDER) if _BY_DESCRIPTOR else None
        try:
            handle = location if descriptor is None else descriptor
            own = os.stat(handle)
            identity = (own.st_dev, own.st_ino)
            if identity in found.ancestors:
                raise InvalidFile(
                    f"{location!r} leads through a link back to a folder that contains it. Remove the link."
                )
            return self._read(found, location, handle, identity)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _read(self, found: _ToWalk, location: str, handle: str | int, identity: _Identity) -> ScannedFolder:
        with os.scandir(handle) as listing:
            entries = sorted(listing, key=_name_of)
        entries, rules = self._without_left_out(found, location, entries)
        names: list[str] = []
        results: list[os.stat_result] = []
        line = found.ancestors | {identity}
        for entry in entries:
            try:
                if entry.is_file():  # a system call only for links; `stat` is the one call for each file
                    results.append(entry.stat())
                    names.append(entry.name)
                elif entry.is_dir():
                    self._to_walk.append(_ToWalk(_below(found.path, entry.name), line, rules))
                else:
                    refuse_kind(os.path.join(location, entry.name), entry.stat().st_mode)
            except OSError as error:
                refuse(os.path.join(location, entry.name), error)
        devices = {identity[0], *[result.st_dev for result in results]}
        tells_changes = all(map(self._file_systems.tell_changes, devices))
        return ScannedFolder(found.path, names, numbers_of(results), tells_changes)

    def _without_left_out(
        self, found: _ToWalk, location: str, entries: "list[os.DirEntry[str]]"
    ) -> "tuple[list[os.DirEntry[str]], IgnoreRules | None]":
        """The entries that are not left out, and the rules that count in this folder."""
        names = [entry.name for entry in entries]
        rules = found.rules
        if found.path and is_own_store(location, names) and not _is_asked_for(found.path, rules):
            self.left_out.add_own(found.path, A_STORE)
            return [], rules
        if has(names, IGNORE_FILE):
            content = read_ignore_file(os.path.join(location, IGNORE_FILE))
            if content is not None:
                rules = (rules or NO_RULES).with_file(found.path, content, os.path.join(location, IGNORE_FILE))
        if rules is None and not may_have_own(names):
            return entries, None
        return [entry for entry in entries if not self._leaves_out(entry, found.path, location, rules)], rules

    def _leaves_out(self, entry: "os.DirEntry[str]", folder: str, location: str, rules: IgnoreRules | None) -> bool:
        path, is_folder = _below(folder, entry.name), _is_folder(entry)
        verdict = None if rules is None else rules.verdict(path, is_folder=is_folder)
        if verdict is True:
            self.left_out.add_ignored(path)
        elif verdict is None and entry.name == GIT:
            self.left_out.add_own(path)
        elif verdict is None and is_own_cache(location, entry.name, is_folder=is_folder):
            self.left_out.add_own(path, A_CACHE)
        else:
            return False
        return True

    def _check_bounds(self, path: str, visited: int) -> None:
        if path.count("/") >= PATH_DEPTH_MAX:
            raise InvalidPath(
                f"{path[:60]!r}… below {self._root!r} is more than {PATH_DEPTH_MAX} folders deep. Flatten it."
            )
        if visited > FOLDERS_MAX:
            raise InvalidFile(
                f"{self._root!r} has more than {FOLDERS_MAX:,} folders, counting those behind links. Check for links "
                "that repeat folders, or add it in parts."
            )


def numbers_of(results: Iterable[os.stat_result]) -> "array[int]":
    """The NUMBERS_PER_FILE of each file, one after the other."""
    rows = [
        (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode & stat.S_IXUSR)
        for found in results
    ]
    numbers = list(chain.from_iterable(rows))
    try:
        return array("q", numbers)
    except OverflowError:  # some file systems use all 64 bits of an inode's number
        return array("q", [(number + _INT64_SIGN) % (2 * _INT64_SIGN) - _INT64_SIGN for number in numbers])


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _is_asked_for(folder: str, rules: IgnoreRules | None) -> bool:
    """Whether a rule says that this folder is not left out."""
    return rules is not None and rules.verdict(folder, is_folder=True) is False


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
