"""Nobody waits without being told, or for longer than they said.

Who waits long reads what for, in one line on standard error. It is no note that `HEADWATER_QUIET` hides: without it, a
process that waits could not be told from one that hangs. A thread of its own looks now and then, since what is waited
for may be a call that does not return.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

from headwater_runtime import fork_hooks
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import HeadwaterError

from headwater_stores.telling.progress import notify

TELL_AFTER_S = 5.0
LOOK_S = 0.5  # between two looks of the thread at what is waited for
THREAD_IDLE_S = 30.0  # a thread that has nothing to look at ends
DESCRIBE_S_MAX = 1.0  # what is waited for is found out by asking servers, which may not answer

Describe = Callable[[], str | None]  # what follows "waiting for"; None where it needs no words

T = TypeVar("T")


class _Wait:
    """What one thread waits for. A wait within it is part of it, so that it is told once."""

    def __init__(self) -> None:
        self.started_s = time.monotonic()
        self.describes: list[Describe] = []  # the innermost is last
        self.is_told = False


class _Waits:
    """All waits of this process, and the thread that looks at them."""

    def __init__(self) -> None:
        self.this_thread = threading.local()  # .wait: the one that it is in
        self.current: dict[_Wait, None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, wait: _Wait) -> None:
        self.current[wait] = None
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = start_daemon(self._look, "waiting")

    def _look(self) -> None:
        idle_since_s = time.monotonic()
        while True:
            time.sleep(LOOK_S)
            now_s = time.monotonic()
            waits = list(self.current)
            if waits:
                idle_since_s = now_s
            for wait in waits:
                if not wait.is_told and now_s - wait.started_s >= TELL_AFTER_S:
                    self._tell(wait)
            with self._lock:
                if not self.current and now_s - idle_since_s > THREAD_IDLE_S:
                    self._thread = None
                    return

    def _tell(self, wait: _Wait) -> None:
        described = _described(wait.describes[-1:])
        if described is not None and wait in self.current:
            wait.is_told = True
            notify(f"waiting for {described}")


_waits = _Waits()


@contextmanager
def telling(describe: Describe) -> Iterator[None]:
    """Tell who waits in this block for what, once, after TELL_AFTER_S. `describe` is called in another thread."""
    of_thread = _waits.this_thread
    outer: _Wait | None = getattr(of_thread, "wait", None)
    wait = outer or _Wait()
    wait.describes.append(describe)
    try:
        if outer is None:
            of_thread.wait = wait
            _waits.begin(wait)
        yield
    finally:
        wait.describes.pop()
        if outer is None:
            of_thread.wait = None
            _waits.current.pop(wait, None)


def within(timeout_s: float, action: Callable[[], T], *, overdue: Callable[[], HeadwaterError]) -> T:
    """What `action` returns or raises, or after `timeout_s` the error that `overdue` makes, whatever keeps `action`.

    Then it goes on in a thread, which nobody waits for.
    """
    call = _Call(action)
    if not call.ends_within(timeout_s):
        raise overdue()
    return call.result()


class _Call(Generic[T]):
    """A call in a thread of its own, or in this one where none can be started."""

    def __init__(self, action: Callable[[], T]) -> None:
        self._action = action
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = start_daemon(self._run, "call")
        if self._thread is None:
            self._run()

    def ends_within(self, timeout_s: float) -> bool:
        if self._thread is not None:
            self._thread.join(timeout_s)
        return bool(self._results) or self._error is not None

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        with self:
            self._results.append(self._action())

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        self._error = error
        return True  # it is raised where the call is waited for


def _described(describes: list[Describe]) -> str | None:
    """What is waited for, as far as it can be found out soon."""
    if not describes:
        return None
    call = _Call(describes[0])
    if not call.ends_within(DESCRIBE_S_MAX):
        return "servers that do not answer"
    try:
        return call.result()
    except HeadwaterError as error:
        return f"servers: {error}"


def _begin_anew_in_child() -> None:
    """A forked child has one thread, which waits for nothing."""
    global _waits
    _waits = _Waits()


fork_hooks.register(in_child=_begin_anew_in_child)
