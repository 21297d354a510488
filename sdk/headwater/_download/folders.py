"""Folders held open: what lies below one, in the order of a version's paths, and its removal. No link is followed.

Two listings in one order can be compared line by line, so nothing here holds more than one folder's names a level.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from headwater_schemas.errors import InvalidFile

LEVELS_MAX = 256  # of folders, each held open; a version has half of that

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NOT_THERE_ANY_MORE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}


class Folder:
    """A folder at or below the root, held open. Closed when nobody uses it any more."""

    __slots__ = ("descriptor", "fresh", "location")

    def __init__(self, descriptor: int, location: str, *, fresh: bool = False) -> None:
        self.descriptor = descriptor
        self.location = location  # for people
        self.fresh = fresh  # it was made here, so nothing was in it

    def __del__(self) -> None:
        os.close(self.descriptor)


class Kind(Enum):
    """What was found. A folder is found twice."""

    ENTERED = "entered"  # a folder, before what is in it
    LEFT = "left"  # the same, after what is in it
    FILE = "file"
    OTHER = "other"  # a link, a device, a FIFO


@dataclass(frozen=True, slots=True)
class Found:
    """Something below the root."""

    kind: Kind
    path: str  # from the root
    name: str
    parent: Folder
    folder: Folder | None = None  # itself, when it is entered

    @property
    def location(self) -> str:
        """Where it is, for people."""
        return f"{self.parent.location}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder on the way down."""

    folder: Folder
    prefix: str  # of the paths in it: "" or "a/b/"
    names: Iterator[tuple[str, Kind]]
    found: Found | None  # None for the top


def walk(top: Folder) -> Iterator[Found]:
    """Everything below `top`, files in the order of their paths. What goes away meanwhile is passed over.

    Raises: InvalidFile for a folder that cannot be listed, or lies too deep.
    """
    levels = [_Level(top, "", _names_in(top), None)]
    while levels:
        level = levels[-1]
        name, kind = next(level.names, ("", Kind.LEFT))
        if kind is Kind.LEFT:
            levels.pop()
            if level.found is not None:
                yield Found(Kind.LEFT, level.found.path, level.found.name, level.found.parent)
            continue
        found = Found(kind, level.prefix + name, name, level.folder)
        if kind is not Kind.ENTERED:
            yield found
        elif (folder := _opened(found)) is not None:
            if len(levels) == LEVELS_MAX:
                raise InvalidFile(f"{found.location!r} lies more than {LEVELS_MAX} folders deep. Move it away.")
            yield Found(kind, found.path, name, level.folder, folder)
            levels.append(_Level(folder, f"{found.path}/", _names_in(folder), found))


def remove(folder: Folder, name: str) -> None:
    """Remove what has that name, with all below it where it is a folder. What is not there is fine.

    Raises: OSError when it cannot be removed; InvalidFile as `walk`.
    """
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=folder.descriptor)
        except (IsADirectoryError, PermissionError):
            if not _is_folder(folder, name):
                raise
            _remove_folder(folder, name)


def remove_folder_if_empty(folder: Folder, name: str) -> None:
    """Remove a folder unless something is in it. Raises: OSError when it cannot be removed."""
    try:
        os.rmdir(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise


def _remove_folder(folder: Folder, name: str) -> None:
    inner = Folder(os.open(name, _FOLDER, dir_fd=folder.descriptor), f"{folder.location}/{name}")
    for found in walk(inner):
        if found.kind is Kind.LEFT:
            os.rmdir(found.name, dir_fd=found.parent.descriptor)
        elif found.kind is not Kind.ENTERED:
            with suppress(FileNotFoundError):
                os.unlink(found.name, dir_fd=found.parent.descriptor)
    os.rmdir(name, dir_fd=folder.descriptor)


def _is_folder(folder: Folder, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mode)


def _names_in(folder: Folder) -> Iterator[tuple[str, Kind]]:
    """Names in the order that their paths have: `a-b` is before `a/x`, and `ab` after it."""
    try:
        with os.scandir(folder.descriptor) as entries:
            kinds = [(entry.name, _kind_of(entry)) for entry in entries]
    except OSError as error:
        raise _cannot_list(folder.location, error) from error
    return iter(sorted(kinds, key=lambda pair: f"{pair[0]}/" if pair[1] is Kind.ENTERED else pair[0]))


def _kind_of(entry: "os.DirEntry[str]") -> Kind:
    if entry.is_dir(follow_symlinks=False):
        return Kind.ENTERED
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER


def _opened(found: Found) -> Folder | None:
    try:
        descriptor = os.open(found.name, _FOLDER, dir_fd=found.parent.descriptor)
    except OSError as error:
        if error.errno in _NOT_THERE_ANY_MORE:
            return None
        raise _cannot_list(found.location, error) from error
    return Folder(descriptor, found.location)


def _cannot_list(location: str, error: OSError) -> InvalidFile:
    return InvalidFile(f"the folder {location!r} cannot be listed: {error.strerror}. Check its permissions.")
