"""Projection without a service: whoever waits for an answer projects, under a lock, for everyone who waits."""

import contextlib
import time
from functools import cache
from pathlib import Path

from headwater_eventlog.port import EventLog
from headwater_eventlog.turns import next_in_line
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut
from sqlalchemy import bindparam, select

from headwater_consumer.database import Database
from headwater_consumer.queries.asking import Statement
from headwater_consumer.rows import LogPosition
from headwater_consumer.runner import Projector, StaleProjector

RECORDS_LOOKED_AT = 16  # to see whether they matter; more are projected sooner than looked at


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
        there = self._offsets()
        return all(there.get(partition, BEFORE_FIRST) >= offset for partition, offset in cut.offsets.items())

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection holds all that the log says under `key`.

        All answers about a collection come from the events of its key, so that a few events about others, which are
        on the log but not yet projected, need not be waited for. Raises: as `catch_up`.
        """
        partition = self._log.partition_of(key)
        after = self._offsets().get(partition, BEFORE_FIRST)
        ahead = self._log.read(partition, after=after, limit=RECORDS_LOOKED_AT)
        if len(ahead) == RECORDS_LOOKED_AT or any(record.key == key for record in ahead):
            self.catch_up(timeout_s=timeout_s)

    def _offsets(self) -> dict[int, int]:
        """Partition → offset of its last record in the projection; of another log nothing counts."""
        with self._database.asking() as connection:
            rows = _offsets_of_generation().tuples(connection, generation=self._log.generation)
        return dict(rows)

    def now(self) -> Cut:
        """Everything that is on the log now."""
        return Cut(self._log.generation, dict(self._log.ends()))

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given; project if nobody else does.

        Raises: StoreUnavailable when that takes longer than `timeout_s`; what `Projector.project_batch` raises.
        """
        cut = self.now() if cut is None else cut
        deadline = time.monotonic() + timeout_s
        if self.covers(cut):
            return
        with next_in_line(str(self._lock_file), deadline):
            while not self.covers(cut):
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"{self._database.name} did not catch up within {timeout_s:.0f} s. "
                        "What was written is safe; try again."
                    )
                # Without the lock, as where there are no locks, compare-and-set alone keeps order: who is overtaken
                # looks again.
                with contextlib.suppress(StaleProjector):
                    self._project(cut)

    def _project(self, cut: Cut) -> None:
        there = self._offsets()
        for partition, offset in cut.offsets.items():
            if there.get(partition, BEFORE_FIRST) < offset:
                self._projector.project_batch(partition)


@cache
def _offsets_of_generation() -> Statement:
    columns = LogPosition.table.c
    return Statement(select(columns.partition, columns.offset).where(columns.generation == bindparam("generation")))
