"""Every adapter of the event log: how to make a fresh log, open it from any process, and look past the adapter.

A place of the log on Kafka is "servers|topic".
"""

import sqlite3
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka.log import KafkaEventLog
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.port import EventLog
from kafka import KafkaConsumer, TopicPartition

from tests.support.servers import servers

CREATE_S = 60.0
KAFKA_PARTITIONS = 4  # enough to tell them apart, few enough to be quick

RawRecord = tuple[int, int, str, bytes]  # partition, offset, key, payload


@dataclass(frozen=True)
class LogPlace:
    """Where a log is. Can be sent to another process, which opens it there."""

    adapter: str
    where: str

    def open(self) -> EventLog:
        return _ADAPTERS[self.adapter].open(self.where)

    def create(self, ancestors: Sequence[str]) -> EventLog:
        """A log into which those of others are restored."""
        return _ADAPTERS[self.adapter].create(self.where, ancestors)

    def raw(self) -> list[RawRecord]:
        """All records, read without the adapter."""
        return _ADAPTERS[self.adapter].raw(self.where)


@dataclass(frozen=True)
class _Adapter:
    place: Callable[[Path], str]  # from a fresh folder of the test's
    open: Callable[[str], EventLog]
    create: Callable[[str, Sequence[str]], EventLog]
    raw: Callable[[str], list[RawRecord]]


def _raw_embedded(where: str) -> list[RawRecord]:
    with closing(sqlite3.connect(Path(where) / "log.db")) as database:
        return database.execute("SELECT 0, offset, key, payload FROM records ORDER BY offset").fetchall()


def kafka_settings(where: str) -> KafkaSettings:
    address, topic = where.split("|")
    return KafkaSettings(address, topic, partitions=KAFKA_PARTITIONS)


def _raw_kafka(where: str) -> list[RawRecord]:
    address, topic = where.split("|")
    with closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")) as consumer:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        found: list[RawRecord] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=1000).values():
                found += [(record.partition, record.offset, record.key.decode(), record.value) for record in records]
    return sorted(found)


_ADAPTERS = {
    "embedded": _Adapter(
        place=str,
        open=lambda where: EmbeddedEventLog.open(Path(where)),
        create=lambda where, ancestors: EmbeddedEventLog.create(Path(where), ancestors=ancestors),
        raw=_raw_embedded,
    ),
    "kafka": _Adapter(
        place=lambda _: f"{servers().kafka}|log-{uuid.uuid4().hex}",
        open=lambda where: KafkaEventLog.open(kafka_settings(where), create=True),
        create=lambda where, ancestors: KafkaEventLog.create(
            kafka_settings(where), ancestors=ancestors, timeout_s=CREATE_S
        ),
        raw=_raw_kafka,
    ),
}

each_adapter = pytest.mark.parametrize("adapter", list(_ADAPTERS))


def fresh_place(adapter: str, folder: Path) -> LogPlace:
    """A place in which there is no log yet."""
    return LogPlace(adapter, _ADAPTERS[adapter].place(folder))
