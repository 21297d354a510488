"""Which files are executable, and whether their file system keeps that.

Some file systems, such as vfat, say the same of every file, and `chmod` has no effect on them: nobody meant what they
say.
"""

import os
import secrets
import stat
from contextlib import suppress

TEMPORARY_PREFIX = ".headwater-"

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_UNNAMED = os.O_WRONLY | getattr(os, "O_TMPFILE", 0) | getattr(os, "O_CLOEXEC", 0)
_NAMED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def is_executable(mode: int) -> bool:
    """Whether the owner may execute a file of this mode."""
    return bool(mode & stat.S_IXUSR)


def keeps_executable(folder: str | int) -> bool:
    """Whether files in a folder, a path or an open descriptor, keep whether they are executable. Tried with a file.

    Where none can be created, what its files say counts.
    """
    try:
        opened = os.open(folder, _FOLDER) if isinstance(folder, str) else os.dup(folder)
    except OSError:
        return True
    try:
        descriptor = _probe_file(opened)
    except OSError:
        return True
    finally:
        os.close(opened)
    try:
        return all(_becomes(descriptor, mode) for mode in (0o600, 0o700))
    finally:
        os.close(descriptor)


def _probe_file(folder: int) -> int:
    """A new file that no other process finds, or finds only for a moment."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):  # a few file systems have no files without names
            return os.open(".", _UNNAMED, 0o600, dir_fd=folder)
    name = f"{TEMPORARY_PREFIX}{secrets.token_hex(16)}"
    descriptor = os.open(name, _NAMED, 0o600, dir_fd=folder)
    os.unlink(name, dir_fd=folder)
    return descriptor


def _becomes(descriptor: int, mode: int) -> bool:
    """Whether a file is executable after `chmod` if and only if that was asked for."""
    try:
        os.fchmod(descriptor, mode)
    except OSError:  # refused rather than ignored
        return False
    return is_executable(os.fstat(descriptor).st_mode) == is_executable(mode)
