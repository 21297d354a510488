"""Reading a topic by offset, without a group.

A reader is lent to one thread at a time. It keeps what it has fetched of every partition, so that going on where one
stopped asks nobody. Offsets are never computed with: between two records there may be any gap, as transactions make
them; only a beginning that lies after what is asked for means that records are gone.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Position

from headwater_eventlog.kafka.driver import KafkaConsumer, TopicPartition, errors, let_go, made, told
from headwater_eventlog.kafka.topic import Topic
from headwater_eventlog.port import Record, RecordsGone

FETCH_BYTES = 4 * 1024 * 1024  # of one partition at once; a reader holds at most this of each
FETCH_TOTAL_BYTES = 16 * 1024 * 1024  # of all partitions at once
FETCH_WAIT_S = 0.01  # a broker answers nothing else on the connection while it waits for records
READ_WAIT_S = 30.0  # for records that are known to be there
POLL_STEP_S = 0.25  # between looks at whether it is still worth waiting
IDLE_MAX = 8  # readers that are kept for later
KNOWN_S_MAX = 1.0  # how long ago the topic was last seen to be the same one


class Clock:
    """Append times in microseconds, made never to go back: brokers' clocks may."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}  # partition → offset, time

    def records(self, generation: str, partition: int, found: Sequence[Any]) -> list[Record]:
        """What the client gave, in our form."""
        before, latest_us = self._seen.get(partition, (-1, 0))
        if not found:
            return []
        if found[0].offset <= before:
            latest_us = 0  # reading again from an earlier place
        records = []
        for one in found:
            latest_us = max(latest_us, one.timestamp * 1000)
            records.append(_record(Position(generation, partition, one.offset), latest_us, one))
        self._seen[partition] = (found[-1].offset, latest_us)
        return records


def _record(position: Position, time_us: int, found: Any) -> Record:
    """Others may have put in what is not text, or nothing at all; judging it is the projector's part."""
    key = (found.key or b"").decode("utf-8", "backslashreplace")
    headers = tuple((name, value or b"") for name, value in found.headers)
    return Record(position, time_us, key, found.value or b"", headers)


def consumer_options() -> dict[str, Any]:
    """What every consumer of events is given: nothing skipped, nothing decoded, everything bounded."""
    return {
        "auto_offset_reset": "none",  # the others skip records that were deleted, silently
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": FETCH_BYTES,
        "fetch_max_bytes": FETCH_TOTAL_BYTES,
        "fetch_min_bytes": 1,
        "metrics_enabled": False,
    }


def gap(topic: Topic, partition: int, after: int) -> RecordsGone:
    """Why what comes after offset `after` cannot be read."""
    beginning, end = topic.beginning(partition), topic.end(partition)
    where = f"partition {partition} of topic {topic.settings.topic!r}"
    if after + 1 < beginning:
        return RecordsGone(
            f"{where} begins at offset {beginning}, but what comes after offset {after} is needed: the records from "
            f"{after + 1} to {beginning - 1} were deleted. Restore them from the archive into a new topic, "
            "and set retention.ms and retention.bytes of the topic to -1.",
            partition=partition,
        )
    return RecordsGone(
        f"{where} was known up to offset {after} and ends before {end} now: records that were there are gone, "
        "as after a broker lost its disk. Restore them from the archive into a new topic.",
        partition=partition,
    )


class Reader:
    """One consumer with partitions assigned by hand."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._settings = topic, topic.settings
        self._next: dict[int, int] = {}  # partition → offset that its next record has at least
        self._clock = Clock()
        with told(self._settings, "nothing was read"):
            self._consumer = made(
                KafkaConsumer, self._settings, fetch_max_wait_ms=int(FETCH_WAIT_S * 1000), **consumer_options()
            )

    def stands_at(self, partition: int, after: int) -> bool:
        return self._next.get(partition) == after + 1

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """Raises: StoreUnavailable, StoreReadOnly."""
        with told(self._settings, "nothing was read"):
            self._go_to(partition, after)
            try:
                found = self._poll(partition, limit)
            except (errors.OffsetOutOfRangeError, errors.LogTruncationError) as error:
                self._topic.verify()
                raise gap(self._topic, partition, after) from error
        return self._clock.records(self._topic.known.generation, partition, found)

    def close(self) -> None:
        let_go("reading", lambda: self._consumer.close(autocommit=False, timeout_ms=0))

    def _go_to(self, partition: int, after: int) -> None:
        """Only `partition` is read; what was fetched of the others is kept."""
        at = self._at(partition)
        if partition not in self._next:
            self._consumer.assign([*map(self._at, self._next), at])
        if others := [self._at(other) for other in self._next if other != partition]:
            self._consumer.pause(*others)
        if not self.stands_at(partition, after):
            self._consumer.seek(at, after + 1)
            self._next[partition] = after + 1
        self._consumer.resume(at)

    def _poll(self, partition: int, limit: int) -> list[Any]:
        """What is there; empty only when nothing is."""
        if found := self._poll_once(partition, limit, 0.0):
            return found
        end = self._consumer.highwater(self._at(partition)) or 0
        if self._next[partition] >= end:
            end = self._topic.end(partition)  # over another connection: this one may be waiting for records
        deadline = time.monotonic() + READ_WAIT_S
        while self._next[partition] < end:
            if time.monotonic() > deadline:
                raise errors.KafkaTimeoutError(f"partition {partition} gave no records for {READ_WAIT_S:.0f} s")
            if found := self._poll_once(partition, limit, POLL_STEP_S):
                return found
        self._check_not_before(partition, end)
        return []

    def _poll_once(self, partition: int, limit: int, wait_s: float) -> list[Any]:
        at = self._at(partition)
        found: list[Any] = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=limit).get(at, [])
        self._next[partition] = (
            found[-1].offset + 1 if found else self._consumer.position(at, timeout_ms=int(POLL_STEP_S * 1000))
        )
        return found

    def _check_not_before(self, partition: int, end: int) -> None:
        """Nothing is there: because all was read, or because what was read is no longer what is there."""
        if self._next[partition] > end:
            raise errors.OffsetOutOfRangeError

    def _at(self, partition: int) -> Any:
        return TopicPartition(self._settings.topic, partition)


class Readers:
    """The readers of one process. For any thread."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._idle: list[Reader] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """Raises: StoreUnavailable, StoreReadOnly."""
        self._topic.verify(age_s_max=KNOWN_S_MAX)
        with self._lent(partition, after) as reader:
            return reader.read(partition, after, limit)

    def close(self) -> None:
        """Closing twice is fine; a reader in use is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()

    @contextmanager
    def _lent(self, partition: int, after: int) -> Iterator[Reader]:
        """One that stands there, if any. After an exception it is closed instead of lent again."""
        reader = self._take(partition, after) or Reader(self._topic)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            keep = not self._closed and len(self._idle) < IDLE_MAX
            if keep:
                self._idle.append(reader)
        if not keep:
            reader.close()

    def _take(self, partition: int, after: int) -> Reader | None:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"the log {self._topic.settings.topic!r} was closed: open it again.")
            if not self._idle:
                return None
            there = next((reader for reader in self._idle if reader.stands_at(partition, after)), self._idle[-1])
            self._idle.remove(there)
            return there
