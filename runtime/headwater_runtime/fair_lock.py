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
from collections.abc import Callable, Iterator
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
# Where a note tells that there is nothing left to do, few of those who wait ever need the lock: the longer the work
# takes, the seldomer they look.
_QUEUE_FOR_WORK = Backoff(pause_s_min=0.012, pause_s_max=0.05, growth=1.2, jitter=0.98, waits_until_deadline=True)
# For the holder: the first pause is about as long as an append takes on a fast disk; with this growth a pause is always
# about a tenth of the time that it has waited.
HOLDER = Backoff(pause_s_min=0.0001, pause_s_max=0.005, growth=1.1, waits_until_deadline=True)
NOTE_BYTES_MAX = 4096  # longer notes are not left

_open: set[int] = set()  # descriptors of this process


class Turn:
    """A stay in the queue of a lock file, for work that whoever holds the lock does for all who wait.

    The holder leaves a note of how far it came, which those who wait read: a look at the file is all that it costs.
    Notes are hints: one may be old, torn or missing.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self.is_held = False
        self._descriptor = descriptor  # closed in a forked child, which may have given the number to another file

    def note(self) -> bytes:
        """What the last holder left; nothing where there is none."""
        if self._descriptor not in _open:
            return b""
        with contextlib.suppress(OSError):
            return os.pread(self._descriptor, NOTE_BYTES_MAX, 0).partition(b"\n")[0]
        return b""

    def leave_note(self, note: bytes) -> None:
        """Tell those who wait how far the work is; a short text in one line. Does nothing without the lock."""
        if self.is_held and self._descriptor in _open and len(note) < NOTE_BYTES_MAX:
            with contextlib.suppress(OSError):  # a file of somebody else, or a full disk
                os.pwrite(self._descriptor, note + b"\n", 0)


@contextlib.contextmanager
def fair_lock(lock_file: str, deadline: float) -> Iterator[bool]:
    """Hold `lock_file`, waiting for it at most until `deadline` (of `time.monotonic`).

    Yields False when the time is up or the file cannot be used; then there is no order. Raises: nothing of its own.
    """
    with turn_at(lock_file, deadline) as turn:
        yield turn.is_held


@contextlib.contextmanager
def turn_at(lock_file: str, deadline: float, is_done: Callable[[bytes], bool] | None = None) -> Iterator[Turn]:
    """As `fair_lock`, but whoever waits asks after each pause whether the work `is_done`, by the note, and then leaves.

    `is_held` of what it yields says whether this process holds the lock. Raises: what `is_done` raises.
    """
    try:
        descriptor = _opened(lock_file)
    except OSError:
        yield Turn()
        return
    _open.add(descriptor)
    turn = Turn(descriptor)
    try:
        turn.is_held = _lock(descriptor, deadline, None if is_done is None else lambda: is_done(turn.note()))
        yield turn
    finally:
        if descriptor in _open:
            _open.remove(descriptor)
            if turn.is_held:
                # Closing it is not enough: a child that was forked while it was opened has a copy that nobody closes.
                with contextlib.suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _opened(lock_file: str) -> int:
    """The descriptor of the lock file, which is made where it is missing."""
    try:
        return open_lock_file(lock_file)
    except FileNotFoundError:
        create_empty(Path(lock_file))
        return open_lock_file(lock_file)


def _lock(descriptor: int, deadline: float, is_done: Callable[[], bool] | None) -> bool:
    if not _CAN_LOCK:
        return False
    retries = (_QUEUE if is_done is None else _QUEUE_FOR_WORK).start(deadline=deadline)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not retries.pause() or (is_done is not None and is_done()):
                return False
        except OSError:  # a file system without locks
            return False
        else:
            return True


def _close_in_child() -> None:
    """A lock lasts until every copy of its descriptor is closed, and a forked child would keep one for life."""
    while _open:
        os.close(_open.pop())


fork_hooks.register(in_child=_close_in_child)
