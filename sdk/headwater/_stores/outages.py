"""Servers that are away while a store is opened are waited for, as they are while it is used."""

import time
from collections.abc import Callable
from typing import TypeVar

from headwater_runtime.durations import format_seconds
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreNotAnswering

from headwater._waiting import telling

OUTAGE_BACKOFF = Backoff(pause_s_min=0.1, pause_s_max=2.0)  # while a server is away

T = TypeVar("T")


def ride_out(open_it: Callable[[], T], *, name: str, outage_s: float) -> T:
    """What `open_it` opens, as soon as the servers of the store `name` answer.

    Raises: StoreNotAnswering when they do not within `outage_s` and the attempt that goes on then; what else `open_it`
    raises, at once.
    """
    started_s = time.monotonic()
    retries = OUTAGE_BACKOFF.start(deadline=started_s + outage_s)
    trouble = f"{name} to answer"
    with telling(lambda: trouble):
        while True:
            try:
                return open_it()
            except StoreNotAnswering as error:
                trouble = f"{name}: {error}"
                if not retries.pause():
                    tried = format_seconds(time.monotonic() - started_s)
                    raise StoreNotAnswering(
                        f"cannot open {name}, tried for {tried}: {error} HEADWATER_OUTAGE_SECONDS sets for how long "
                        "servers that are away are waited for."
                    ) from error
