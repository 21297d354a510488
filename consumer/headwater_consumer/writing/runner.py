"""Fold the log into the database: read, decode, apply, and move the cursor, in one transaction a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from headwater_eventlog.port import EventLog, Record
from headwater_schemas.errors import HeadwaterError, StoreError, StoreUnavailable, UnknownSchema
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.database import Database
from headwater_consumer.database.port import DataRefused
from headwater_consumer.projector import DecodedRecord, apply_record, first_keys, second_keys
from headwater_consumer.rows import LogPositionRow, RejectionRow
from headwater_consumer.writing import statements
from headwater_consumer.writing.decoding import decode_records
from headwater_consumer.writing.log_check import before, check_cursor, check_record, record_hash
from headwater_consumer.writing.working_set import WorkingSet

RECORDS_PER_BATCH_MAX = 1000
BYTES_PER_BATCH_MAX = 8 * 1024 * 1024  # of payloads; decoded they take some ten times as much


class PartitionStopped(StoreError):
    """The database works, but refuses what the next record of a partition says."""


class StaleProjector(HeadwaterError):
    """Another projector moved the cursor meanwhile: this batch was rolled back, and was applied there."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """The result of applying some records."""

    cursor: LogPositionRow  # of the projection now
    count: int
    unknown: UnknownSchema | None  # why it stopped before the last of them


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
        """`progress` is called repeatedly while a batch is applied, at least once a statement."""
        self._log = log
        self._database = database
        self._records_per_batch = records_per_batch
        self._progress = progress
        self._checked: dict[int, LogPositionRow] = {}  # partition → the last cursor that is known to be on this log
        self.rejections = 0  # in the batches that this projector applied

    def project_batch(self, partition: int) -> int:
        """Apply the next records of `partition`, and return how many; 0 when there are none.

        Raises: StaleProjector; UnknownSchema when a newer release wrote the next record, after all before it were
        applied; PartitionStopped when the database refuses that; StoreUnavailable when it belongs to another log;
        RecordsGone when an older copy of the log was put back.
        """
        cursor = self.cursor(partition)
        applied = self._apply(cursor, _bounded(self._read_next(cursor)))
        if applied.unknown is not None:
            raise applied.unknown
        return applied.count

    def apply_next(self, cursor: LogPositionRow, records: Sequence[Record]) -> LogPositionRow:
        """Apply the first of `records`, as many as one transaction should hold, and return the new cursor.

        They follow `cursor`, which must be the projection's cursor now, and checked: it is not read again. Raises:
        StaleProjector when it is another; UnknownSchema when a newer release wrote the first of them; PartitionStopped
        when the database refuses what that says; StoreUnavailable.
        """
        applied = self._apply(cursor, _bounded(records))
        if applied.unknown is not None and not applied.count:
            raise applied.unknown
        return applied.cursor

    def cursor(self, partition: int) -> LogPositionRow:
        """The projection's cursor. Raises: StoreUnavailable, also when it is that of another log."""
        with self._database.autocommit() as connection:
            found = WorkingSet(self._database.adapter, connection).get(LogPositionRow, partition)
        if found is None:
            return LogPositionRow(partition, self._log.generation, BEFORE_FIRST, 0, b"")
        if found.generation != self._log.generation:
            raise StoreUnavailable(
                f"{self._database.name} is the projection of log {found.generation}, but this log is "
                f"{self._log.generation}. Run `headwater replay --replace` to build a projection of this one."
            )
        return found

    def check(self, cursor: LogPositionRow) -> None:
        """Compare the record of `cursor` with the one that was projected. Raises: RecordsGone, StoreUnavailable."""
        check_cursor(self._log, cursor)
        self._checked[cursor.partition] = cursor

    def _read_next(self, cursor: LogPositionRow) -> Sequence[Record]:
        """The records after `cursor`; it is checked by the same request, unless it was already."""
        partition, limit = cursor.partition, self._records_per_batch
        if self._checked.get(partition) == cursor:
            return self._log.read(partition, after=cursor.offset, limit=limit)
        records = check_record(cursor, self._log.read(partition, after=before(cursor), limit=limit + 1))
        self._checked[partition] = cursor
        # A log may give fewer than there are: if that was only the cursor's own, nothing is said about those after it.
        return records[:limit] or self._log.read(partition, after=cursor.offset, limit=limit)

    def _apply(self, cursor: LogPositionRow, records: Sequence[Record]) -> _Applied:
        """Apply `records`, or their first half if the database refuses one: so all before that one are applied.

        Raises: PartitionStopped when it is the first.
        """
        try:
            return self._apply_together(cursor, records)
        except DataRefused as error:
            if len(records) > 1:
                return self._apply(cursor, records[: len(records) // 2])
            position = records[0].position
            raise PartitionStopped(f"partition {position.partition} stops at {position.offset}: {error}") from error

    def _apply_together(self, cursor: LogPositionRow, records: Sequence[Record]) -> _Applied:
        """Apply `records`, which follow `cursor` on the log, if that is still the projection's cursor."""
        decoded = decode_records(records, cursor.time_us, self._log.ancestors)
        if not decoded.read:
            return _Applied(cursor, 0, decoded.unknown)
        last = records[decoded.read - 1]
        time_us = decoded.records[-1].time_us if decoded.records else cursor.time_us
        after = replace(cursor, offset=last.position.offset, time_us=time_us, record=record_hash(last))
        adapter = self._database.adapter
        with self._database.transaction() as connection:
            # Before all else, so that a projector that was overtaken does not apply records to newer rows.
            if not statements.advance(adapter, connection, cursor if cursor.offset != BEFORE_FIRST else None, after):
                raise StaleProjector(f"partition {cursor.partition} was projected by another process meanwhile.")
            state = WorkingSet(adapter, connection, self._progress)
            _apply_records(state, decoded.records)
            state.flush()
        self.rejections += state.written[RejectionRow]
        self._checked[cursor.partition] = after
        return _Applied(after, decoded.read, decoded.unknown)


def _bounded(records: Sequence[Record]) -> Sequence[Record]:
    size = 0
    for i, record in enumerate(records):
        size += len(record.payload)
        if size > BYTES_PER_BATCH_MAX and i:
            return records[:i]
    return records


def _apply_records(state: WorkingSet, records: Sequence[DecodedRecord]) -> None:
    state.prefetch(first_keys(records))
    state.prefetch(second_keys(records, state))
    for record in records:
        for changes in apply_record(record, state):
            state.write(changes)
