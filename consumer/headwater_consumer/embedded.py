"""Projection without a service: whoever waits for an answer projects, under a lock, for everyone who waits."""

import time
from pathlib import Path

from headwater_eventlog.port import EventLog
from headwater_eventlog.turns import next_in_line
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut
from sqlalchemy import select

from headwater_consumer.database import Database
from headwater_consumer.rows import LogPosition
from headwater_consumer.runner import Projector, StaleProjector

STALE_TRIES_MAX = 100  # each one means that another process got on meanwhile


class EmbeddedProjection:
    """Brings the projection up to what was written, from any process, at most one at a time."""

    def __init__(self, log: EventLog, database: Database, lock_file: Path) -> None:
        self._log = log
        self._database = database
        self._lock_file = lock_file
        self._projector = Projector(log, database)

    def covers(self, cut: Cut) -> bool:
        """Whether everything in `cut` is in the projection. Raises: InvalidInput when `cut` is of another log."""
        if cut.generation != self._log.generation:
            raise InvalidInput(
                f"a cut of log {cut.generation} says nothing about log {self._log.generation}. Write or read anew."
            )
        columns = LogPosition.table.c
        with self._database.reading() as connection:
            # Of another log nothing counts; `Projector` then says so.
            ours = select(columns.partition, columns.offset).where(columns.generation == self._log.generation)
            rows = connection.execute(ours).all()
        there = {row.partition: row.offset for row in rows}
        return all(there.get(partition, BEFORE_FIRST) >= offset for partition, offset in cut.offsets.items())

    def now(self) -> Cut:
        """Everything that is on the log now."""
        ends = {partition: self._log.end(partition) for partition in range(self._log.partitions)}
        return Cut(self._log.generation, ends)

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given; project if nobody else does.

        Raises: StoreUnavailable when that takes longer than `timeout_s`; what `Projector.project_batch` raises.
        """
        cut = self.now() if cut is None else cut
        deadline = time.monotonic() + timeout_s
        if self.covers(cut):
            return
        with next_in_line(str(self._lock_file), deadline):
            # Without the lock, as where there are no locks, compare-and-set alone keeps order: slower, never wrong.
            for _ in range(STALE_TRIES_MAX):
                if self.covers(cut):
                    return
                try:
                    self._projector.project_all()
                except StaleProjector:
                    continue
                if time.monotonic() > deadline:
                    break
        if not self.covers(cut):
            raise StoreUnavailable(
                f"{self._database.name} did not catch up within {timeout_s:.0f} s. What was written is safe; try again."
            )
