"""Fold the log into the database: read, decode, apply, and move the cursors, in one transaction over all partitions."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import chain

from headwater_eventlog.port import EventLog, Record
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import HeadwaterError, StoreError, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.database import Database
from headwater_consumer.database.port import DataRefused, GaveWay
from headwater_consumer.projector import apply_record, entries_of_bases, first_keys, second_keys, third_keys
from headwater_consumer.projector.state import Put
from headwater_consumer.rows import LogPositionRow, RejectionRow
from headwater_consumer.writing import statements
from headwater_consumer.writing.batches import Applied, Batch, DecodedBatch, bounded, decoded
from headwater_consumer.writing.log_check import before, check_cursor, check_record
from headwater_consumer.writing.working_set import WorkingSet

RECORDS_PER_BATCH_MAX = 1000
# Between attempts at a transaction that gave way to another one, as in a deadlock: seconds in all.
REPEATS = Backoff(pause_s_min=0.01, pause_s_max=1.0, jitter=0.5, attempts_max=8)


class PartitionStopped(StoreError):
    """The database works, but refuses what the next record of a partition says."""


class StaleProjector(HeadwaterError):
    """Another projector moved the cursor of a partition meanwhile, or is moving it: nothing of it was applied here."""


class Projector:
    """Keeps one database up with one log."""

    def __init__(
        self,
        log: EventLog,
        database: Database,
        *,
        records_per_batch: int = RECORDS_PER_BATCH_MAX,
        progress: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`progress` is called repeatedly while a batch is applied, at least once a statement."""
        self._log = log
        self._database = database
        self._records_per_batch = records_per_batch
        self._progress = progress
        self._sleep = sleep
        self._checked: dict[int, LogPositionRow] = {}  # partition → the last cursor that is known to be on this log
        self.rejections = 0  # in the batches that this projector applied

    def project_batch(self, partition: int) -> int:
        """Apply the next records of `partition`, and return how many; 0 when there are none.

        Raises: StaleProjector; UnknownSchema when a newer release wrote the next record, after all before it were
        applied; PartitionStopped when the database refuses that; StoreUnavailable when it belongs to another log;
        RecordsGone when an older copy of the log was put back.
        """
        return self.project_after(self.cursor(partition)).count

    def project_after(self, cursor: LogPositionRow) -> Applied:
        """As `project_batch`, for who has just read the cursor. `stopped` of what it returns is None."""
        applied = self.apply([Batch(cursor, self._read_next(cursor))])[cursor.partition]
        if applied.stopped is not None:
            raise applied.stopped
        return applied

    def apply(self, batches: Sequence[Batch]) -> dict[int, Applied]:
        """Apply the first records of `batches`, as many as one transaction should hold. Returns the results by
        partition; of those that have to wait for the next transaction there is none.

        Each cursor must be checked, and the projection's cursor now: of a partition that another projector moved, or is
        moving, nothing is applied, and all others are. Only where the database refuses what a record says, each
        partition gets a transaction of its own, so that the others do not stop. Raises: StoreUnavailable.
        """
        first = bounded(batches)
        try:
            return self._apply_together(first)
        except DataRefused:
            return {batch.cursor.partition: self._apply_alone(batch) for batch in first}

    def cursor(self, partition: int) -> LogPositionRow:
        """The projection's cursor. Raises: StoreUnavailable, also when it is that of another log."""
        return self.cursors([partition])[partition]

    def cursors(self, partitions: Collection[int]) -> dict[int, LogPositionRow]:
        """The projection's cursor of each of these partitions, by one statement. Raises: as `cursor`."""
        with self._database.autocommit() as connection:
            state = WorkingSet(self._database.adapter, connection)
            state.prefetch((LogPositionRow, (partition,)) for partition in partitions)
            return {partition: self._own_cursor(partition, state) for partition in partitions}

    def _own_cursor(self, partition: int, state: WorkingSet) -> LogPositionRow:
        found = state.get(LogPositionRow, partition)
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

    # --- one transaction

    def _apply_alone(self, batch: Batch) -> Applied:
        """Apply a batch, or its first half if the database refuses a record: so all before that one are applied."""
        partition, records = batch.cursor.partition, batch.records
        try:
            return self._apply_together([batch])[partition]
        except DataRefused as error:
            if len(records) > 1:
                return self._apply_alone(replace(batch, records=records[: len(records) // 2]))
            stopped = PartitionStopped(f"partition {partition} stops at {records[0].position.offset}: {error}")
            stopped.__cause__ = error
            return Applied(batch.cursor, stopped=stopped)

    def _apply_together(self, batches: Sequence[Batch]) -> dict[int, Applied]:
        """Raises: StoreUnavailable; DataRefused, after which nothing was applied."""
        found = [decoded(batch, self._log.ancestors) for batch in batches]
        taken = self._transact([batch for batch in found if batch.count])
        self._checked.update((batch.partition, batch.after) for batch in found if batch.partition in taken)
        return {batch.partition: _applied(batch, is_taken=batch.partition in taken) for batch in found}

    def _transact(self, batches: Sequence[DecodedBatch]) -> set[int]:
        """The partitions of which `batches` were applied. Raises: as `_apply_together`."""
        if not batches:
            return set()
        repeats = REPEATS.start(sleep=self._sleep)
        while True:
            try:
                self._create_cursors(batches)
                return self._transact_once(batches)
            except GaveWay:
                if not repeats.pause():
                    raise

    def _transact_once(self, batches: Sequence[DecodedBatch]) -> set[int]:
        adapter = self._database.adapter
        with self._database.transaction() as connection:
            # Before all else, so that a projector that was overtaken does not apply records to newer rows.
            taken = statements.locked(adapter, connection, [batch.cursor for batch in batches])
            state = WorkingSet(adapter, connection, self._progress)
            _apply_all(state, [batch for batch in batches if batch.partition in taken])
            state.flush()
        self.rejections += state.written[RejectionRow]
        return taken

    def _create_cursors(self, batches: Sequence[DecodedBatch]) -> None:
        """Make the rows of new partitions: a row that is not there cannot be locked."""
        new = [batch.cursor for batch in batches if batch.cursor.offset == BEFORE_FIRST]
        if new:
            with self._database.transaction() as connection:
                for cursor in sorted(new, key=lambda cursor: cursor.partition):
                    self._database.adapter.insert_row(connection, cursor)


def _apply_all(state: WorkingSet, batches: Sequence[DecodedBatch]) -> None:
    records = list(chain.from_iterable(batch.records for batch in batches))
    state.prefetch(first_keys(records))
    state.prefetch(second_keys(records, state))
    state.prefetch(third_keys(records, state))
    state.prefetch_entries(entries_of_bases(records, state))
    for record in records:
        for changes in apply_record(record, state):
            state.write(changes)
    state.write(Put(batch.after) for batch in batches)


def _applied(batch: DecodedBatch, *, is_taken: bool) -> Applied:
    if is_taken or not batch.count:
        return Applied(batch.after, batch.count, batch.unknown)
    stale = StaleProjector(f"partition {batch.partition} was projected by another process meanwhile.")
    return Applied(batch.cursor, stopped=stale)
