"""Fold the log into the database: read, judge, write, and remember the position, in one transaction a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater_eventlog.port import EventLog, Record
from headwater_schemas import codec, headers
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreUnavailable, UndecodableEvent, UnknownSchema
from headwater_schemas.events import DeadLetterResolved, Stamped
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_consumer import statements
from headwater_consumer.database import Database
from headwater_consumer.projector import Moment, apply, needs, resume_parked
from headwater_consumer.rows import DeadLetter, LogPosition, ParkedKey, ParkedRecord
from headwater_consumer.state import Change, Put
from headwater_consumer.working_set import WorkingSet

RECORDS_PER_BATCH_MAX = 1000
BYTES_PER_BATCH_MAX = 8 * 1024 * 1024  # of payloads; decoded they take some ten times as much


class StaleProjector(HeadwaterError):
    """Another projector moved the cursor meanwhile: this batch was rolled back, and it counts there."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A record with what it says, or why that cannot be told."""

    record: Record
    stamped: Stamped | UndecodableEvent


class Projector:
    """Keeps one database up with one log."""

    def __init__(self, log: EventLog, database: Database, *, records_per_batch: int = RECORDS_PER_BATCH_MAX) -> None:
        self._log = log
        self._database = database
        self._records_per_batch = records_per_batch

    def project_batch(self, partition: int) -> int:
        """Apply the next records of `partition`, and say how many; 0 when there are none.

        Raises: StaleProjector; UnknownSchema when a newer release wrote the next record, after all before it were
        applied; StoreUnavailable when the database belongs to another log.
        """
        with self._database.reading() as connection:
            cursor = self._cursor(WorkingSet(connection), partition)
        records = self._log.read(partition, after=cursor.offset, limit=self._records_per_batch)
        return self.apply_records(partition, _bounded(records))

    def project_all(self) -> int:
        """Apply all there is, batch by batch, and say how many records that was."""
        total = 0
        for partition in range(self._log.partitions):
            while applied := self.project_batch(partition):
                total += applied
        return total

    def apply_records(self, partition: int, records: Sequence[Record]) -> int:
        """Apply `records`, in order, in one transaction; those that are applied already are passed over."""
        readable, unknown = _decode(records)
        if readable:
            with self._database.transaction() as connection:
                state = WorkingSet(connection)
                before = self._cursor(state, partition)
                fresh = [read for read in readable if read.record.position.offset > before.offset]
                if fresh:
                    after = _fold(state, before, fresh)
                    known = before if before.offset != BEFORE_FIRST else None
                    state.flush()
                    if not statements.advance(connection, known, after):
                        raise StaleProjector(f"partition {partition} was projected by another process meanwhile.")
        if unknown is not None:
            raise unknown
        return len(readable)

    def _cursor(self, state: WorkingSet, partition: int) -> LogPosition:
        found = state.get(LogPosition, partition)
        if found is None:
            return LogPosition(partition, self._log.generation, BEFORE_FIRST, 0)
        if found.generation != self._log.generation:
            raise StoreUnavailable(
                f"{self._database.name} is the projection of log {found.generation}, but this log is "
                f"{self._log.generation}. Run `headwater replay --replace` to build a projection of this one."
            )
        return found


def _bounded(records: Sequence[Record]) -> Sequence[Record]:
    size = 0
    for i, record in enumerate(records):
        size += len(record.payload)
        if size > BYTES_PER_BATCH_MAX and i:
            return records[:i]
    return records


def _decode(records: Sequence[Record]) -> tuple[list[_Read], UnknownSchema | None]:
    """Records with what they say, up to the first one of an unknown schema."""
    readable: list[_Read] = []
    for record in records:
        try:
            readable.append(_Read(record, codec.decode(record.payload)))
        except UndecodableEvent as error:
            readable.append(_Read(record, error))
        except UnknownSchema as error:
            position = record.position
            return readable, UnknownSchema(f"partition {position.partition} stops at {position.offset}: {error}")
    return readable, None


def _fold(state: WorkingSet, before: LogPosition, reads: Sequence[_Read]) -> LogPosition:
    time_us = before.time_us
    moments: list[Moment | None] = []
    for read in reads:
        time_us = max(time_us, _time_of(read.record))
        moments.append(_moment(read, time_us))
    state.prefetch(_needs(reads, moments))
    for read, moment in zip(reads, moments, strict=True):
        _judge(state, read, moment, time_us)
    last = reads[-1].record.position
    return LogPosition(before.partition, before.generation, last.offset, time_us)


def _needs(reads: Sequence[_Read], moments: Sequence[Moment | None]) -> Iterator[tuple[type, tuple[object, ...]]]:
    for read, moment in zip(reads, moments, strict=True):
        yield ParkedKey, (read.record.key,)
        if moment is not None and isinstance(read.stamped, Stamped):
            yield from needs(moment, read.stamped.event)


def _judge(state: WorkingSet, read: _Read, moment: Moment | None, time_us: int) -> None:
    record, position = read.record, read.record.position
    parked = state.get(ParkedKey, record.key)
    waits = parked is not None and parked.offset is not None
    if waits and not (isinstance(read.stamped, Stamped) and isinstance(read.stamped.event, DeadLetterResolved)):
        state.write([Put(ParkedRecord(position.partition, position.offset, record.key, record.payload, time_us, None))])
        return
    if isinstance(read.stamped, UndecodableEvent):
        state.write(_dead(record, read.stamped, time_us))
        return
    assert moment is not None
    changes = apply(moment, read.stamped.event, state)
    state.write(changes)
    if isinstance(read.stamped.event, DeadLetterResolved) and _was_resolved(changes):
        resume_parked(read.stamped.event.key, moment, state, state.write)


def _was_resolved(changes: Sequence[Change]) -> bool:
    return any(isinstance(change, Put) and isinstance(change.row, DeadLetter) for change in changes)


def _dead(record: Record, error: UndecodableEvent, time_us: int) -> list[Change]:
    position = record.position
    letter = DeadLetter(
        position.partition, position.offset, record.key, record.payload, str(error), time_us, None, None
    )
    return [Put(letter), Put(ParkedKey(record.key, position.partition, position.offset))]


def _moment(read: _Read, time_us: int) -> Moment | None:
    if not isinstance(read.stamped, Stamped):
        return None
    position = _position_of(read.record)
    return Moment(position, position.number, time_us, read.record.key, read.stamped.origin)


def _position_of(record: Record) -> Position:
    """Where the event stood when it was first written: restored records say so in a header."""
    text = _header(record, headers.ORIGINAL_POSITION)
    if text is None:
        return record.position
    try:
        generation, partition, offset = text.split("/")
        return Position(generation, int(partition), int(offset))
    except ValueError:
        raise InvalidInput(
            f"record {record.position} has an original position that cannot be read: {text!r}."
        ) from None


def _time_of(record: Record) -> int:
    text = _header(record, headers.ORIGINAL_TIME)
    return record.time_us if text is None else int(text)


def _header(record: Record, name: str) -> str | None:
    return next((value.decode() for key, value in record.headers if key == name), None)
