"""Appending to a topic.

All threads of a process share one producer and append in rounds: the thread that holds the round lock also sends the
records that other threads have queued. Within a round all records are buffered before any is sent, so that those of one
append to one partition form one batch, which Kafka stores whole or not at all. After any failure the producer is
discarded, since it cannot know what was stored; the next round creates another.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater_schemas.errors import DurabilityUnknown, StoreError, StoreReadOnly, StoreUnavailable
from headwater_schemas.headers import Headers

from headwater_eventlog.kafka.driver import (
    CONNECT_WAIT_S,
    KafkaProducer,
    abort_producer,
    create_client,
    describe_error,
    errors,
    forget_exit_handler,
    to_store_error,
    translate_errors,
)
from headwater_eventlog.kafka.topic import IDENTITY_AGE_S_MAX, MESSAGE_BYTES_MAX, Topic

BATCH_BYTES = 1_000_000  # of one partition in one request; under MESSAGE_BYTES_MAX, so that no batch is ever split
ROUND_BYTES_MAX = 64 * 1024 * 1024  # a round ends when all of it is confirmed, so this bounds the wait for the next
# Batches are sent by the flush at the end of a round, never by a timer.
LINGER_S = 3600.0
DELIVERY_S = 2 * LINGER_S  # the caller's timeout decides
FLUSH_STEP_S = 0.25  # between checks of the deadline: the client's own timeout starts again with every batch
CLOSE_WAIT_S = 5.0  # for a round of another thread


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record as it is sent."""

    partition: int
    key: bytes
    payload: bytes
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return len(self.key) + len(self.payload) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(slots=True, eq=False)
class _Append:
    records: Sequence[OutgoingRecord]
    deadline: float
    futures: list[Any] = field(default_factory=list)
    offsets: list[int] | None = None
    failure: tuple[type[StoreError], str, BaseException | None] | None = None

    @property
    def is_finished(self) -> bool:
        return self.offsets is not None or self.failure is not None

    @property
    def size(self) -> int:
        return sum(len(record.payload) for record in self.records)

    def result(self) -> list[int]:
        if self.failure is not None:
            kind, message, cause = self.failure
            raise kind(message) from cause
        assert self.offsets is not None
        return self.offsets


