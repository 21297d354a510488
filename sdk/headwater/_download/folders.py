"""Walk and remove folders by open descriptors. Symbolic links are never followed.

A walk lists files in the order of a version's paths, so the two can be merged; it holds one folder's names per level.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from headwater_schemas.errors import InvalidFile

from headwater._download.ignoring import Ignoring, Rules

DEPTH_MAX = 256  # levels of folders, each held open; a version has at most half of that

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}


class OpenFolder:
    """A folder at or below the root, held open; closed when the last reference is dropped."""

    __slots__ = ("descriptor", "is_new", "location")

    def __init__(self, descriptor: int, location: str, *, is_new: bool = False) -> None:
        self.descriptor = descriptor
        self.location = location  # for messages
        self.is_new = is_new  # created by this download, so it was empty

    def __del__(self) -> None:
        os.close(self.descriptor)


class ItemKind(Enum):
    """The kind of an item of a walk. A folder comes twice."""

    ENTERED = "entered"  # a folder, before what is in it
    LEFT = "left"  # the folder again, after what is in it
    FILE = "file"
    OTHER = "other"  # a link, a device, a FIFO


@dataclass(frozen=True, slots=True)
class WalkItem:
    """One item of a walk."""

    kind: ItemKind
    path: str  # from the root
    name: str
    parent: OpenFolder
    folder: OpenFolder | None = None  # the folder itself, when it is entered
    ignored: bool = False

    @property
    def location(self) -> str:
        """Its local path, for messages."""
        return f"{self.parent.location}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder that the walk is in."""

    folder: OpenFolder
    prefix: str  # of the paths in it: "" or "a/b/"
    names: Iterator[tuple[str, ItemKind]]
    found: WalkItem | None  # None for the top
    rules: Rules


def walk(top: OpenFolder, ignoring: Ignoring | None = None) -> Iterator[WalkItem]:
    """Everything below `top`, files in the order of their paths. What disappears meanwhile is skipped.

    Of a folder that is ignored, and of which the version has nothing, comes only that it is entered.
    Raises: InvalidFile for a folder that cannot be listed, or lies too deep, and for an ignore file without rules.
    """
    levels = [_level(top, None, ignoring)]
    while levels:
        level = levels[-1]
        name, kind = next(level.names, ("", ItemKind.LEFT))
        if kind is ItemKind.LEFT:
            levels.pop()
            if level.found is not None:
                yield replace(level.found, kind=kind, folder=None)
            continue
        found = WalkItem(kind, level.prefix + name, name, level.folder, None, _is_ignored(level, name, kind, ignoring))
        if kind is not ItemKind.ENTERED or (
            found.ignored and ignoring is not None and not ignoring.has_folder(found.path)
        ):
            yield found
        elif (folder := _opened(found)) is not None:
            if len(levels) == DEPTH_MAX:
                raise InvalidFile(f"{found.location!r} is more than {DEPTH_MAX} folders deep. Move it elsewhere.")
            found = replace(found, folder=folder)
            yield found
            levels.append(_level(folder, found, ignoring, level.rules))


def _level(folder: OpenFolder, found: WalkItem | None, ignoring: Ignoring | None, rules: Rules = ()) -> _Level:
    path = "" if found is None else found.path
    if ignoring is not None:
        rules = ignoring.enter(path, folder.location, folder.descriptor, rules or ignoring.rules)
    return _Level(folder, f"{path}/" if path else "", _names_in(folder), found, rules)


def _is_ignored(level: _Level, name: str, kind: ItemKind, ignoring: Ignoring | None) -> bool:
    if ignoring is None:
        return False
    if level.found is not None and level.found.ignored:
        return True
    is_folder = kind is ItemKind.ENTERED
    return ignoring.ignores(level.prefix + name, level.folder.location, level.rules, is_folder=is_folder)


def remove(folder: OpenFolder, name: str) -> None:
    """Remove the file or folder of that name, a folder with its contents. A missing one is fine.

    Raises: OSError when it cannot be removed; InvalidFile as `walk`.
    """
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=folder.descriptor)
        except (IsADirectoryError, PermissionError):
            if not _is_folder(folder, name):
                raise
            _remove_folder(folder, name)


def remove_folder_if_empty(folder: OpenFolder, name: str) -> None:
    """Remove a folder unless it contains something. Raises: OSError when it cannot be removed."""
    try:
        os.rmdir(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise


def _remove_folder(folder: OpenFolder, name: str) -> None:
    inner = OpenFolder(os.open(name, _FOLDER, dir_fd=folder.descriptor), f"{folder.location}/{name}")
    for found in walk(inner):
        if found.kind is ItemKind.LEFT:
            os.rmdir(found.name, dir_fd=found.parent.descriptor)
        elif found.kind is not ItemKind.ENTERED:
            with suppress(FileNotFoundError):
                os.unlink(found.name, dir_fd=found.parent.descriptor)
    os.rmdir(name, dir_fd=folder.descriptor)


def _is_folder(folder: OpenFolder, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mode)


def _names_in(folder: OpenFolder) -> Iterator[tuple[str, ItemKind]]:
    """Names in the order of their paths: `a-b` is before `a/x`, and `ab` after it."""
    try:
        with os.scandir(folder.descriptor) as entries:
            kinds = [(entry.name, _kind_of(entry)) for entry in entries]
    except OSError as error:
        raise _cannot_list(folder.location, error) from error
    return iter(sorted(kinds, key=lambda pair: f"{pair[0]}/" if pair[1] is ItemKind.ENTERED else pair[0]))


def _kind_of(entry: "os.DirEntry[str]") -> ItemKind:
    if entry.is_dir(follow_symlinks=False):
        return ItemKind.ENTERED
    return ItemKind.FILE if entry.is_file(follow_symlinks=False) else ItemKind.OTHER


def _opened(found: WalkItem) -> OpenFolder | None:
    try:
        descriptor = os.open(found.name, _FOLDER, dir_fd=found.parent.descriptor)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise _cannot_list(found.location, error) from error
    return OpenFolder(descriptor, found.location)


def _cannot_list(location: str, error: OSError) -> InvalidFile:
    return InvalidFile(f"the folder {location!r} cannot be listed: {error.strerror}. Check its permissions.")
