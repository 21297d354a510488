"""Send events: number them in this writer's order, and keep them until the log has confirmed them.

An event is stamped once and then stays in the spool, in order, until its durability is confirmed. After any failure the
same bytes with the same event id are sent again, which the projector recognises; no event overtakes another.

A log that judges who writes may refuse an event. What follows it under its key is not sent either, since it would leave
a gap; what is sent later begins anew there, in another session.
"""

import getpass
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from headwater_eventlog.port import EventLog, NewRecord, RecordsRefused
from headwater_runtime import fork_hooks
from headwater_runtime.retries import Backoff
from headwater_schemas import codec, headers, keys
from headwater_schemas.errors import (
    DurabilityUnknown,
    EventRejected,
    HeadwaterError,
    Reason,
    StoreGone,
    StoreUnavailable,
)
from headwater_schemas.events import BroadcastEvent, Event, Origin, Stamped, own_draft
from headwater_schemas.limits import LABEL_LENGTH_MAX
from headwater_schemas.positions import Cut, Position

AUTHOR_VARIABLE = "HEADWATER_AUTHOR"  # from a server to the processes of its commands
RECORDS_PER_APPEND = 512
BYTES_PER_APPEND = 16 * 1024 * 1024  # of payloads; a log takes at least so many at once
APPEND_TIMEOUT_S = 30.0
APPEND_TIMEOUT_S_MIN = 0.05  # also where the caller has no time left
CONFIRM_TIMEOUT_S = 120.0  # for all attempts together
# Six seconds in all where the log refuses at once, as on a full disk: a person may be waiting.
APPEND_BACKOFF = Backoff(pause_s_min=0.05, pause_s_max=5.0, attempts_max=8)
SPOOL_BYTES_MAX = 256 * 1024 * 1024  # unconfirmed events, in memory
# Sessions are retired after a month by default, and their later events refused: a new one begins long before.
SESSION_AGE_MAX = timedelta(days=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], datetime]
NewSession = Callable[[int], str]  # a session that starts at a time: milliseconds since 1970, UTC
WatchAppend = Callable[[], Callable[[Sequence[Position]], None]]


