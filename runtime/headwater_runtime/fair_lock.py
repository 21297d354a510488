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
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

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


def fair_lock(lock_file: str, deadline: float) -> AbstractContextManager[bool]:
    """A block that holds `lock_file`, waiting for it at most until `deadline` (of `time.monotonic`).

    It is given False when the time is up or the file cannot be used; then there is no order. Raises: nothing of its
    own.
    """
    return _Lock(_Queued(lock_file, deadline, None))


def turn_at(
    lock_file: str, deadline: float, is_done: Callable[[bytes], bool] | None = None
) -> AbstractContextManager[Turn]:
    """As `fair_lock`, but whoever waits asks after each pause whether the work `is_done`, by the note, and then leaves.

    `is_held` of what it is given says whether this process holds the lock. Raises: what `is_done` raises.
    """
    return _Queued(lock_file, deadline, is_done)


class _Queued:
    __slots__ = ("_deadline", "_descriptor", "_is_done", "_lock_file", "_turn")

    def __init__(self, lock_file: str, deadline: float, is_done: Callable[[bytes], bool] | None) -> None:
        self._lock_file = lock_file
        self._deadline = deadline
        self._is_done = is_done

    def __enter__(self) -> Turn:
        try:
            self._descriptor = _opened(self._lock_file)
        except OSError:
            self._descriptor = -1
            self._turn = Turn()
            return self._turn
        _open.add(self._descriptor)
        self._turn = turn = Turn(self._descriptor)
        is_done = self._is_done
        try:
            turn.is_held = _locked(
                self._descriptor, self._deadline, None if is_done is None else lambda: is_done(turn.note())
            )
        except BaseException:
            self._close()
            raise
        return turn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._descriptor not in _open:  # none, or a forked child closed it
            return
        _open.remove(self._descriptor)
        if self._turn.is_held:
            # Closing it is not enough: a child that was forked while it was opened has a copy that nobody closes.
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


class _Lock:
    __slots__ = ("_queued",)

    def __init__(self, queued: _Queued) -> None:
        self._queued = queued

    def __enter__(self) -> bool:
        return self._queued.__enter__().is_held

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queued.__exit__(kind, error, traceback)


def _opened(lock_file: str) -> int:
    """The descriptor of the lock file, which is made where it is missing."""
    try:
        return open_lock_file(lock_file)
    except FileNotFoundError:
        create_empty(Path(lock_file))
        return open_lock_file(lock_file)


def _locked(descriptor: int, deadline: float, is_done: Callable[[], bool] | None) -> bool:
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
