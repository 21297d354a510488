"""Fold the log into the database: read, judge, write, and remember the position, in one transaction a batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from headwater_eventlog.port import EventLog, Record
from headwater_schemas import codec, headers
from headwater_schemas.errors import HeadwaterError, StoreUnavailable, UndecodableEvent, UnknownSchema
from headwater_schemas.events import DeadLetterResolved, Stamped
from headwater_schemas.positions import BEFORE_FIRST, OFFSETS_MAX, PARTITIONS_MAX, Position

from headwater_consumer import statements
from headwater_consumer.database import Database
from headwater_consumer.projector import Moment, apply, needs, needs_then, resume_parked
from headwater_consumer.projector.moment import storable
from headwater_consumer.rows import DeadLetter, LogPosition, ParkedKey, ParkedRecord, Rejection
from headwater_consumer.state import Change, Put
from headwater_consumer.working_set import WorkingSet

RECORDS_PER_BATCH_MAX = 1000
BYTES_PER_BATCH_MAX = 8 * 1024 * 1024  # of payloads; decoded they take some ten times as much
TIME_US_MAX = 2**63 - 1  # what a column of the database can hold

_FIRST_WRITTEN = (headers.ORIGINAL_POSITION, headers.ORIGINAL_TIME)


class StaleProjector(HeadwaterError):
    """Another projector moved the cursor meanwhile: this batch was rolled back, and it counts there."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A record with what it says, or why that cannot be told."""

    key: str
    payload: bytes
    position: Position  # where it was first written: restored records say so in a header
    time_us: int  # when, made never to go back within a partition
    stamped: Stamped | UndecodableEvent


@dataclass(frozen=True, slots=True)
class _Applied:
    """What became of some records."""

    cursor: LogPosition  # where the projection stands now
    count: int
    unknown: UnknownSchema | None  # why no more of them were


class Projector:
    """Keeps one database up with one log."""

    def __init__(
        self,
        log: EventLog,
        database: Database,
        *,
        records_per_batch: int = RECORDS_PER_BATCH_MAX,
        progress: Callable[[], None] | None = None,
    ) -> None:
        """`progress` is called again and again while a batch is worked on: never less than once a statement."""
        self._log = log
        self._database = database
        self._records_per_batch = records_per_batch
        self._progress = progress
        self.rejections = 0  # in the batches that this projector applied

    def project_batch(self, partition: int) -> int:
        """Apply the next records of `partition`, and say how many; 0 when there are none.

        Raises: StaleProjector; UnknownSchema when a newer release wrote the next record, after all before it were
        applied; StoreUnavailable when the database belongs to another log.
        """
        cursor = self.cursor(partition)
        records = self._log.read(partition, after=cursor.offset, limit=self._records_per_batch)
        return _count(self._apply(cursor, _bounded(records)))

    def project_all(self) -> int:
        """Apply all there is, batch by batch, and say how many records that was.

        Raises: as `project_batch`; of partitions that stop at an unknown schema the first, after all others went on.
        """
        total, stopped = 0, None
        for partition in range(self._log.partitions):
            try:
                while applied := self.project_batch(partition):
                    total += applied
            except UnknownSchema as unknown:
                stopped = stopped or unknown
        if stopped is not None:
            raise stopped
        return total

    def apply_records(self, partition: int, records: Sequence[Record]) -> int:
        """Apply `records`, in order, in one transaction; those that are applied already are passed over.

        They must follow on what is applied without leaving one out. Says how many counted. Raises: as `project_batch`.
        """
        cursor = self.cursor(partition)
        return _count(self._apply(cursor, [record for record in records if record.position.offset > cursor.offset]))

    def apply_next(self, cursor: LogPosition, records: Sequence[Record]) -> LogPosition:
        """Apply the first of `records`, as many as one transaction should hold, and say where the projection stands.

        They follow `cursor`, which is where it must stand now: nobody asks. Raises: StaleProjector when it does not;
        UnknownSchema when a newer release wrote the first of them; StoreUnavailable.
        """
        applied = self._apply(cursor, _bounded(records))
        if applied.unknown is not None and not applied.count:
            raise applied.unknown
        return applied.cursor

    def cursor(self, partition: int) -> LogPosition:
        """Where the projection stands. Raises: StoreUnavailable, also when it is that of another log."""
        with self._database.asking() as connection:
            found = WorkingSet(connection).get(LogPosition, partition)
        if found is None:
            return LogPosition(partition, self._log.generation, BEFORE_FIRST, 0)
        if found.generation != self._log.generation:
            raise StoreUnavailable(
                f"{self._database.name} is the projection of log {found.generation}, but this log is "
                f"{self._log.generation}. Run `headwater replay --replace` to build a projection of this one."
            )
        return found

    def _apply(self, cursor: LogPosition, records: Sequence[Record]) -> _Applied:
        """Apply `records`, which follow `cursor` on the log, if the projection still stands there."""
        reads, unknown = _read_all(records, cursor.time_us)
        if not reads:
            return _Applied(cursor, 0, unknown)
        last = records[len(reads) - 1].position
        after = LogPosition(cursor.partition, cursor.generation, last.offset, reads[-1].time_us)
        with self._database.transaction() as connection:
            # First of all, so that who was overtaken judges nothing by rows that are ahead of its records.
            if not statements.advance(connection, cursor if cursor.offset != BEFORE_FIRST else None, after):
                raise StaleProjector(f"partition {cursor.partition} was projected by another process meanwhile.")
            state = WorkingSet(connection, self._progress)
            _fold(state, reads)
            state.flush()
        self.rejections += state.written[Rejection]
        return _Applied(after, len(reads), unknown)


