"""Do one thing for many items, several at once, and leave when one fails or the user wants to.

The threads of the standard library's pools keep a process alive for as long as a silent server keeps them waiting.
These do not: who leaves waits a moment for those who can end well, and for the others no longer.
"""

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

LEAVE_S_MAX = 2.0  # for the others to come to their next piece, once one has failed or Ctrl-C was pressed

T = TypeVar("T")


def for_each(act: Callable[[T], None], items: Collection[T], count: int, stopped: threading.Event) -> None:
    """Call `act` with each item from `count` threads. Raises: what the first that fails raises.

    `stopped` is set when there is an error or an interrupt; `act` should look at it now and then, and end by an error.
    """
    todo, done = iter(items), SimpleQueue[BaseException | None]()
    threads = [
        threading.Thread(target=_work, args=(act, todo, done, stopped), name="headwater-downloading", daemon=True)
        for _ in range(min(count, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(items)):
            if (error := done.get()) is not None:
                raise error
    except BaseException:
        stopped.set()
        until_s = time.monotonic() + LEAVE_S_MAX
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        raise


def _work(
    act: Callable[[T], None],
    todo: Iterable[T],
    done: "SimpleQueue[BaseException | None]",
    stopped: threading.Event,
) -> None:
    with suppress(BaseException):  # whoever waits raises it
        for item in todo:
            if stopped.is_set():
                return
            try:
                act(item)
            finally:
                done.put(sys.exc_info()[1])
