"""A projector reports that it is running, for as long as it does: in a thread, whatever its main loop waits for."""

import logging
import os
import secrets
import socket

from headwater_schemas.errors import StoreError
from headwater_schemas.limits import LABEL_LENGTH_MAX

from headwater_consumer.database import Database
from headwater_consumer.database.projector_reports import REPORT_EVERY_S, report_projector
from headwater_consumer.service.background import BackgroundThread

_log = logging.getLogger("headwater.projector")


class Announcer(BackgroundThread):
    """Reports regularly. A database that does not answer is tried again at the next report."""

    def __init__(self, database: Database, *, every_s: float = REPORT_EVERY_S) -> None:
        super().__init__("announcer")
        self._database = database
        self._every_s = every_s
        name = f"{socket.gethostname()}, process {os.getpid()}"[:LABEL_LENGTH_MAX]
        self._projector = f"{name}, {secrets.token_hex(4)}"

    def work(self) -> None:
        while not self.stopping.is_set():
            self._report(is_running=True)
            self.stopping.wait(self._every_s)
        self._report(is_running=False)

    def _report(self, *, is_running: bool) -> None:
        try:
            report_projector(self._database, self._projector, is_running=is_running)
        except StoreError as error:
            _log.debug("It could not be reported that this projector is running: %s", error)
