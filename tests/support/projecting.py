"""The work of the projector host: one consumer reads all topics of a broker, and each has its own database."""

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, cast

from headwater_consumer.database import Database
from headwater_consumer.database.projector_reports import REPORT_EVERY_S, report_projector
from headwater_consumer.writing.log_check import before
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.kafka.reader import consumer_options, to_records
from headwater_eventlog.port import EventLog, Record, identity_of
from headwater_schemas.errors import StoreError, UnknownSchema
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import kafka_settings
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

POLL_MS = 20  # how soon a store is started or stopped
FETCH_WAIT_MS = 25  # how long a broker waits for records, and a new topic with it
PROJECTOR = "that of the tests"
COMPARE_S = 1.0  # between two looks at where a projection is: a replay may have replaced it
RETRY_S = 0.5  # after a database failed, or at a record of a newer release
DATABASES_OPEN_MAX = 16

_log = logging.getLogger("tests.projector_host")


class _Consumer:
    """Reads the topics of one broker by assigned partitions."""

    def __init__(self, address: str) -> None:
        self._client: Any = KafkaConsumer(
            bootstrap_servers=address, fetch_max_wait_ms=FETCH_WAIT_MS, **consumer_options()
        )
        self.topics: dict[str, _AssignedLog] = {}

    def assign(self) -> None:
        """Read all partitions of `topics`; those that were read before are read on."""
        self._client.assign([at for log in self.topics.values() for at in log.all])

    def seek(self, at: TopicPartition, offset: int) -> None:
        self._client.seek(at, offset)

    def poll(self) -> None:
        """Let each topic have what arrived."""
        try:
            found = self._client.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:  # a test removed records
            self._client.pause(*error.args[0])
            return
        except KafkaError as error:
            _log.warning("Polling failed: %s", error)
            return
        for at, records in found.items():
            if log := self.topics.get(at.topic):
                log.arrived(at.partition, records)

    def close(self) -> None:
        self._client.close(autocommit=False, timeout_ms=0)


class _AssignedLog:
    """What a projector needs of a log: `read` gives what the consumer has brought so far."""

    def __init__(self, consumer: _Consumer, topic: str, generation: str, partitions: int) -> None:
        self.generation, self.partitions = generation, partitions
        self.ancestors: tuple[str, ...] = ()
        self.all = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer = consumer
        self._records: dict[int, list[Record]] = {}
        self._before: dict[int, int] = {}  # partition → the offset after which the records were read

    def arrived(self, partition: int, found: Sequence[Any]) -> None:
        records = to_records(len(self.ancestors), partition, found)
        self._records.setdefault(partition, []).extend(records)

    def read(self, partition: int, *, after: int, limit: int) -> Sequence[Record]:
        if after < self._before.get(partition, after + 1):
            self._before[partition] = after
            self._records[partition] = []
            self._consumer.seek(self.all[partition], after + 1)
        return [record for record in self._records[partition] if record.position.offset > after][:limit]

    def is_read_beyond(self, partition: int, offset: int) -> bool:
        """Whether what follows `offset` was read and dropped."""
        return self._before.get(partition, offset) > offset

    def drop_projected(self, partition: int) -> None:
        """Keep no record that was read."""
        if records := self._records.get(partition):
            self._before[partition] = records[-1].position.offset
            records.clear()

    def pending(self) -> list[int]:
        """The partitions of which there are records to project."""
        return [partition for partition, records in self._records.items() if records]


