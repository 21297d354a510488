"""What the projection says about access, remembered for a moment: asking it for each request would cost a query each.

What was revoked holds here for FRESH_S at most; while the database does not answer, for STALE_S.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from headwater_schemas.errors import StoreError

from headwater_server.http.problems import Problem, come_again

FRESH_S = 1.0  # so long an answer counts
STALE_S = 30.0  # so long while the database does not answer
ASK_S = 5.0  # so long a request waits for an answer of the database
KEPT_MAX = 10_000  # answers; those that nobody asked for go first

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T
    asked_s: float  # by a monotonic clock, before it was asked


class View(Generic[T]):
    """The answers to one kind of question. For one event loop."""

    def __init__(self, ask: Callable[[str], Awaitable[T | None]], clock: Callable[[], float] = time.monotonic) -> None:
        """`ask` is None for what is not there; that is not remembered, so what is made later counts at once."""
        self._ask, self._clock = ask, clock
        self._answers: OrderedDict[str, _Answer[T]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[T | None]] = {}  # several requests wait for one answer

    async def get(self, name: str) -> T | None:
        """What is the case, FRESH_S ago at most; STALE_S where the database is away. Raises: Problem."""
        known = self._answers.get(name)
        if known is not None and self._age_s(known) <= FRESH_S:
            self._answers.move_to_end(name)
            return known.value
        try:
            return await asyncio.wait_for(asyncio.shield(self._asked(name)), ASK_S)
        except (StoreError, TimeoutError) as error:
            known = self._answers.get(name)
            if known is not None and self._age_s(known) <= STALE_S:
                return known.value
            raise _unknown() from error

    def forget(self) -> None:
        """Something changed here: ask again, whatever is known."""
        self._answers.clear()
        self._asking.clear()

    def _age_s(self, answer: _Answer[T]) -> float:
        return self._clock() - answer.asked_s

    def _asked(self, name: str) -> "asyncio.Task[T | None]":
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._remember(name))
            task.add_done_callback(lambda done: self._end(name, done))
        return task

    async def _remember(self, name: str) -> T | None:
        asked_s = self._clock()
        value = await self._ask(name)
        if self._asking.get(name) is asyncio.current_task():  # nothing changed meanwhile
            if value is None:
                self._answers.pop(name, None)
            else:
                self._answers[name] = _Answer(value, asked_s)
                self._answers.move_to_end(name)
                while len(self._answers) > KEPT_MAX:
                    self._answers.popitem(last=False)
        return value

    def _end(self, name: str, task: "asyncio.Task[T | None]") -> None:
        if self._asking.get(name) is task:
            del self._asking[name]
        if not task.cancelled():
            with suppress(StoreError):  # told to who waited, where anybody still did
                task.result()


def _unknown() -> Problem:
    return come_again(
        "access-unknown",
        "the server cannot tell now what you may do: its database does not answer.",
        "Ask again in a moment.",
    )
