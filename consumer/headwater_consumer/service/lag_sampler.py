"""The lag of a projector, sampled from the servers in the background of its loop."""

import logging

from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreError

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import func, select
from headwater_consumer.database.tables import DEAD_LETTERS, PARKED_KEYS
from headwater_consumer.service.background import BackgroundThread
from headwater_consumer.service.status import ProjectorStatus

SAMPLE_S = 2.0  # between two samples; each costs the servers some milliseconds

_log = logging.getLogger("headwater.projector")


class LagSampler(BackgroundThread):
    """A thread that samples regularly. While the servers do not answer, the last sample stays."""

    def __init__(
        self, log: EventLog, database: Database, status: ProjectorStatus, *, every_s: float = SAMPLE_S
    ) -> None:
        super().__init__("lag-sampler")
        self._log, self._database, self._status = log, database, status
        self._every_s = every_s

    def work(self) -> None:
        while not self.stopping.is_set():
            try:
                self._sample()
            except StoreError as error:
                _log.debug("The lag could not be sampled: %s", error)
            self.stopping.wait(self._every_s)

    def _sample(self) -> None:
        ends = self._log.ends()
        with self._database.autocommit() as connection:
            letters, parked = _counts().first(connection)
        self._status.sampled(ends, letters, parked)


@compiled
def _counts() -> Statement:
    return select(
        select(func.count()).select_from(DEAD_LETTERS).scalar_subquery(),
        select(func.count()).select_from(PARKED_KEYS).scalar_subquery(),
    )
