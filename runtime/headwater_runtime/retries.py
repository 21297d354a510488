"""Back-off: how long to pause between attempts, and when to give up. One definition for the whole product."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

_EXPONENT_MAX = 64  # beyond it every pause is `pause_s_max`, and a float could overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Bounds of repeated attempts at one thing. Pauses grow from `pause_s_min` to `pause_s_max`."""

    pause_s_min: float
    pause_s_max: float
    growth: float = 2.0  # each pause is so many times the one before
    jitter: float = 0.0  # the share of each pause that is random, 0 to 1
    attempts_max: int | None = None  # the first one counts; None: until the deadline
    total_s_max: float | None = None  # where the caller gives no deadline; None: no bound on time
    waits_until_deadline: bool = False  # shorten the last pause to end there; otherwise give up before it

    def pause_s(self, failures: int) -> float:
        """The pause after so many failed attempts in a row, at least one."""
        pause_s = min(self.pause_s_max, self.pause_s_min * self.growth ** min(failures - 1, _EXPONENT_MAX))
        return pause_s * (1 - self.jitter * random.random()) if self.jitter else pause_s  # noqa: S311 - no secret

    def start(
        self,
        *,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> "Retries":
        """Begin the first attempt. `deadline`, by `clock`, replaces `total_s_max`."""
        if deadline is None and self.total_s_max is not None:
            deadline = clock() + self.total_s_max
        return Retries(self, deadline, clock, sleep)


class Retries:
    """The state of repeated attempts; created by `Backoff.start`."""

    def __init__(
        self, backoff: Backoff, deadline: float | None, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._backoff = backoff
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep
        self.failures = 0  # in a row

    def pause(self, at_least_s: float = 0.0) -> bool:
        """After a failed attempt: wait for the next one. False, at once, when there is to be none.

        `at_least_s`: what the other side asked to wait.
        """
        self.failures += 1
        if self.failures == self._backoff.attempts_max:
            return False
        pause_s = max(at_least_s, self._backoff.pause_s(self.failures))
        if self._deadline is not None:
            left_s = self._deadline - self._clock()
            if self._backoff.waits_until_deadline and left_s > 0:
                pause_s = min(pause_s, left_s)
            if pause_s > left_s:
                return False
        self._sleep(pause_s)
        return True

    def reset(self) -> None:
        """After progress: the next failure is the first again."""
        self.failures = 0
