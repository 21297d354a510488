"""Topics for tests, and what others may do to them."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas.positions import BEFORE_FIRST
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, KafkaAdminClient

from tests.support.servers import servers

PARTITIONS = 4
WAIT_S = 30.0


def settings(topic: str | None = None, *, address: str | None = None) -> KafkaSettings:
    """Of a topic that is not there yet, unless one is named."""
    return KafkaSettings(address or servers().kafka, topic or f"log-{uuid.uuid4().hex}", partitions=PARTITIONS)


@contextmanager
def opened(where: KafkaSettings, *, create: bool = True, **more: Any) -> Iterator[KafkaEventLog]:
    with closing(KafkaEventLog.open(where, create=create, **more)) as log:
        yield log


@contextmanager
def administrator() -> Iterator[Any]:
    """The client library itself, for doing what headwater never does."""
    with closing(KafkaAdminClient(bootstrap_servers=servers().kafka)) as client:
        yield client


def make(name: str, partitions: int = PARTITIONS, **config: str) -> None:
    """A topic as somebody made it by hand; names of settings with _ for dots."""
    right = {"retention_ms": "-1", "retention_bytes": "-1", "message_timestamp_type": "LogAppendTime", **config}
    configs = {key.replace("_", "."): value for key, value in right.items()}
    new = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    with administrator() as client:
        client.create_topics({name: new}, wait_for_metadata=True)


def exists(name: str) -> bool:
    with administrator() as client:
        return name in client.list_topics()


def delete(name: str) -> None:
    with administrator() as client:
        client.delete_topics([name])
        deadline = time.monotonic() + WAIT_S
        while name in client.list_topics() and time.monotonic() < deadline:
            time.sleep(0.05)


def make_anew(name: str) -> None:
    delete(name)
    make(name)


def add_partitions(name: str, count: int) -> None:
    with administrator() as client:
        client.create_partitions({name: count})
        deadline = time.monotonic() + WAIT_S
        while len(client.describe_topics([name])[0]["partitions"]) != count and time.monotonic() < deadline:
            time.sleep(0.05)


def delete_records(name: str, partition: int, before: int) -> None:
    with administrator() as client:
        client.delete_records({TopicPartition(name, partition): before})


def set_config(name: str, **config: str) -> None:
    with administrator() as client:
        client.alter_configs([ConfigResource("TOPIC", name, {k.replace("_", "."): v for k, v in config.items()})])


def records_of(key: str, *payloads: bytes, partition: int | None = None) -> list[NewRecord]:
    return [NewRecord(key, payload, (), partition) for payload in payloads]


def payloads(log: EventLog, partition: int, *, after: int = BEFORE_FIRST) -> list[bytes]:
    found: list[bytes] = []
    while batch := log.read(partition, after=after):
        found += [record.payload for record in batch]
        after = batch[-1].position.offset
    return found


def put_with_header(name: str, partition: int, header: bytes) -> None:
    """A record whose header's name is any bytes, which the client's own producer would not send."""

    class Name(str):
        def encode(self, *_: object, **__: object) -> bytes:
            return header

    with closing(KafkaProducer(bootstrap_servers=servers().kafka)) as producer:
        producer.send(name, b"", b"k", [(Name("x"), b"")], partition=partition).get(WAIT_S)
