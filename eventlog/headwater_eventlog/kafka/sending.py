"""Appending to a topic.

All threads of a process share one producer, and append in rounds: whoever has the turn takes along what the others
brought meanwhile. Within a round everything is put first and sent then, so that what one append brings to one partition
goes as one batch, which Kafka stores whole or not at all. A producer that failed at anything is thrown away, since
it cannot know what was stored; the next round makes a new one.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from headwater_schemas.errors import DurabilityUnknown, StoreError, StoreReadOnly, StoreUnavailable
from headwater_schemas.headers import Headers

from headwater_eventlog.kafka.driver import CONNECT_WAIT_S, KafkaProducer, errors, fail, let_go, made, told, words
from headwater_eventlog.kafka.topic import MESSAGE_BYTES_MAX, Topic

BATCH_BYTES = 1_000_000  # of one partition in one request; under MESSAGE_BYTES_MAX, so that no batch is ever split
ROUND_BYTES_MAX = 64 * 1024 * 1024  # a round ends when all of it is confirmed, so that nobody waits for ever
KNOWN_S_MAX = 1.0  # how long ago the topic was last seen to be the same one; asking costs a millisecond
# Batches go when a round is complete, never by themselves.
LINGER_S = 3600.0
DELIVERY_S = 2 * LINGER_S  # the caller's time-out decides
FLUSH_STEP_S = 0.25  # between looks at the clock: the client's own waits count from anew for every batch
CLOSE_WAIT_S = 5.0  # for an append that another thread is making


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record as it is sent."""

    partition: int
    key: bytes
    payload: bytes
    headers: Headers


