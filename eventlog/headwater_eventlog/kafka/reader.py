"""Reading a topic by offset, without a group.

A reader is lent to one thread at a time. It keeps what it has fetched of every partition, so that the next read often
needs no request. Offsets are never subtracted: transactions leave gaps of any size between two records. Records are
missing only where the partition begins after the offset that is needed.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from headwater_runtime.closing import closed_on_failure
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Position

from headwater_eventlog.kafka.driver import (
    KafkaConsumer,
    TopicPartition,
    close_in_background,
    create_client,
    deliver_put_aside,
    errors,
    translate_errors,
)
from headwater_eventlog.kafka.topic import Topic
from headwater_eventlog.port import Record, RecordsDeleted, RecordsGone

FETCH_BYTES = 4 * 1024 * 1024  # of one partition at once; a reader holds at most this of each
FETCH_TOTAL_BYTES = 16 * 1024 * 1024  # of all partitions at once
FETCH_WAIT_S = 0.01  # while a broker waits for records, it answers nothing else on the connection
READ_WAIT_S = 30.0  # for records that are known to exist
POLL_STEP_S = 0.25  # between checks of the deadline
IDLE_MAX = 8  # readers that are kept for reuse
IDENTITY_AGE_S_MAX = 1.0  # since the topic's identity was last verified


def to_records(epoch: int, partition: int, found: Iterable[Any]) -> list[Record]:
    """Our records for those of the client."""
    return [_record(Position(epoch, partition, one.offset), one) for one in found]


def _record(position: Position, found: Any) -> Record:
    """A record of another application may hold no text, or nothing at all; the projector judges it."""
    key = (found.key or b"").decode("utf-8", "backslashreplace")
    headers = tuple((name, value or b"") for name, value in found.headers)
    return Record(position, found.timestamp * 1000, key, found.value or b"", headers)


def consumer_options() -> dict[str, Any]:
    """The options of every consumer of events: nothing is skipped or decoded, and everything is bounded."""
    return {
        "auto_offset_reset": "none",  # other values silently skip records that were deleted
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": FETCH_BYTES,
        "fetch_max_bytes": FETCH_TOTAL_BYTES,
        "fetch_min_bytes": 1,
        "metrics_enabled": False,
    }


def records_gone(topic: Topic, partition: int, after: int) -> RecordsGone:
    """The error for records after offset `after` that cannot be read."""
    beginning, end = topic.beginning(partition), topic.end(partition)
    where = f"partition {partition} of topic {topic.settings.topic!r}"
    if after + 1 < beginning:
        return RecordsDeleted(
            f"{where} begins at offset {beginning}, but the records after offset {after} are needed: those from "
            f"{after + 1} to {beginning - 1} were deleted. Restore them from the archive into a new topic, "
            "and set retention.ms and retention.bytes of the topic to -1.",
            partition=partition,
            beginning=beginning,
        )
    return RecordsGone(
        f"{where} was read up to offset {after} and now ends before {end}: records are gone, "
        "for example because a broker lost its disk. Restore them from the archive into a new topic.",
        partition=partition,
    )


class Reader:
    """One consumer with manually assigned partitions."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._settings = topic, topic.settings
        self._next: dict[int, int] = {}  # partition → offset that its next record has at least
        with translate_errors(self._settings, "nothing was read"):
            self._consumer = create_client(
                KafkaConsumer, self._settings, fetch_max_wait_ms=int(FETCH_WAIT_S * 1000), **consumer_options()
            )

    def is_at(self, partition: int, after: int) -> bool:
        return self._next.get(partition) == after + 1

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """Raises: StoreUnavailable, StoreReadOnly."""
        with translate_errors(self._settings, "nothing was read"):
            self._seek(partition, after)
            try:
                found = self._poll(partition, limit)
            except (errors.OffsetOutOfRangeError, errors.LogTruncationError) as error:
                self._topic.verify()
                raise records_gone(self._topic, partition, after) from error
        return to_records(len(self._topic.identity.ancestors), partition, found)

    def close(self) -> None:
        close_in_background("reader", lambda: self._consumer.close(autocommit=False, timeout_ms=0))

    def _seek(self, partition: int, after: int) -> None:
        """Read only `partition`; records that were fetched of the others are kept."""
        target = self._topic_partition(partition)
        if partition not in self._next:
            self._consumer.assign([*map(self._topic_partition, self._next), target])
        if others := [self._topic_partition(other) for other in self._next if other != partition]:
            self._consumer.pause(*others)
        if not self.is_at(partition, after):
            self._consumer.seek(target, after + 1)
            self._next[partition] = after + 1
        self._consumer.resume(target)

    def _poll(self, partition: int, limit: int) -> list[Any]:
        """The next records; empty only when there are none."""
        if found := self._poll_once(partition, limit, 0.0):
            return found
        end = self._consumer.highwater(self._topic_partition(partition)) or 0
        if self._next[partition] >= end:
            end = self._topic.end(partition)  # over another connection: this one may be waiting for records
        deadline = time.monotonic() + READ_WAIT_S
        while self._next[partition] < end:
            if time.monotonic() > deadline:
                raise errors.KafkaTimeoutError(f"partition {partition} gave no records for {READ_WAIT_S:.0f} s")
            if found := self._poll_once(partition, limit, POLL_STEP_S):
                return found
        self._check_not_beyond(partition, end)
        return []

    def _poll_once(self, partition: int, limit: int, wait_s: float) -> list[Any]:
        target = self._topic_partition(partition)
        deliver_put_aside(self._consumer)
        found: list[Any] = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=limit).get(target, [])
        self._next[partition] = (
            found[-1].offset + 1 if found else self._consumer.position(target, timeout_ms=int(POLL_STEP_S * 1000))
        )
        return found

    def _check_not_beyond(self, partition: int, end: int) -> None:
        """Raises: OffsetOutOfRangeError when there is nothing to read because the partition lost records."""
        if self._next[partition] > end:
            raise errors.OffsetOutOfRangeError

    def _topic_partition(self, partition: int) -> Any:
        return TopicPartition(self._settings.topic, partition)


class ReaderPool:
    """The readers of one process. For any thread."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._idle: list[Reader] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """Raises: StoreUnavailable, StoreReadOnly."""
        self._topic.verify(age_s_max=IDENTITY_AGE_S_MAX)
        with self._borrowed(partition, after) as reader:
            return reader.read(partition, after, limit)

    def close(self) -> None:
        """Closing twice is fine; a reader in use is closed when it is returned."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()

    @contextmanager
    def _borrowed(self, partition: int, after: int) -> Iterator[Reader]:
        """A reader, if possible one that is at this offset. After an exception it is closed instead of kept."""
        reader = self._idle_reader(partition, after) or Reader(self._topic)
        with closed_on_failure(reader):
            yield reader
        with self._lock:
            keep = not self._closed and len(self._idle) < IDLE_MAX
            if keep:
                self._idle.append(reader)
        if not keep:
            reader.close()

    def _idle_reader(self, partition: int, after: int) -> Reader | None:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"the log {self._topic.settings.topic!r} was closed: open it again.")
            if not self._idle:
                return None
            best = next((reader for reader in self._idle if reader.is_at(partition, after)), self._idle[-1])
            self._idle.remove(best)
            return best