def _count(applied: _Applied) -> int:
    """How many records counted. Raises: UnknownSchema."""
    if applied.unknown is not None:
        raise applied.unknown
    return applied.count


def _bounded(records: Sequence[Record]) -> Sequence[Record]:
    size = 0
    for i, record in enumerate(records):
        size += len(record.payload)
        if size > BYTES_PER_BATCH_MAX and i:
            return records[:i]
    return records


# --- reading ------------------------------------------------------------------------------------------------------


def _read_all(records: Sequence[Record], not_before_us: int) -> tuple[list[_Read], UnknownSchema | None]:
    """Records with what they say, up to the first one of an unknown schema."""
    reads: list[_Read] = []
    for record in records:
        try:
            reads.append(_read(record, reads[-1].time_us if reads else not_before_us))
        except UnknownSchema as error:
            position = record.position
            return reads, UnknownSchema(f"partition {position.partition} stops at {position.offset}: {error}")
    return reads, None


def _read(record: Record, not_before_us: int) -> _Read:
    position, time_us = record.position, record.time_us
    stamped: Stamped | UndecodableEvent
    try:
        position, time_us = _first_written(record)
        stamped = _storable(codec.decode(record.payload))
    except UndecodableEvent as error:
        stamped = error
    return _Read(storable(record.key), record.payload, position, max(time_us, not_before_us), stamped)


def _storable(stamped: Stamped) -> Stamped:
    """Who wrote an event is on record also where the event is refused."""
    session = storable(stamped.origin.session)
    return (
        stamped
        if session == stamped.origin.session
        else replace(stamped, origin=replace(stamped.origin, session=session))
    )


def _first_written(record: Record) -> tuple[Position, int]:
    """Where and when the event was first written: restored records say so in headers."""
    said = {name: value for name, value in record.headers if name in _FIRST_WRITTEN}
    position, time_us = record.position, record.time_us
    if not said:
        return position, time_us
    try:
        if (text := said.get(headers.ORIGINAL_POSITION)) is not None:
            position = _parse_position(text.decode())
        if (text := said.get(headers.ORIGINAL_TIME)) is not None:
            time_us = int(text)
    except ValueError:  # whose words may differ between releases of Python, and would end up in the projection
        raise UndecodableEvent("the headers of a restored record cannot be read.") from None
    if not 0 <= time_us <= TIME_US_MAX:
        raise UndecodableEvent(f"a restored record was written at {time_us}, which is no time.")
    return position, time_us


def _parse_position(text: str) -> Position:
    generation, partition, offset = text.split("/")
    position = Position(generation, int(partition), int(offset))
    if not (0 <= position.partition < PARTITIONS_MAX and 0 <= position.offset < OFFSETS_MAX):
        raise ValueError(f"{text!r} is not a position")
    return position


# --- judging ------------------------------------------------------------------------------------------------------


def _fold(state: WorkingSet, reads: Sequence[_Read]) -> None:
    state.prefetch(_needs(reads))
    events = [read.stamped.event for read in reads if isinstance(read.stamped, Stamped)]
    state.prefetch(need for event in events for need in needs_then(event, state))
    for read in reads:
        _judge(state, read)


def _needs(reads: Sequence[_Read]) -> Iterator[tuple[type, tuple[object, ...]]]:
    for read in reads:
        yield ParkedKey, (read.position.partition, read.key)
        if isinstance(read.stamped, Stamped):
            yield from needs(_moment(read, read.stamped), read.stamped.event)


def _judge(state: WorkingSet, read: _Read) -> None:
    stamped, partition, offset = read.stamped, read.position.partition, read.position.offset
    resolves = isinstance(stamped, Stamped) and isinstance(stamped.event, DeadLetterResolved)
    parked = state.get(ParkedKey, partition, read.key)
    if parked is not None and parked.offset is not None and not resolves:
        state.write([Put(ParkedRecord(partition, offset, read.key, read.payload, read.time_us, None))])
    elif isinstance(stamped, UndecodableEvent):
        letter = DeadLetter(partition, offset, read.key, read.payload, str(stamped), read.time_us, None, None)
        state.write([Put(letter), Put(ParkedKey(partition, read.key, offset))])
    else:
        moment = _moment(read, stamped)
        changes = apply(moment, stamped.event, state)
        state.write(changes)
        if resolves and _was_resolved(changes):
            resume_parked(read.key, moment, state, state.write)


def _was_resolved(changes: Sequence[Change]) -> bool:
    return any(isinstance(change, Put) and isinstance(change.row, DeadLetter) for change in changes)


def _moment(read: _Read, stamped: Stamped) -> Moment:
    return Moment(read.position, read.position.number, read.time_us, read.key, stamped.origin)