@dataclass(slots=True, eq=False)
class _Append:
    records: Sequence[Prepared]
    deadline: float
    futures: list[Any] = field(default_factory=list)
    offsets: list[int] | None = None
    failure: tuple[type[StoreError], str, BaseException | None] | None = None

    @property
    def is_over(self) -> bool:
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
        self._turn = threading.Lock()
        self._waiting: deque[_Append] = deque()
        self._door = threading.Lock()  # of `_waiting`
        self._producer: Any = None
        self._last: dict[int, int] = {}  # partition → the last offset that was confirmed
        self._closed = False

    def append(self, records: Sequence[Prepared], deadline: float) -> list[int]:
        """The offsets of `records`. Raises: DurabilityUnknown, StoreUnavailable, StoreReadOnly."""
        mine = _Append(records, deadline)
        with self._door:
            self._waiting.append(mine)
        try:
            if self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
                try:
                    while not mine.is_over:
                        self._round()
                finally:
                    self._turn.release()
        finally:  # also after an interruption: nobody else may send it later
            if not mine.is_over:
                self._leave(mine)
        return mine.result()

    def close(self) -> None:
        """Closing twice is fine. What another thread still waits for after CLOSE_WAIT_S is not known to be stored."""
        self._closed = True
        has_turn = self._turn.acquire(timeout=CLOSE_WAIT_S)
        self._throw_away()
        if has_turn:
            self._turn.release()

    def forget_at_exit(self) -> None:
        """In a forked child: the parent's producer is the parent's to close."""
        if self._producer is not None:
            self._producer._unregister_cleanup()  # it would wait for a thread that this process does not have

    def _leave(self, mine: _Append) -> None:
        """It is over, whether it is still waiting or others are sending it at this moment."""
        with self._door:
            if mine in self._waiting:
                self._waiting.remove(mine)
                mine.failure = StoreUnavailable, f"other appends kept {self._where} busy: nothing was written.", None
        if not mine.is_over:
            mine.failure = DurabilityUnknown, self._unconfirmed("no answer in time"), None

    def _round(self) -> None:
        """Send what is waiting; every append that was taken is over afterwards."""
        taken = self._take()
        try:
            producer = self._ready(min(append.deadline for append in taken))
        except StoreError as error:
            for append in taken:
                append.failure = type(error), str(error), error.__cause__
            return
        try:
            for append in taken:
                self._put(producer, append)
            self._send(producer, min(append.deadline for append in taken))
            for append in taken:
                self._judge(append)
        finally:  # also after an interruption: nobody waits for ever, and nothing is sent later unasked
            for append in taken:
                if not append.is_over:
                    append.failure = DurabilityUnknown, self._unconfirmed("it was interrupted"), None
            if any(append.failure for append in taken):
                self._throw_away()

    def _take(self) -> list[_Append]:
        with self._door:
            taken = [self._waiting.popleft()]
            size = taken[0].size
            while self._waiting and size + self._waiting[0].size <= ROUND_BYTES_MAX:
                taken.append(self._waiting.popleft())
                size += taken[-1].size
            return taken

    def _ready(self, deadline: float) -> Any:
        """A producer that knows the topic. Raises: StoreUnavailable, StoreReadOnly."""
        if self._closed:
            raise StoreUnavailable(f"{self._where} was closed: open it again. Nothing was written.")
        self._topic.verify(age_s_max=KNOWN_S_MAX if self._producer is not None else 0.0)
        if self._producer is None:
            self._producer = self._opened(deadline)
        return self._producer

    def _opened(self, deadline: float) -> Any:
        wait_s = min(CONNECT_WAIT_S, max(0.001, deadline - time.monotonic()))
        with told(self._settings, "nothing was written"):
            producer = made(
                KafkaProducer,
                self._settings,
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
                _abandon(producer)
                raise
        return producer

    def _put(self, producer: Any, append: _Append) -> None:
        topic, send = self._settings.topic, producer.send
        try:
            for record in append.records:
                append.futures.append(
                    send(topic, record.payload, record.key, list(record.headers), partition=record.partition)
                )
        except (errors.KafkaError, ValueError, AssertionError) as error:  # the topic lost a partition, for example
            kind = DurabilityUnknown if append.futures else StoreUnavailable
            append.failure = kind, self._unconfirmed(words(error)), error

    def _send(self, producer: Any, deadline: float) -> None:
        """Until everything is answered, or the time is over."""
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                producer.flush(timeout=min(left_s, FLUSH_STEP_S))
            except errors.KafkaTimeoutError:
                continue
            return

    def _judge(self, append: _Append) -> None:
        """What became of it, from what is known at this moment."""
        if append.is_over:
            return
        failed = [future.exception if future.is_done else None for future in append.futures if not future.succeeded()]
        if failed:
            append.failure = self._failure(append, failed)
            return
        offsets = [future.value.offset for future in append.futures]
        if not self._went_on(append, offsets):
            append.failure = self._elsewhere()
            return
        append.offsets = offsets

    def _failure(
        self, append: _Append, failed: Sequence[BaseException | None]
    ) -> tuple[type[StoreError], str, BaseException | None]:
        error = next((error for error in failed if error is not None), None)
        refused = [error for error in failed if isinstance(error, errors.AuthorizationError)]
        if error is not None and len(refused) == len(append.futures):
            try:
                fail(error, self._settings, "nothing was written")
            except StoreReadOnly as told_error:
                return StoreReadOnly, str(told_error), error
        what = "no answer in time" if error is None else words(error)
        return DurabilityUnknown, self._unconfirmed(what), error

    def _went_on(self, append: _Append, offsets: Sequence[int]) -> bool:
        """Whether offsets only grow, as they do while a topic is the same one."""
        for record, offset in zip(append.records, offsets, strict=True):
            if offset <= self._last.get(record.partition, -1):
                return False
            self._last[record.partition] = offset
        return True

    def _elsewhere(self) -> tuple[type[StoreError], str, BaseException | None]:
        try:
            self._topic.verify()
        except StoreError as error:
            return type(error), str(error), error
        return DurabilityUnknown, self._unconfirmed("offsets went back: the topic lost records"), None

    def _throw_away(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            _abandon(producer)

    @property
    def _where(self) -> str:
        return f"topic {self._settings.topic!r} of Kafka at {self._settings.servers}"

    def _unconfirmed(self, what: str) -> str:
        return (
            f"{self._where} did not confirm a write ({what}); it may or may not be there. "
            "Check the brokers, then send it again: what is sent twice counts once."
        )


def _abandon(producer: Any) -> None:
    """Send nothing more. The client's own `close` would first wait for what it holds, and not end when that fails."""
    sender = producer._sender
    producer._unregister_cleanup()
    sender.force_close()

    def end() -> None:
        sender.join()
        with suppress(errors.KafkaError):
            producer.close(timeout=0)

    let_go("sending", end)
