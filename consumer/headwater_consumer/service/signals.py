"""Ending a process by a signal, after the work in hand."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT inside the block calls `stop`, a second one ends the process. For the main thread."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as the library calls it
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stop()

    for each in before:
        signal.signal(each, once)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
