"""A lock between processes that serves them about equally.

SQLite waits with ever longer pauses, so a process that has just written writes again and another one starves (of 16
writers one made 9,257 appends while the median made 1). Here waiting processes first take a lock file: its holder is
next and tries often, the others try now and then to take the file, and none of them overtakes the holder (slowest
writer 0.9 of the median).

The lock is advisory: it orders processes, and nothing may depend on it for correctness.
"""

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from headwater_runtime import fork_hooks
from headwater_runtime.lock_files import open_lock_file
from headwater_runtime.retries import Backoff
from headwater_runtime.shared_files import create_empty

_CAN_LOCK = importlib.util.find_spec("fcntl") is not None  # not on Windows: no order there
if _CAN_LOCK:
    import fcntl

# Measured with 16 processes on two cores: shorter pauses spend the processor on polling, longer ones leave the lock
# free between two holders.
_QUEUE = Backoff(pause_s_min=0.012, pause_s_max=0.012, jitter=1 - 0.0002 / 0.012, waits_until_deadline=True)
# For the holder: the first pause is about as long as an append takes on a fast disk; with this growth a pause is always
# about a tenth of the time that it has waited.
HOLDER = Backoff(pause_s_min=0.0001, pause_s_max=0.005, growth=1.1, waits_until_deadline=True)


@contextlib.contextmanager
def fair_lock(lock_file: str, deadline: float) -> Iterator[bool]:
    """Hold `lock_file`, waiting for it at most until `deadline` (of `time.monotonic`).

    Yields False when the time is up or the file cannot be used; then there is no order. Raises: nothing of its own.
    """
    try:
        descriptor = _opened(lock_file)
    except OSError:
        yield False
        return
    _open.add(descriptor)
    try:
        yield _lock(descriptor, deadline)
    finally:
        if descriptor in _open:
            _open.remove(descriptor)
            os.close(descriptor)  # releases the lock


def _opened(lock_file: str) -> int:
    """The descriptor of the lock file, which is made where it is missing."""
    try:
        return open_lock_file(lock_file)
    except FileNotFoundError:
        create_empty(Path(lock_file))
        return open_lock_file(lock_file)


def _lock(descriptor: int, deadline: float) -> bool:
    if not _CAN_LOCK:
        return False
    retries = _QUEUE.start(deadline=deadline)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not retries.pause():
                return False
        except OSError:  # a file system without locks
            return False
        else:
            return True


_open: set[int] = set()


def _close_in_child() -> None:
    """A lock lasts until every copy of its descriptor is closed, and a forked child would keep one for life."""
    while _open:
        os.close(_open.pop())


fork_hooks.register(in_child=_close_in_child)
