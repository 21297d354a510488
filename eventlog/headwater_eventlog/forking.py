"""Keep what a fork would break closed while this process forks.

SQLite counts its file locks per process. A child that opens a file which it also inherited open takes no lock, since
its copy of that count says it holds one; when the parent then closes, it removes the write-ahead log under the child,
and what the child commits after that is gone, without an error. So a fork waits until nothing is in use, closes what is
idle, and parent and child open anew when they next need something.

`subprocess` and the start methods `spawn` and `forkserver` are not concerned: what is open is closed by their `exec`.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from headwater_schemas.errors import StoreUnavailable

FORK_WAIT_S_MAX = 60.0  # longer than any sane time-out of an append, so that only something stuck exceeds it

T = TypeVar("T")


class Pool(Generic[T]):
    """Things that are expensive to open, lent to one thread at a time, none of them open during a fork.

    As many are open as were ever in use at once. Whoever borrows must not fork meanwhile.
    """

    def __init__(
        self,
        name: str,
        open_one: Callable[[], T],
        close_one: Callable[[T], None],
        still_good: Callable[[T], bool] = lambda _: True,  # asked before one is lent again; otherwise it is closed
    ) -> None:
        self._name = name
        self._open_one = open_one
        self._close_one = close_one
        self._still_good = still_good
        self._idle: list[T] = []
        self._refusal: str | None = None  # why nothing can be borrowed any more
        _pools.add(self)

    @contextmanager
    def borrowed(self) -> Iterator[T]:
        """One of them, opened where none is idle. After an exception it is closed instead of lent again.

        Raises: StoreUnavailable when the pool is closed; what opening raises.
        """
        with no_fork():
            if self._refusal is not None:
                raise StoreUnavailable(f"{self._name} {self._refusal}")
            item = self._take()
            try:
                yield item
            except BaseException:
                self._close_one(item)
                raise
            self._put_back(item)

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back. Closing twice is fine."""
        self._refusal = self._refusal or "was closed: open it again."
        self.close_idle()

    def close_idle(self) -> None:
        while True:
            try:
                item = self._idle.pop()
            except IndexError:
                return
            self._close_one(item)

    def give_up(self) -> None:
        """In a child that inherited things in use: never touch them, nor close them."""
        self._refusal = (
            "was in use by another thread when this process was forked, and cannot be used here. "
            'Fork while nothing is being written, or start processes with the method "spawn".'
        )
        _untouchable.append(self._idle)

    def _take(self) -> T:
        while True:
            try:
                item = self._idle.pop()  # atomic, as `append` is: threads need no lock here
            except IndexError:
                return self._open_one()
            if self._still_good(item):
                return item
            self._close_one(item)

    def _put_back(self, item: T) -> None:
        self._idle.append(item)
        if self._refusal is not None:
            self.close_idle()


_pools: weakref.WeakSet[Pool[Any]] = weakref.WeakSet()
_untouchable: list[object] = []  # held for ever: dropping the last reference would close them
_state = threading.Condition()  # reentrant: a signal handler may write to the log while its thread is in here
_mine = threading.local()  # .depth: how many `no_fork` blocks this thread is in
_in_use = 0  # threads that are in one
_forking = 0  # threads that want to fork


@contextmanager
def no_fork() -> Iterator[None]:
    """Hold off forks of this process, by any thread, until the end of the block. May be nested."""
    global _in_use
    depth = getattr(_mine, "depth", 0)
    if not depth:
        with _state:
            while _forking:
                _state.wait(FORK_WAIT_S_MAX)
            _in_use += 1
    _mine.depth = depth + 1
    try:
        yield
    finally:
        _mine.depth = depth
        if not depth:
            with _state:
                _in_use -= 1
                _state.notify_all()


def _own() -> int:
    """This thread's part of `_in_use`: a signal handler may fork in the middle, and cannot wait for itself."""
    return 1 if getattr(_mine, "depth", 0) else 0


def _before_fork() -> None:
    """Returns with `_state` held, so that nothing is opened until the fork is over."""
    global _forking
    _state.acquire()
    _forking += 1
    deadline = time.monotonic() + FORK_WAIT_S_MAX
    while _in_use > _own() and (left_s := deadline - time.monotonic()) > 0:
        _state.wait(left_s)
    for pool in list(_pools):
        pool.close_idle()


def _after_fork_in_parent() -> None:
    global _forking
    _forking -= 1
    _state.notify_all()
    _state.release()


def _after_fork_in_child() -> None:
    global _state, _in_use, _forking
    if _in_use:
        for pool in list(_pools):
            pool.give_up()
    _state, _in_use, _forking = threading.Condition(), _own(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
