"""Waiting for a projection that other processes keep up: for what they announce, and seldom by looking.

A stated number of processes listen. The others look, and so do those who listen, since announcements are only hints.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.database import Database
from headwater_consumer.writing.announcements import announced

# Each look is a statement, of many waiting processes. A projector takes some hundredths of a second.
LOOKING = Backoff(pause_s_min=0.02, pause_s_max=1.0, growth=1.5)
LISTENING = Backoff(pause_s_min=0.25, pause_s_max=1.0)
SLICE_S = 0.2  # for so long a listener holds its connection, and a fork of the process waits for it


@dataclass(frozen=True, slots=True)
class WaitTimer:
    """How time passes for who waits. Simulations have their own."""

    monotonic: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep


REAL_TIME = WaitTimer()


class News:
    """Waits for news of one cut. As `Retries`: each `pause` ends when it is worth looking again."""

    def __init__(self, database: Database, cut: Cut, deadline: float, timer: WaitTimer = REAL_TIME) -> None:
        self._database = database
        self._cut = cut
        self._deadline = deadline
        self._timer = timer
        self._offsets: dict[int, int] = {}  # of the cut's partitions, as announced
        self._pauses = 0

    def pause(self) -> bool:
        """Wait until the cut may be covered, or for the next look; False, at once, when the deadline has passed."""
        clock = self._timer.monotonic
        self._pauses += 1
        now = clock()
        if now >= self._deadline:
            return False
        listening, looking = (
            min(self._deadline, now + backoff.pause_s(self._pauses)) for backoff in (LISTENING, LOOKING)
        )
        while (left_s := listening - clock()) > 0:
            heard = self._hear(min(left_s, SLICE_S))
            if heard is None:  # others listen
                self._timer.sleep(max(0.0, looking - clock()))
                break
            if any(map(self._is_news, heard)):
                break
        return True

    def _hear(self, timeout_s: float) -> list[str] | None:
        with suppress(StoreUnavailable):  # a database that does not respond may do so again
            return self._database.hear(timeout_s)
        return None

    def _is_news(self, text: str) -> bool:
        """Whether the cut may be covered, after this announcement."""
        reached = announced(text, self._cut.generation)
        if reached is None:
            return True
        for partition in self._cut.offsets.keys() & reached.offsets.keys():
            self._offsets[partition] = max(self._offsets.get(partition, BEFORE_FIRST), reached.offsets[partition])
        return Cut(self._cut.generation, self._offsets).includes(self._cut)
