"""What a process does at certain times while it has open runs: one thread of its own, for all of them.

The thread is started when there is something to do, and ends soon after there is nothing any more.
"""

import math
import threading
import time
from collections.abc import Callable

from headwater_runtime import fork_hooks
from headwater_runtime.daemon_threads import start_daemon

THREAD_IDLE_S = 10.0  # a thread without anything to do ends

Action = Callable[[], float | None]  # returns in how many seconds it is to be called again; None: not again


class Schedule:
    """Calls each action when it is due, one after the other. Actions raise nothing."""

    def __init__(self) -> None:
        self._due_s: dict[Action, float] = {}  # by the monotonic clock
        self._looks_s = math.inf  # when the thread looks next what is due
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, action: Action, *, after_s: float) -> None:
        """Call `action` in so many seconds."""
        with self._changed:
            due_s = self._due_s[action] = time.monotonic() + after_s
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_daemon(self._work, "runs")
            if due_s < self._looks_s:  # else it is not woken: a thread that wakes for nothing delays all others
                self._changed.notify()

    def remove(self, action: Action) -> None:
        """Do not call `action` again; it may be running still."""
        with self._changed:
            self._due_s.pop(action, None)

    def _work(self) -> None:
        try:
            while (action := self._next()) is not None:
                after_s = action()
                with self._changed:
                    if action in self._due_s:
                        if after_s is None:
                            del self._due_s[action]
                        else:
                            self._due_s[action] = time.monotonic() + after_s
        finally:
            with self._changed:
                self._thread = None
                if self._due_s:  # an action raised, and is not called again; the others are
                    self._thread = start_daemon(self._work, "runs")

    def _next(self) -> Action | None:
        """Wait for an action that is due, and return it; None when there was none for a while."""
        with self._changed:
            while True:
                if not self._due_s:
                    self._wait(THREAD_IDLE_S)
                    if not self._due_s:
                        return None
                action, due_s = min(self._due_s.items(), key=lambda item: item[1])
                wait_s = due_s - time.monotonic()
                if wait_s <= 0:
                    self._due_s[action] = math.inf  # while it runs
                    return action
                self._wait(min(wait_s, THREAD_IDLE_S))  # what it waits for may be removed

    def _wait(self, most_s: float) -> None:
        self._looks_s = time.monotonic() + most_s
        self._changed.wait(most_s)
        self._looks_s = math.inf


schedule = Schedule()


def _begin_anew_in_child() -> None:
    """A forked child has none of its parent's threads, and none of its runs to keep."""
    schedule.__init__()  # type: ignore[misc] # everybody has this object


fork_hooks.register(in_child=_begin_anew_in_child)