class Sender:
    """Appends of one process. For any thread."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._settings = topic, topic.settings
        self._round_lock = threading.Lock()
        self._queue: deque[_Append] = deque()
        self._queue_lock = threading.Lock()
        self._producer: Any = None
        self._last: dict[int, int] = {}  # partition → the last offset that was confirmed
        self._closed = False

    def append(self, records: Sequence[OutgoingRecord], deadline: float) -> list[int]:
        """The offsets of `records`. Raises: DurabilityUnknown, StoreUnavailable, StoreReadOnly."""
        append = _Append(records, deadline)
        with self._queue_lock:
            self._queue.append(append)
        try:
            if self._round_lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                try:
                    while not append.is_finished:
                        self._round()
                finally:
                    self._round_lock.release()
        finally:  # also after an interrupt: no other thread may send it later
            if not append.is_finished:
                self._withdraw(append)
        return append.result()

    def close(self) -> None:
        """Closing twice is fine. An append that is not finished after CLOSE_WAIT_S may or may not be stored."""
        self._closed = True
        holds_lock = self._round_lock.acquire(timeout=CLOSE_WAIT_S)
        self._discard_producer()
        if holds_lock:
            self._round_lock.release()

    def forget_exit_handler(self) -> None:
        """In a forked child: only the parent closes the producer."""
        if self._producer is not None:
            forget_exit_handler(self._producer)

    def _withdraw(self, append: _Append) -> None:
        """Finish an append that timed out, whether it is still queued or another thread is sending it."""
        with self._queue_lock:
            if append in self._queue:
                self._queue.remove(append)
                append.failure = StoreUnavailable, f"other appends kept {self._where} busy: nothing was written.", None
        if not append.is_finished:
            append.failure = DurabilityUnknown, self._unconfirmed("no answer in time"), None

    def _round(self) -> None:
        """Send queued appends; all those of the round are finished afterwards."""
        appends = self._dequeue()
        try:
            producer = self._current_producer(min(append.deadline for append in appends))
        except StoreError as error:
            for append in appends:
                append.failure = type(error), str(error), error.__cause__
            return
        try:
            for append in appends:
                self._buffer(producer, append)
            self._flush(producer, min(append.deadline for append in appends))
            for append in appends:
                self._settle(append)
        finally:  # also after an interrupt: no thread waits for ever, and nothing is sent later
            for append in appends:
                if not append.is_finished:
                    append.failure = DurabilityUnknown, self._unconfirmed("it was interrupted"), None
            if any(append.failure for append in appends):
                self._discard_producer()

    def _dequeue(self) -> list[_Append]:
        with self._queue_lock:
            appends = [self._queue.popleft()]
            size = appends[0].size
            while self._queue and size + self._queue[0].size <= ROUND_BYTES_MAX:
                appends.append(self._queue.popleft())
                size += appends[-1].size
            return appends

    def _current_producer(self, deadline: float) -> Any:
        """A producer that knows the topic. Raises: StoreUnavailable, StoreReadOnly."""
        if self._closed:
            raise StoreUnavailable(f"{self._where} was closed: open it again. Nothing was written.")
        self._topic.verify(age_s_max=IDENTITY_AGE_S_MAX if self._producer is not None else 0.0)
        if self._producer is None:
            self._producer = self._create_producer(deadline)
        return self._producer

    def _create_producer(self, deadline: float) -> Any:
        wait_s = min(CONNECT_WAIT_S, max(0.001, deadline - time.monotonic()))
        with translate_errors(self._settings, "nothing was written"):
            producer = create_client(
                KafkaProducer,
                self._settings,
                writes_to=self._settings.topic,
                bootstrap_timeout_ms=int(wait_s * 1000) + 1,
                acks="all",
                enable_idempotence=True,
                batch_size=BATCH_BYTES,
                max_request_size=MESSAGE_BYTES_MAX,
                linger_ms=int(LINGER_S * 1000),
                delivery_timeout_ms=int(DELIVERY_S * 1000),
                max_block_ms=int(wait_s * 1000) + 1,
                metrics_enabled=False,
            )
            try:
                producer.partitions_for(self._settings.topic)
            except errors.KafkaError:
                abort_producer(producer)
                raise
        return producer

    def _buffer(self, producer: Any, append: _Append) -> None:
        topic, send = self._settings.topic, producer.send
        try:
            for record in append.records:
                append.futures.append(
                    send(topic, record.payload, record.key, list(record.headers), partition=record.partition)
                )
        except (errors.KafkaError, ValueError, AssertionError) as error:  # the topic lost a partition, for example
            kind = DurabilityUnknown if append.futures else StoreUnavailable
            append.failure = kind, self._unconfirmed(describe_error(error)), error

    def _flush(self, producer: Any, deadline: float) -> None:
        """Wait until everything is answered, at most until `deadline`."""
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                producer.flush(timeout=min(left_s, FLUSH_STEP_S))
            except errors.KafkaTimeoutError:
                continue
            return

    def _settle(self, append: _Append) -> None:
        """Set the result, from the answers so far."""
        if append.is_finished:
            return
        failed = [future.exception if future.is_done else None for future in append.futures if not future.succeeded()]
        if failed:
            append.failure = self._failure(append, failed)
            return
        offsets = [future.value.offset for future in append.futures]
        if not self._offsets_increased(append, offsets):
            append.failure = self._offsets_failure()
            return
        append.offsets = offsets

    def _failure(
        self, append: _Append, failed: Sequence[BaseException | None]
    ) -> tuple[type[StoreError], str, BaseException | None]:
        error = next((error for error in failed if error is not None), None)
        refused = [error for error in failed if isinstance(error, errors.AuthorizationError)]
        if error is not None and len(refused) == len(append.futures):
            translated = to_store_error(error, self._settings, "nothing was written")
            if isinstance(translated, StoreReadOnly):
                return StoreReadOnly, str(translated), error
        what = "no answer in time" if error is None else describe_error(error)
        return DurabilityUnknown, self._unconfirmed(what), error

    def _offsets_increased(self, append: _Append, offsets: Sequence[int]) -> bool:
        """Whether offsets increased, as they do within one topic."""
        for record, offset in zip(append.records, offsets, strict=True):
            if offset <= self._last.get(record.partition, -1):
                return False
            self._last[record.partition] = offset
        return True

    def _offsets_failure(self) -> tuple[type[StoreError], str, BaseException | None]:
        try:
            self._topic.verify()
        except StoreError as error:
            return type(error), str(error), error
        return DurabilityUnknown, self._unconfirmed("offsets went back: the topic lost records"), None

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            abort_producer(producer)

    @property
    def _where(self) -> str:
        return f"topic {self._settings.topic!r} of Kafka at {self._settings.servers}"

    def _unconfirmed(self, what: str) -> str:
        return (
            f"{self._where} did not confirm a write ({what}); it may or may not be there. "
            "Check the brokers, then send it again: an event that is sent twice counts once."
        )
