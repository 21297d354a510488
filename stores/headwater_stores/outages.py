"""Servers that are away are waited for, while a store is opened and while it is used."""

import time
from collections.abc import Callable
from typing import TypeVar

from headwater_runtime.durations import format_seconds
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreNotAnswering, StoreUnavailable

from headwater_stores.telling.waiting import telling

OUTAGE_BACKOFF = Backoff(pause_s_min=0.1, pause_s_max=2.0)  # while a server is away

T = TypeVar("T")


def patiently(act: Callable[[], T], *, name: str, outage_s: float, is_outage: Callable[[StoreUnavailable], bool]) -> T:
    """What `act` returns, as soon as the servers of the store `name` answer. Whoever waits long is told.

    Raises: what `act` raises, at once unless it `is_outage`; then after `outage_s`, and the attempt that goes on then.
    """
    retries = OUTAGE_BACKOFF.start(deadline=time.monotonic() + outage_s)
    trouble = f"{name} to answer"
    with telling(lambda: trouble):
        while True:
            try:
                return act()
            except StoreUnavailable as error:
                trouble = f"{name}: {error}"
                if not is_outage(error) or not retries.pause():
                    raise


def ride_out(open_it: Callable[[], T], *, name: str, outage_s: float) -> T:
    """What `open_it` opens, as `patiently`.

    Raises: StoreNotAnswering when the servers do not answer in time; what else `open_it` raises, at once.
    """
    started_s = time.monotonic()
    try:
        return patiently(
            open_it, name=name, outage_s=outage_s, is_outage=lambda error: isinstance(error, StoreNotAnswering)
        )
    except StoreNotAnswering as error:
        tried = format_seconds(time.monotonic() - started_s)
        raise StoreNotAnswering(
            f"cannot open {name}, tried for {tried}: {error} HEADWATER_OUTAGE_SECONDS sets for how long servers that "
            "are away are waited for."
        ) from error
