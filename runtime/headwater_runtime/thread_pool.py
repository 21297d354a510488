"""Call a function for many items from several threads, and stop early on an error or an interrupt.

The threads of the standard library's pools keep a process alive for as long as an unresponsive server makes them wait.
These are daemons: after an error they get a moment to end cleanly, and are then abandoned.
"""

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

STOP_S_MAX = 2.0  # for the other threads to reach their next piece after an error or Ctrl-C

T = TypeVar("T")


def run_in_threads(act: Callable[[T], None], items: Collection[T], count: int, stopped: threading.Event) -> None:
    """Call `act` with each item from `count` threads. Raises: the first error of `act`.

    `stopped` is set on an error or an interrupt; `act` should check it regularly, and raise when it is set.
    """
    todo, done = iter(items), SimpleQueue[BaseException | None]()
    error: BaseException | None = None
    threads = [
        threading.Thread(target=_work, args=(act, todo, done, stopped), name="headwater-transfer", daemon=True)
        for _ in range(min(count, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(items)):
            error = done.get()
            if error is not None:
                raise error
    except BaseException:
        stopped.set()
        until_s = time.monotonic() + STOP_S_MAX
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        raise
    finally:
        # The frames of an error hold folders open; if they led back to it, only a garbage collection would close them.
        error = None
        while not done.empty():
            done.get_nowait()


def _work(
    act: Callable[[T], None],
    todo: Iterable[T],
    done: "SimpleQueue[BaseException | None]",
    stopped: threading.Event,
) -> None:
    with suppress(BaseException):  # the caller of `run_in_threads` raises it
        for item in todo:
            if stopped.is_set():
                return
            try:
                act(item)
            finally:
                done.put(sys.exc_info()[1])
