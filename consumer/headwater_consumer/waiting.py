"""The projection as one sees it who does not project: what was written is there once a projector has been past it."""

import time
from functools import cache
from typing import Any

from headwater_eventlog.port import EventLog
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut
from sqlalchemy import bindparam, select

from headwater_consumer.asking import Statement
from headwater_consumer.database import Database
from headwater_consumer.rows import LogPosition

# A check takes about 2 ms; many wait at once, and each check is a statement, so that later ones are rarer.
POLL = Backoff(pause_s_min=0.002, pause_s_max=0.05, growth=1.3)


class ProjectionView:
    """Where the projection of a log stands."""

    def __init__(self, log: EventLog, database: Database) -> None:
        self._log = log
        self._database = database

    def covers(self, cut: Cut) -> bool:
        """Whether everything in `cut` is in the projection. Raises: InvalidInput when `cut` is of another log."""
        if cut.generation != self._log.generation:
            raise InvalidInput(
                f"a cut of log {cut.generation} says nothing about log {self._log.generation}. Write or read anew."
            )
        there = self.offsets()
        return all(there.get(partition, BEFORE_FIRST) >= offset for partition, offset in cut.offsets.items())

    def now(self) -> Cut:
        """Everything that is on the log now."""
        return Cut(self._log.generation, dict(self._log.ends()))

    def offsets(self) -> dict[int, int]:
        """Partition → offset of its last record in the projection; of another log nothing counts."""
        with self._database.asking() as connection:
            rows = _offsets_of_generation().tuples(connection, generation=self._log.generation)
        return dict(rows)


class WaitingProjection(ProjectionView):
    """A projection that others keep: `headwater projector`, on this machine or another."""

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given.

        Raises: StoreUnavailable when that takes longer than `timeout_s`.
        """
        cut = self.now() if cut is None else cut
        deadline = time.monotonic() + timeout_s
        polls = POLL.start(deadline=deadline)
        while not self._covers(cut, deadline):
            if not polls.pause():
                raise StoreUnavailable(self._too_late(cut, timeout_s))

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection holds all that the log says under `key`. Raises: as `catch_up`."""
        partition = self._log.partition_of(key)
        self.catch_up(Cut(self._log.generation, {partition: self._log.end(partition)}), timeout_s=timeout_s)

    def _covers(self, cut: Cut, deadline: float) -> bool:
        """Whether it does by now; a database that does not answer may do so again before the deadline."""
        try:
            return self.covers(cut)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            return False

    def _too_late(self, cut: Cut, timeout_s: float) -> str:
        there = self.offsets()
        behind = {
            partition: offset - there.get(partition, BEFORE_FIRST)
            for partition, offset in cut.offsets.items()
            if offset > there.get(partition, BEFORE_FIRST)
        }
        worst = max(behind, key=behind.__getitem__)
        return (
            f"{self._database.name} did not catch up within {timeout_s:.0f} s: partition {worst} is "
            f"{behind[worst]:,} records behind. What was written is safe. See that `headwater projector` runs, and "
            "what its health endpoint says."
        )


@cache
def _offsets_of_generation() -> Statement:
    columns: Any = LogPosition.table.c
    return Statement(select(columns.partition, columns.offset).where(columns.generation == bindparam("generation")))
