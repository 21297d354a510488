"""Send events: number them in this writer's order, and keep them until the log has confirmed them.

An event is stamped once and then stays in the spool, in order, until its durability is confirmed. After any failure the
same bytes with the same event id are sent again, which the projector recognises; no event overtakes another.
"""

import getpass
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from headwater_eventlog.port import EventLog, NewRecord
from headwater_runtime.retries import Backoff
from headwater_schemas import codec, headers, keys
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable
from headwater_schemas.events import BroadcastEvent, Event, Origin, Stamped
from headwater_schemas.limits import LABEL_LENGTH_MAX
from headwater_schemas.positions import Cut, Position

RECORDS_PER_APPEND = 512
BYTES_PER_APPEND = 16 * 1024 * 1024  # of payloads; a log takes at least so many at once
APPEND_TIMEOUT_S = 30.0
APPEND_TIMEOUT_S_MIN = 0.05  # also where the caller has no time left
CONFIRM_TIMEOUT_S = 120.0  # for all attempts together
# Six seconds in all where the log refuses at once, as on a full disk: a person may be waiting.
APPEND_BACKOFF = Backoff(pause_s_min=0.05, pause_s_max=5.0, attempts_max=8)
SPOOL_BYTES_MAX = 256 * 1024 * 1024  # unconfirmed events, in memory

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Timer:
    """How time passes while the log does not answer. Simulations have their own."""

    monotonic: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event that is not confirmed yet, identified as rejections identify it."""

    session: str
    key: str
    sequence: int


def user_at_host() -> str:
    """`user@host` of this process, for people to read; no longer than an event may say."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:LABEL_LENGTH_MAX]


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class Producer:
    """Appends one process's events to the log. Safe to use from threads; a forked child becomes another writer."""

    def __init__(
        self,
        log: EventLog,
        *,
        author: str,
        clock: Clock = utc_now,
        timer: Timer = Timer(),
        records_per_append: int = RECORDS_PER_APPEND,
    ) -> None:
        self._log = log
        self._author = author
        self._clock = clock
        self._timer = timer
        self._records_per_append = records_per_append
        self._stamping = threading.Lock()
        self._appending = threading.Lock()
        self._spool: deque[NewRecord] = deque()
        self._sequences: dict[str, int] = {}  # key → the next sequence
        self._spool_bytes = 0
        self._cut = Cut(log.generation)
        self._begin_session()

    def send(self, events: Sequence[Event], *, message: str | None = None) -> list[SentEvent]:
        """Spool `events` in order, all or none; they are on the log once `confirm` has returned.

        Raises: EventTooLarge or InvalidInput when one cannot be encoded; StoreUnavailable when the spool is full.
        """
        self._after_fork()
        with self._stamping:
            if self._spool_bytes > SPOOL_BYTES_MAX:
                raise StoreUnavailable(
                    f"{self._spool_bytes:,} bytes of events wait for the log, more than {SPOOL_BYTES_MAX:,}. "
                    "Check that the log can be written, then try again."
                )
            sequences: dict[str, int] = {}
            stamped = [self._stamp(event, sequences, message) for event in events]
            records = [record for s in stamped for record in self._records(s)]
            self._sequences.update(sequences)  # only now: an event that cannot be encoded leaves no gap
            self._spool.extend(records)
            self._spool_bytes += sum(len(record.payload) for record in records)
            return [SentEvent(self.session, s.event.key, s.origin.sequence) for s in stamped]

    def confirm(self, *, timeout_s: float = CONFIRM_TIMEOUT_S) -> Cut:
        """Wait until all events sent so far are durable; returns the cut that holds them.

        Raises: StoreUnavailable or DurabilityUnknown when that did not succeed in time. The events stay in the spool,
        and the next `confirm` sends them again.
        """
        self._after_fork()
        deadline = self._timer.monotonic() + timeout_s
        with self._appending:
            while self._spool:
                batch = self._next_batch()
                positions = self._append(batch, deadline)
                with self._stamping:
                    for record in batch:
                        self._spool.popleft()
                        self._spool_bytes -= len(record.payload)
                for position in _last_of_each_partition(positions):
                    self._cut = self._cut.including(position)
            return self._cut

    @property
    def pending(self) -> int:
        """How many events wait for confirmation."""
        return len(self._spool)

    def _next_batch(self) -> list[NewRecord]:
        batch: list[NewRecord] = []
        size = 0
        for record in islice(self._spool, self._records_per_append):
            size += len(record.payload)
            if batch and size > BYTES_PER_APPEND:
                break
            batch.append(record)
        return batch

    def _append(self, batch: Sequence[NewRecord], deadline: float) -> list[Position]:
        clock = self._timer.monotonic
        retries = APPEND_BACKOFF.start(deadline=deadline, clock=clock, sleep=self._timer.sleep)
        while True:
            left_s = max(APPEND_TIMEOUT_S_MIN, deadline - clock())
            try:
                return self._log.append(batch, timeout_s=min(APPEND_TIMEOUT_S, left_s))
            except (DurabilityUnknown, StoreUnavailable):
                if not retries.pause():
                    raise

    def _stamp(self, event: Event, sequences: dict[str, int], message: str | None) -> Stamped:
        key = event.key
        sequence = sequences.get(key, self._sequences.get(key, 0))
        sequences[key] = sequence + 1
        origin = Origin(
            session=self.session, sequence=sequence, clock=self._clock(), author=self._author, message=message
        )
        return Stamped(origin, event)

    def _records(self, stamped: Stamped) -> list[NewRecord]:
        """One record; of a broadcast, one for each partition."""
        key, payload, of_event = stamped.event.key, codec.encode(stamped), headers.of_event(stamped)
        if not isinstance(stamped.event, BroadcastEvent):
            return [NewRecord(key, payload, of_event)]
        return [NewRecord(key, payload, of_event, partition) for partition in range(self._log.partitions)]

    def _begin_session(self) -> None:
        self.session = keys.new_session()
        self._pid = os.getpid()
        self._cut = Cut(self._log.generation)

    def _after_fork(self) -> None:
        """Leave the spool to the parent; this process is another writer."""
        if self._pid != os.getpid():
            self._stamping, self._appending = threading.Lock(), threading.Lock()
            self._spool, self._sequences, self._spool_bytes = deque(), {}, 0
            self._begin_session()


def _last_of_each_partition(positions: Sequence[Position]) -> list[Position]:
    return list({position.partition: position for position in positions}.values())
