"""What must be asked of the servers to say how a projector stands: beside its loop, and never while somebody waits."""

import logging
from functools import cache

from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreError
from sqlalchemy import func, select

from headwater_consumer.asking import Statement
from headwater_consumer.database import Database
from headwater_consumer.rows import DeadLetter, ParkedKey
from headwater_consumer.service.beside import Beside
from headwater_consumer.service.standing import Standing

MEASURE_S = 2.0  # between two looks; each costs the servers some milliseconds

_log = logging.getLogger("headwater.projector")


class Measuring(Beside):
    """A thread that asks now and then. Where the servers do not answer, what was known stays."""

    def __init__(self, log: EventLog, database: Database, standing: Standing, *, every_s: float = MEASURE_S) -> None:
        super().__init__("measuring")
        self._log, self._database, self._standing = log, database, standing
        self._every_s = every_s

    def work(self) -> None:
        while not self.over.is_set():
            try:
                self._once()
            except StoreError as error:
                _log.debug("The lag could not be measured: %s", error)
            self.over.wait(self._every_s)

    def _once(self) -> None:
        ends = self._log.ends()
        with self._database.asking() as connection:
            letters, parked = _waiting().first(connection)
        self._standing.measured(ends, letters, parked)


@cache
def _waiting() -> Statement:
    letters, parked = DeadLetter.table, ParkedKey.table
    return Statement(
        select(
            select(func.count()).select_from(letters).where(letters.c.decision.is_(None)).scalar_subquery(),
            select(func.count()).select_from(parked).where(parked.c.offset.is_not(None)).scalar_subquery(),
        )
    )
