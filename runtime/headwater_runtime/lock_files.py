"""Lock files that say whether a process lives, to every machine that shares the disk.

The kernel ends a lock with the last copy of its descriptor, however the processes that have one end. A forked child has
a copy, so the lock of its parent lasts until both are gone. A process id would prove nothing: on another machine, or in
another container, it is somebody else's.
"""

import errno
import importlib.util
import os
from contextlib import suppress

from headwater_runtime.shared_files import follow_folder

_CAN_LOCK = importlib.util.find_spec("fcntl") is not None  # not on Windows: there nobody can tell
if _CAN_LOCK:
    import fcntl

_NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}


class LockFile:
    """A lock file that this process has open. Closed with `close`, or when nobody refers to it any more."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.is_locked = False  # on a file system without locks it never is
        self._descriptor = descriptor

    def lock(self, *, wait: bool) -> bool:
        """Lock it, if it can be; whether it is locked now."""
        if _CAN_LOCK:
            with suppress(OSError):  # held, or a file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                self.is_locked = True
        return self.is_locked

    def share(self) -> bool:
        """Wait until it can be locked beside others that share it, and do so; whether it is."""
        if _CAN_LOCK:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)
                return True
        return False

    def is_at_path(self) -> bool:
        """Whether the open file is still the one of that name: it may have been removed before it was locked."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._descriptor), found)

    def close(self) -> None:
        """Let go of this process's copy of the lock. Closing twice is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def hold_new(path: str) -> LockFile | None:
    """Create the file `path` and hold its lock. None where another process removed the file meanwhile: take another.

    On a file system without locks the file is open and not locked, and `hold_left` never gets its lock either.
    Raises: OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    lock = LockFile(path, descriptor)
    follow_folder(descriptor, os.path.dirname(path))
    lock.lock(wait=True)
    return lock if lock.is_at_path() else None


def hold_left(path: str) -> LockFile | None:
    """Hold the lock of an existing file if no process does. None where one does, or where that cannot be known.

    Raises: FileNotFoundError.
    """
    try:
        descriptor = open_lock_file(path)
    except FileNotFoundError:
        raise
    except OSError:  # of another user: its owner can tell
        return None
    lock = LockFile(path, descriptor)
    return lock if lock.lock(wait=False) and lock.is_at_path() else None


def open_lock_file(path: str) -> int:
    """Open an existing file to lock it, also one of another user. Raises: OSError."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)  # some network file systems lock nothing that is open read-only
    except OSError as error:
        if error.errno not in _NO_ACCESS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
