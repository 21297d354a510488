"""When an open run says that it is still there, and the clock by which readers judge whether it is."""

import time
from collections.abc import Iterator

FIRST_S = 300  # most runs are over by then
LAST_S = 3600  # a run of a month sends seven hundred


def now_us() -> int:
    """This machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


def intervals() -> Iterator[int]:
    """Seconds from the start to the first heartbeat, and from each to the next: doubling, up to an hour."""
    seconds = FIRST_S
    while True:
        yield seconds
        seconds = min(seconds * 2, LAST_S)
