"""Take turns, across processes, at something that only one can do at a time.

SQLite's own way of waiting sleeps longer the longer it waits, so whoever has just written writes again and somebody
else starves (of 16 writers one made 9,257 appends while the median made 1). Here those who wait first take a lock file:
its holder is next and tries often, the others look now and then whether they can be next, and nobody overtakes the one
who is (slowest writer 0.9 of the median).

The lock is advice about order and nothing else; what must be right holds without it.
"""

import contextlib
import importlib.util
import os
import random
import time
from collections.abc import Iterator

_CAN_LOCK = importlib.util.find_spec("fcntl") is not None  # not on Windows: no order there, only patience
if _CAN_LOCK:
    import fcntl

# Measured with 16 processes on two cores: shorter spends the processor on looking, longer leaves gaps between turns.
QUEUE_PAUSE_S_MIN = 0.0002
QUEUE_PAUSE_S_MAX = 0.012
NEXT_PAUSE_S_MIN = 0.0001  # about what an append takes on a fast disk
NEXT_PAUSE_S_MAX = 0.005


@contextlib.contextmanager
def next_in_line(lock_file: str, deadline: float) -> Iterator[bool]:
    """Wait until this process is next, at most until `deadline` (of `time.monotonic`); True when it is.

    False when the time is up, or where the file cannot be used; then there is no order. Raises: nothing of its own.
    """
    try:
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield False
        return
    _open.add(descriptor)
    try:
        yield _lock(descriptor, deadline)
    finally:
        if descriptor in _open:
            _open.remove(descriptor)
            os.close(descriptor)  # lets go of the lock


def _lock(descriptor: int, deadline: float) -> bool:
    if not _CAN_LOCK:
        return False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(left_s, random.uniform(QUEUE_PAUSE_S_MIN, QUEUE_PAUSE_S_MAX)))  # noqa: S311 - no secret
        except OSError:  # a file system without locks
            return False
        else:
            return True


_open: set[int] = set()


def _close_in_child() -> None:
    """A lock lasts until every copy of its descriptor is closed, and the child of a fork would keep one for life."""
    while _open:
        os.close(_open.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def pause_of_next(waited_s: float) -> float:
    """How long the one who is next sleeps before it tries again: short at first, a tenth of what it waited later."""
    return min(NEXT_PAUSE_S_MAX, max(NEXT_PAUSE_S_MIN, waited_s / 10))