class _Projected:
    """One store."""

    def __init__(self, log: _AssignedLog, database: Database) -> None:
        database.bind_to_log(identity_of(cast("EventLog", log)))
        self._database, self._report_at_s, self._compare_at_s = database, 0.0, 0.0
        self._log = log
        self._projector = Projector(cast("EventLog", log), database)
        self._not_before_s = 0.0
        self._trouble = ""

    def begin(self) -> None:
        """Have every partition read from where the projection stands."""
        self._report()
        for partition in range(self._log.partitions):
            self._log.read(partition, after=before(self._projector.cursor(partition)), limit=1)

    def project(self) -> None:
        """Project what has arrived; what fails is tried again after a while."""
        if time.monotonic() < self._not_before_s:
            return
        self._report()
        if time.monotonic() >= self._compare_at_s:
            with suppress(StoreError):
                self._compare_cursors()
        pending = self._log.pending()
        for partition in pending:
            try:
                self._project_partition(partition)
            except (StoreError, UnknownSchema) as error:
                self._not_before_s = time.monotonic() + RETRY_S
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    _log.warning("Trying again: %s", error)
        if pending:
            self._database.announce("")  # whoever waits looks

    def _report(self) -> None:
        if time.monotonic() >= self._report_at_s:
            self._report_at_s = time.monotonic() + REPORT_EVERY_S
            with suppress(StoreError):
                report_projector(self._database, PROJECTOR, is_running=True)

    def _compare_cursors(self) -> None:
        """Have what the projection does not have any more read again."""
        self._compare_at_s = time.monotonic() + COMPARE_S
        for partition, cursor in self._projector.cursors(range(self._log.partitions)).items():
            if self._log.is_read_beyond(partition, cursor.offset):
                self._log.read(partition, after=before(cursor), limit=1)

    def _project_partition(self, partition: int) -> None:
        while True:
            try:
                if not self._projector.project_batch(partition):
                    self._log.drop_projected(partition)
                    return
            except StaleProjector:  # a test projects, too
                continue


class ProjectedStores:
    """All stores that are projected now, by their topics."""

    def __init__(self) -> None:
        self._consumers: dict[str, _Consumer] = {}
        self._databases: OrderedDict[tuple[str, str], Database] = OrderedDict()
        self._stores: dict[str, _Projected] = {}

    @property
    def are_any(self) -> bool:
        return bool(self._stores)

    def start(self, environment: Mapping[str, str], generation: str | None) -> None:
        """Project a store; its topic, where no generation is given, and its tables are made where they are missing."""
        profile = read_settings(environment).profile
        assert profile is not None
        kafka = kafka_settings(profile)
        partitions = kafka.partitions
        if generation is None:
            generation, partitions = _made(kafka)
        consumer = self._consumers.get(kafka.servers) or self._consumers.setdefault(
            kafka.servers, _Consumer(kafka.servers)
        )
        log = consumer.topics[kafka.topic] = _AssignedLog(consumer, kafka.topic, generation, partitions)
        consumer.assign()
        store = _Projected(log, self._database(profile.database_url, profile.database_schema))
        store.begin()
        self._stores[kafka.topic] = store

    def project(self) -> None:
        """Project what arrives within a moment."""
        for consumer in self._consumers.values():
            if consumer.topics:
                consumer.poll()
        for store in self._stores.values():
            store.project()

    def stop(self, topic: str) -> None:
        """Project a store no longer."""
        del self._stores[topic]
        for address, consumer in list(self._consumers.items()):
            if consumer.topics.pop(topic, None):
                consumer.assign()
                if not consumer.topics and len(self._consumers) > 1:  # of a broker that a test had for itself
                    self._consumers.pop(address).close()

    def _database(self, url: str, schema: str) -> Database:
        """The projection, which stays open for the next test."""
        if (url, schema) not in self._databases:
            self._databases[url, schema] = Database.open_postgresql(url, schema=schema)
            if len(self._databases) > DATABASES_OPEN_MAX:
                self._databases.popitem(last=False)[1].close()
        self._databases.move_to_end((url, schema))
        return self._databases[url, schema]


def _made(settings: KafkaSettings) -> tuple[str, int]:
    """Generation and partitions of a topic that is made where there is none."""
    with closing(KafkaEventLog.open(settings, create=True)) as log:
        return log.generation, log.partitions
