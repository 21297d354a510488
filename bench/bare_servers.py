"""What the servers' own clients need for the same: `minio` for bytes, kafka-python for records, as durable."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from headwater_blobs.s3.settings import S3Settings
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import Record
from kafka import KafkaProducer
from minio import Minio

from bench.harness import Result, timed

BATCH_BYTES = 1_000_000  # what one request may bring a partition; the client's own 16 kB would make it slower
LINGER_MS = 50  # nothing goes before it is flushed, unless there is a batch of it
OBJECT = "all.bin"


def client_of(settings: S3Settings) -> Minio:
    """The client library's own settings, but for the region: asking for it would be a request more."""
    return Minio(
        settings.host,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=settings.is_secure,
        region="us-east-1",
    )


class BareBucket:
    """A bucket with one object at a time."""

    def __init__(self, settings: S3Settings) -> None:
        self._client, self._bucket = client_of(settings), settings.bucket
        self._client.make_bucket(self._bucket)

    def put_seconds(self, file: Path) -> float:
        """How long putting one object takes."""
        return timed(lambda: self._client.fput_object(self._bucket, OBJECT, str(file)))

    def get_seconds(self, file: Path) -> float:
        """How long getting it takes."""
        return timed(lambda: self._client.fget_object(self._bucket, OBJECT, str(file)))

    def empty(self) -> None:
        """Take the object away, if there is one."""
        self._client.remove_object(self._bucket, OBJECT)

    def remove(self) -> None:
        """Take it away with the bucket."""
        self.empty()
        self._client.remove_bucket(self._bucket)


def fresh_topic(like: KafkaSettings) -> KafkaSettings:
    """A new topic with as many partitions, kept as safely."""
    settings = KafkaSettings(like.servers, f"bare-{uuid4().hex}", partitions=like.partitions)
    KafkaEventLog.open(settings, create=True).close()
    return settings


def producer_of(settings: KafkaSettings) -> Any:
    """One that knows the topic, and asks for the same acknowledgements as headwater's."""
    producer = KafkaProducer(
        bootstrap_servers=settings.server_list,
        acks="all",
        enable_idempotence=True,
        batch_size=BATCH_BYTES,
        linger_ms=LINGER_MS,
    )
    producer.partitions_for(settings.topic)
    return producer


def send_seconds(settings: KafkaSettings, records: Sequence[Record], steps: int) -> float:
    """How long sending `records` takes, confirmed in so many steps."""
    producer = producer_of(settings)
    start = time.perf_counter()
    for step in range(steps):
        for record in records[len(records) * step // steps : len(records) * (step + 1) // steps]:
            producer.send(settings.topic, record.payload, record.key.encode(), list(record.headers))
        producer.flush()
    seconds = time.perf_counter() - start
    producer.close()
    return seconds


def commit_bare(servers: str, topic: str, sizes: Sequence[int], commits: int) -> Result:
    """For measured processes: records of these sizes under a key of this process's own, confirmed, again and again."""
    producer, key = producer_of(KafkaSettings(servers, topic)), uuid4().hex.encode()
    start, errors = time.monotonic(), 0
    for _ in range(commits):
        sent = [producer.send(topic, os.urandom(size), key) for size in sizes]
        producer.flush()
        errors += not all(future.succeeded() for future in sent)
    end = time.monotonic()
    producer.close()
    return {"start": start, "end": end, "errors": errors, "commits": commits}
