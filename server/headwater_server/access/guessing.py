"""Slow down who guesses. A valid token is never slowed: only an answer that refuses waits."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from headwater_server.http.problems import Problem

FREE = 10  # refusals of one address at once that cost nothing: people mistype
FORGIVEN_PER_S = 0.2  # refusals of an address
DELAY_S_MIN, DELAY_S_MAX = 0.1, 5.0  # doubled with each further refusal
WAITING_MAX = 200  # refusals that wait at once; more are answered at once, with another answer
ADDRESSES_MAX = 10_000  # that are remembered; those that were refused longest ago go first


class Guessing:
    """How often each address was refused lately. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address → (how often, when last)
        self.waiting = 0

    async def refuse(self, address: str) -> None:
        """Return once this address may hear that it was refused. Raises: Problem where too many wait already."""
        delay_s = self._delay_s(address)
        if not delay_s:
            return
        if self.waiting >= WAITING_MAX:
            raise _too_many(delay_s)
        self.waiting += 1
        try:
            await asyncio.sleep(delay_s)
        finally:
            self.waiting -= 1

    def _delay_s(self, address: str) -> float:
        now_s = self._clock()
        count, last_s = self._refused.pop(address, (0.0, now_s))
        count = max(0.0, count - (now_s - last_s) * FORGIVEN_PER_S) + 1
        self._refused[address] = count, now_s
        if len(self._refused) > ADDRESSES_MAX:
            self._refused.popitem(last=False)
        over = count - FREE
        return 0.0 if over <= 0 else min(DELAY_S_MAX, DELAY_S_MIN * 2.0 ** min(over, 16.0))


def _too_many(delay_s: float) -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-attempts",
        "too many requests come with tokens that are not valid.",
        "Check HEADWATER_TOKEN before you ask again.",
        headers={"Retry-After": str(max(1, round(delay_s)))},
    )