@dataclass(frozen=True, slots=True)
class Timer:
    """How time passes while the log does not answer. Simulations have their own."""

    monotonic: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event that was sent, identified as rejections identify it."""

    session: str
    key: str
    sequence: int
    copies: int = field(default=1, compare=False, repr=False)  # a broadcast has one in every partition
    positions: list[Position] = field(default_factory=list, compare=False, repr=False)  # of confirmed copies
    refusals: list[HeadwaterError] = field(default_factory=list, compare=False, repr=False)  # why the log has none

    @property
    def is_confirmed(self) -> bool:
        """Whether it is durable, with all its copies."""
        return len(self.positions) == self.copies


class _Spooled(NamedTuple):
    """A record that waits to be confirmed, and the event that it is of."""

    record: NewRecord
    sent: SentEvent


def author_of_process() -> str:
    """Who writes what this process does: `user@host`, unless it is told for whom it runs, as a server's commands are.

    Nobody is trusted by that: whoever writes to a log itself can name any author.
    """
    return os.environ.get(AUTHOR_VARIABLE, "")[:LABEL_LENGTH_MAX] or user_at_host()


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
        watch_append: WatchAppend | None = None,
        new_session: NewSession = keys.new_session,
    ) -> None:
        """`watch_append` is called before each append, and its result, which may raise, with what that returned."""
        self._new_session = new_session
        self._log = log
        self._watch_append = watch_append
        self._author = author
        self._clock = clock
        self._timer = timer
        self._records_per_append = records_per_append
        self._cut = Cut(log.generation)  # of all that is confirmed
        self._begin_anew()
        fork_hooks.register_object(self, in_child=Producer._begin_anew)

    @property
    def session(self) -> str:
        """The session that events are sent in. A process that lives long takes another one now and then."""
        return self._session

    def new_draft(self) -> str:
        """The id of a draft that this process alone writes to. As that of a session it says whose it is."""
        return own_draft(self._new_session(_milliseconds(self._clock())))

    def send(self, events: Sequence[Event], *, message: str | None = None) -> list[SentEvent]:
        """Spool `events` in order, all or none; they are on the log once `confirm` has returned.

        Raises: EventTooLarge or InvalidInput when one cannot be encoded; StoreUnavailable when the spool is full.
        """
        with self._spooling:
            if self._spool_bytes > SPOOL_BYTES_MAX:
                raise StoreUnavailable(
                    f"{self._spool_bytes:,} bytes of events wait for the log, more than {SPOOL_BYTES_MAX:,}. "
                    "Check that the log can be written, then try again."
                )
            if not self._spool and self._is_old():
                self._begin_session()
            sequences: dict[str, int] = {}
            stamped = [self._stamp(event, sequences, message) for event in events]
            spooled = [_spooled(s, self._records(s)) for s in stamped]
            self._sequences.update(sequences)  # only now: an event that cannot be encoded leaves no gap
            for event in spooled:
                self._spool.extend(event)
                self._spool_bytes += sum(len(record.payload) for record, _ in event)
            return [event[0].sent for event in spooled]

    def confirm(self, *, timeout_s: float = CONFIRM_TIMEOUT_S) -> Cut:
        """Wait until all events sent so far are durable, or refused; returns the cut that holds them.

        Raises: StoreUnavailable or DurabilityUnknown when that did not succeed in time. The events stay in the spool,
        and the next `confirm` sends them again.
        """
        deadline = self._timer.monotonic() + timeout_s
        with self._appending:
            while batch := self._next_batch():
                try:
                    positions = self._append([record for record, _ in batch], deadline)
                except RecordsRefused as refused:
                    self._drop_refused({batch[index].sent: error for index, error in refused.errors.items()})
                else:
                    self._take_out(batch, positions)
            return self._cut

    def cut_of(self, sent: Iterable[SentEvent]) -> Cut:
        """The smallest cut that holds these events, which are confirmed."""
        return Cut(self._log.generation).including(*[position for event in sent for position in event.positions])

    @property
    def pending(self) -> int:
        """How many events wait for confirmation."""
        return len(self._spool)

    def _next_batch(self) -> list[_Spooled]:
        batch: list[_Spooled] = []
        size = 0
        with self._spooling:  # other threads send meanwhile
            for spooled in islice(self._spool, self._records_per_append):
                size += len(spooled.record.payload)
                if batch and size > BYTES_PER_APPEND:
                    break
                batch.append(spooled)
        return batch

    def _take_out(self, batch: Sequence[_Spooled], positions: Sequence[Position]) -> None:
        """The first events of the spool are confirmed."""
        with self._spooling:
            for (record, sent), position in zip(batch, positions, strict=True):
                sent.positions.append(position)
                self._spool.popleft()
                self._spool_bytes -= len(record.payload)
        self._cut = self._cut.including(*positions)

    def _drop_refused(self, refused: Mapping[SentEvent, HeadwaterError]) -> None:
        """These events will not be on the log, nor what was sent after them under their keys."""
        first = {(sent.session, sent.key): sent for sent in sorted(refused, key=_sequence, reverse=True)}
        with self._spooling:
            waiting = list(self._spool)
            self._spool.clear()
            for spooled in waiting:
                sent = spooled.sent
                before = first.get((sent.session, sent.key))
                if before is None or sent.sequence < before.sequence:
                    self._spool.append(spooled)
                    continue
                sent.refusals.append(refused.get(sent) or _not_sent(sent, refused[before]))
                self._spool_bytes -= len(spooled.record.payload)
            for sent in first.values():
                self._sequences.pop(sent.key, None)
                self._sessions[sent.key] = self._new_session(_milliseconds(self._clock()))

    def _append(self, batch: Sequence[NewRecord], deadline: float) -> list[Position]:
        clock = self._timer.monotonic
        retries = APPEND_BACKOFF.start(deadline=deadline, clock=clock, sleep=self._timer.sleep)
        while True:
            left_s = max(APPEND_TIMEOUT_S_MIN, deadline - clock())
            check = None if self._watch_append is None else self._watch_append()
            try:
                positions = self._log.append(batch, timeout_s=min(APPEND_TIMEOUT_S, left_s))
            except StoreGone:
                raise  # it does not come back by itself
            except (DurabilityUnknown, StoreUnavailable):
                if not retries.pause():
                    raise
            else:
                if check is not None:
                    check(positions)
                return positions

    def _stamp(self, event: Event, sequences: dict[str, int], message: str | None) -> Stamped:
        key = event.key
        sequence = sequences.get(key, self._sequences.get(key, 0))
        sequences[key] = sequence + 1
        session = self._sessions.get(key, self._session)
        origin = Origin(session=session, sequence=sequence, clock=self._clock(), author=self._author, message=message)
        return Stamped(origin, event)

    def _records(self, stamped: Stamped) -> list[NewRecord]:
        """One record; of a broadcast, one for each partition."""
        key, payload, of_event = stamped.event.key, codec.encode(stamped), headers.of_event(stamped)
        if not isinstance(stamped.event, BroadcastEvent):
            return [NewRecord(key, payload, of_event)]
        return [NewRecord(key, payload, of_event, partition) for partition in range(self._log.partitions)]

    def _is_old(self) -> bool:
        """Whether the session began long ago, or by a clock that was set since."""
        age = timedelta(milliseconds=_milliseconds(self._clock()) - keys.session_start_ms(self._session))
        return abs(age) > SESSION_AGE_MAX

    def _begin_session(self) -> None:
        self._session = self._new_session(_milliseconds(self._clock()))
        self._sessions: dict[str, str] = {}  # key → another one, after something was refused
        self._sequences: dict[str, int] = {}  # key → the next sequence

    def _begin_anew(self) -> None:
        """Be a writer who has sent nothing. A forked child leaves the spool, and the locks, to its parent."""
        self._spooling, self._appending = threading.Lock(), threading.Lock()
        self._spool: deque[_Spooled] = deque()
        self._spool_bytes = 0
        self._cut = Cut(self._log.generation)
        self._begin_session()


def _sequence(sent: SentEvent) -> int:
    return sent.sequence


def _not_sent(sent: SentEvent, refusal: HeadwaterError) -> EventRejected:
    reason = refusal.reason if isinstance(refusal, EventRejected) else Reason.SEQUENCE_GAP
    return EventRejected(
        f"this was not written to {sent.key}, since what was to be written there before was refused: {refusal} Then "
        "log it again.",
        reason=reason,
    )


def _spooled(stamped: Stamped, records: Sequence[NewRecord]) -> list[_Spooled]:
    sent = SentEvent(stamped.origin.session, stamped.event.key, stamped.origin.sequence, len(records))
    return [_Spooled(record, sent) for record in records]


def _milliseconds(time: datetime) -> int:
    """Since 1970, UTC."""
    return (time - _EPOCH) // timedelta(milliseconds=1)
