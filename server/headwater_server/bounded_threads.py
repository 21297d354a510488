"""Threads for calls that may take seconds: some run, some wait for their turn, and more are refused.

One caller has a part of the bound alone, so that nobody keeps everybody else waiting.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from headwater_server.http.open_slots import OpenSlots

P = ParamSpec("P")
T = TypeVar("T")
SHARE_OF_ONE = 4  # of the calls that are let in, one caller's are a quarter at most


class BoundedThreads:
    """Those of one server for one purpose. For the loop's thread alone."""

    def __init__(self, what: str, *, threads: int, calls: int) -> None:
        """`what` the calls are, in the plural; `calls`: how many run or wait at once."""
        self._threads = ThreadPoolExecutor(threads, f"headwater-{what}")
        self._calls = OpenSlots(what, calls, calls // SHARE_OF_ONE)

    async def run(self, principal: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call `function` for `principal` in one of the threads. Raises: Problem when too many were let in already."""
        loop = asyncio.get_running_loop()
        with self._calls.counted(principal):
            return await loop.run_in_executor(self._threads, lambda: function(*arguments, **named))

    def close(self) -> None:
        """Wait for the calls that run; those that wait are not made."""
        self._threads.shutdown(wait=True, cancel_futures=True)
