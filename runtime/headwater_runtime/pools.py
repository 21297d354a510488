"""Pools of resources that a fork would break, such as SQLite connections: none of them is open during a fork.

SQLite counts its file locks per process. A child that opens a file which it also inherited open does not lock it, since
its copy of that count is not zero; when the parent then closes the file, SQLite removes the write-ahead log that the
child uses, and the child's later commits are lost without an error. So a fork waits until no resource is in use and
closes the idle ones; parent and child reopen what they need.

`subprocess` and the start methods `spawn` and `forkserver` are not affected: `exec` closes what is open.
"""

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Generic, TypeVar

from headwater_runtime import fork_hooks
from headwater_runtime.daemon_threads import start_daemon

FORK_WAIT_S_MAX = 60.0  # longer than any sane time-out of an append, so that only a stuck thread exceeds it

T = TypeVar("T")


class Pool(Generic[T]):
    """Resources that are expensive to open, lent to one thread at a time. None is open during a fork.

    The pool grows to the number of resources that were ever in use at once. A borrower must not fork.
    """

    def __init__(
        self,
        name: str,
        open_one: Callable[[], T],
        close_one: Callable[[T], None],
        *,
        unavailable: Callable[[str], Exception],
        is_usable: Callable[[T], bool] = lambda _: True,
        idle_s: float | None = None,
    ) -> None:
        """`unavailable` makes the error, from its message, for a pool that cannot lend. `is_usable` is asked before an
        idle resource is lent again; one that is not usable is closed. So is one that was idle for `idle_s`, by a thread
        that lives as long as there is one.
        """
        self._name = name
        self._open_one = open_one
        self._close_one = close_one
        self._unavailable = unavailable
        self._is_usable = is_usable
        self._idle: list[tuple[T, float]] = []  # with the moment since when; the last one is lent first
        self._idle_s = idle_s
        self._closing: threading.Thread | None = None
        self._refusal: str | None = None  # why nothing can be borrowed any more
        _pools.add(self)

    def borrowed(self) -> AbstractContextManager[T]:
        """A block that is lent one resource, opened where none is idle. After an exception it is closed, not pooled.

        Raises: what `unavailable` makes when the pool is closed; what opening raises.
        """
        return _Loan(self)

    def close(self) -> None:
        """Close idle resources now, and those in use when they are returned. Closing twice is fine."""
        self._refusal = self._refusal or "was closed: open it again."
        self.close_idle()

    def close_idle(self) -> None:
        """Close idle resources; the pool can still lend."""
        while True:
            try:
                resource, _ = self._idle.pop()
            except IndexError:
                return
            self._close_one(resource)

    def abandon(self) -> None:
        """In a child that inherited resources in use: never touch or close them."""
        self._refusal = (
            "was in use by another thread when this process was forked, and cannot be used here. "
            'Fork while nothing is being written, or start processes with the method "spawn".'
        )
        fork_hooks.keep_forever(self._idle)

    def _acquire(self) -> T:
        if self._refusal is not None:
            raise self._unavailable(f"{self._name} {self._refusal}")
        while True:
            try:
                resource, _ = self._idle.pop()  # atomic, as `append` is: threads need no lock here
            except IndexError:
                return self._open_one()
            if self._is_usable(resource):
                return resource
            self._close_one(resource)

    def _release(self, resource: T) -> None:
        self._idle.append((resource, time.monotonic()))
        if self._refusal is not None:
            self.close_idle()
        if self._idle_s is not None:
            with _state:
                if self._closing is None or not self._closing.is_alive():  # in a child, no thread of the parent's is
                    self._closing = start_daemon(self._close_unused, "pool")

    def _close_unused(self) -> None:
        """Close what is idle for too long, until nothing is idle."""
        assert self._idle_s is not None
        while True:
            with _state:
                if not self._idle:
                    self._closing = None
                    return
            with suppress(IndexError):  # somebody may borrow it meanwhile
                time.sleep(max(0.0, self._idle[0][1] + self._idle_s - time.monotonic()))
                with no_fork():
                    self._close_oldest()

    def _close_oldest(self) -> None:
        resource, since = self._idle.pop(0)
        if time.monotonic() - since < (self._idle_s or 0.0):  # it was lent and given back meanwhile
            self._idle.insert(0, (resource, since))
        else:
            self._close_one(resource)


class _Loan(Generic[T]):
    """A block that borrows. As all blocks here, it is a class, since there are dozens in a commit: a generator made for
    each of them costs three times as much."""

    __slots__ = ("_depth", "_pool", "_resource")

    def __init__(self, pool: Pool[T]) -> None:
        self._pool = pool

    def __enter__(self) -> T:
        self._depth = _delay_forks()
        try:
            self._resource = self._pool._acquire()
        except BaseException:
            _allow_forks(self._depth)
            raise
        return self._resource

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._pool._release(self._resource)
            else:
                self._pool._close_one(self._resource)
        finally:
            _allow_forks(self._depth)


_pools: weakref.WeakSet[Pool[Any]] = weakref.WeakSet()
_lock = threading.RLock()  # reentrant: a signal handler may write to the log while its thread is in here
_state = threading.Condition(_lock)
_this_thread = threading.local()  # .depth: how many `no_fork` blocks this thread is in
_in_use = 0  # threads that are in such a block
_forking = 0  # threads that want to fork


def no_fork() -> AbstractContextManager[None]:
    """A block until whose end forks of this process, by any thread, are delayed. Blocks may be nested."""
    return _NoFork()


class _NoFork:
    __slots__ = ("_depth",)

    def __enter__(self) -> None:
        self._depth = _delay_forks()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _allow_forks(self._depth)


def _delay_forks() -> int:
    """Begin a block. Returns in how many others the thread is."""
    global _in_use
    depth: int = getattr(_this_thread, "depth", 0)
    if not depth:
        with _lock:
            while _forking:
                _state.wait(FORK_WAIT_S_MAX)
            _in_use += 1
    _this_thread.depth = depth + 1
    return depth


def _allow_forks(depth: int) -> None:
    """End a block of a thread that is in so many others."""
    global _in_use
    _this_thread.depth = depth
    if not depth:
        with _lock:
            _in_use -= 1
            if _forking:  # nobody else waits for this
                _state.notify_all()


def _own() -> int:
    """This thread's part of `_in_use`: a signal handler may fork inside a block, and cannot wait for itself."""
    return 1 if getattr(_this_thread, "depth", 0) else 0


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
    global _lock, _state, _in_use, _forking
    if _in_use:
        for pool in list(_pools):
            pool.abandon()
    _lock = threading.RLock()
    _state, _in_use, _forking = threading.Condition(_lock), _own(), 0


fork_hooks.register(before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
