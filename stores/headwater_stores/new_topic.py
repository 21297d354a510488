"""The topic of a profile, into which the records of another log are restored.

A topic is there from the beginning, so the next restore continues where one was interrupted.
"""

from contextlib import closing, suppress
from dataclasses import dataclass, replace

from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.database import Database
from headwater_consumer.writing.log_copy import LogCopy
from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_schemas.errors import StoreError

from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings
from headwater_stores.exclusive_jobs import exclusive_job
from headwater_stores.new_logs import Restored
from headwater_stores.server_settings import kafka_settings
from headwater_stores.servers import open_database
from headwater_stores.telling.progress import Progress

RESTORING = "restoring"


@dataclass(frozen=True)
class NewTopic:
    """A `NewLog`. It gets as many partitions as the log had."""

    settings: Settings
    profile: Profile
    keeps_projection = True

    def check(self, source: ArchivedLog) -> None:
        """As `NewLog` says."""
        KafkaEventLog.check_can_create(self._topic(source), ancestors=ancestors_after(source))

    def survivor(self) -> Database | None:
        """As `NewLog` says."""
        with suppress(StoreError):
            return open_database(self.profile, create=False)
        return None

    def restore(self, source: ArchivedLog) -> Restored:
        """As `NewLog` says. Raises: StoreNotOurs also where something was logged there since."""
        topic, ancestors, wait_s = self._topic(source), ancestors_after(source), self.settings.wait_s
        with (
            exclusive_job(self.settings, RESTORING),
            closing(KafkaEventLog.create(topic, ancestors=ancestors, timeout_s=wait_s)) as log,
        ):
            copy = LogCopy(source, log)
            with Progress("restoring", total=copy.offsets, unit="", quiet=self.settings.quiet) as progress:
                return Restored(log.generation, copy.run(timeout_s=wait_s, watch=progress.advance))

    def _topic(self, source: ArchivedLog) -> KafkaSettings:
        return replace(kafka_settings(self.profile), partitions=source.partitions)
