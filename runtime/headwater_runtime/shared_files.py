"""Files that several users share: their modes follow the folder. `shared_databases` says how a database is opened.

In a group's folder (group-writable, with the setgid bit), what is made can be written by the group, whatever the umask
of whoever makes it; elsewhere the umask decides. What root makes in somebody's folder belongs to that somebody, as the
journals do that SQLite makes for root.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o666  # before the umask
_SHARED = stat.S_ISGID | stat.S_IWGRP


def create_empty(path: Path) -> None:
    """Create a file unless it exists, for SQLite, which itself would let nobody else write it. Raises: OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        follow_folder(descriptor, path.parent)
    finally:
        os.close(descriptor)


def follow_folder(made: int | str | Path, folder: str | Path) -> None:
    """Give a file or folder that was just made in `folder` to those who share that. Raises: OSError when it is gone.

    What the system does not permit is left as it is: then it is as private as the umask wants.
    """
    above, own = os.stat(folder), os.stat(made)
    with suppress(OSError):  # not permitted, an owner that is not known in a container, or a disk that keeps no modes
        if os.geteuid() == 0 and above.st_uid != own.st_uid:
            os.chown(made, above.st_uid, above.st_gid)
        wanted = own.st_mode | (own.st_mode & stat.S_IRWXU) >> 3  # the system has given it the folder's group already
        if is_of_a_group(above) and wanted != own.st_mode and os.geteuid() in (0, own.st_uid):
            os.chmod(made, stat.S_IMODE(wanted))


def denied(path: str | Path, mode: int) -> os.stat_result | None:
    """What is at `path` and may not be used in `mode`, as of `os.access`; None where it may, or nothing is there.

    It must be the same before and after: another process may make or remove it meanwhile, which denies nothing.
    """
    before = stat_if_there(path)
    if before is None or os.access(path, mode):
        return None
    after = stat_if_there(path)
    return after if after is not None and _identity(before) == _identity(after) else None


def stat_if_there(path: str | Path) -> os.stat_result | None:
    """What is at `path`; None where nothing is, or it lies behind a folder that may not be entered."""
    try:
        return os.stat(path)
    except OSError:
        return None


def is_of_a_group(folder: os.stat_result) -> bool:
    """Whether a folder is meant to be shared by its group."""
    return folder.st_mode & _SHARED == _SHARED


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    """Numbers of files that were removed are given to new ones, often at once."""
    return found.st_dev, found.st_ino, found.st_ctime_ns
