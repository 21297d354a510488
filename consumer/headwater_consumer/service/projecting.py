"""The main loop of a projector: its share of the partitions, batch by batch, whatever happens to the servers.

The database alone decides how far a partition is projected: a batch is applied only if the projection is still where
this process left it. So after every failure it is enough to read the cursor again: a process that was overtaken,
suspended or informed late fails the compare-and-set.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from headwater_eventlog.port import EventLog, Record, RecordsGone
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreError, StoreUnavailable, UnknownSchema

from headwater_consumer.database import Database
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.service.batch_sizing import BatchSizer
from headwater_consumer.service.port import JoinGroup, PartitionGroup
from headwater_consumer.service.status import ProjectorStatus
from headwater_consumer.service.watchdog import Heartbeat
from headwater_consumer.writing.runner import PartitionStopped, Projector, StaleProjector

POLL_S = 0.25  # how soon a stop is noticed while there is nothing to do
OUTAGE = Backoff(pause_s_min=0.1, pause_s_max=5.0)  # between attempts while a server is away
FAILURES_TO_LEAVE = 2  # polls in a row, after which it joins the group again: it may have been removed
STOPPED_RETRY_S = 30.0  # between attempts at a stopped partition: it may have been repaired elsewhere
HINT_S = 5.0  # between two position hints for the log's own tools
REPORT_S = 10.0  # between two log lines about throughput

# Longer than all that the clients wait for by themselves: requests, connections, one leader after another.
LOG_STUCK_S = 300.0
# Longer than the three longest statements that can follow each other without a beat.
DATABASE_STUCK_S = 1_800.0

_log = logging.getLogger("headwater.projector")


class _DatabaseAway(StoreUnavailable):
    """The database did not answer where to read from. The group is fine."""


class ProjectorService:
    """One member of the group of projectors. `run` belongs to one thread; `stop` is for any."""

    def __init__(
        self,
        log: EventLog,
        database: Database,
        join: JoinGroup,
        *,
        status: ProjectorStatus | None = None,
        heartbeat: Heartbeat | None = None,
        stopped_retry_s: float = STOPPED_RETRY_S,
    ) -> None:
        self.status = status or ProjectorStatus()
        self.heartbeat = heartbeat or Heartbeat()
        self._join = join
        self._name = f"log {log.generation} into {database.name}"
        self._stopped_retry_s = stopped_retry_s
        self._projector = Projector(log, database, progress=self.heartbeat.progress)
        self._stopping = False  # a plain flag: a lock could be held by the very thread that a signal interrupts
        self._group: PartitionGroup | None = None
        self._cursors: dict[int, LogPositionRow] = {}  # assigned partition → its cursor when we last wrote or read it
        self._unchecked: set[int] = set()  # assigned partitions whose cursor was not compared with the log
        self._retry_at: dict[int, float] = {}  # stopped partition → when to try again
        self._batch_sizer = BatchSizer()
        self._failures = 0  # rounds in a row
        self._poll_failures = 0
        self._hint_at = 0.0
        self._reported = (time.monotonic(), 0)  # when, and the records until then

    def stop(self) -> None:
        """Have `run` return after the batch in hand. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Project until `stop`, then leave the group. Trouble is logged and in `status`, never raised."""
        _log.info("Projecting %s.", self._name)
        try:
            while not self._stopping:
                self._round()
        finally:
            self.heartbeat.begin("leave the group", LOG_STUCK_S)
            self._leave()
        _log.info("Stopped after %d records.", self.status.now.records)

    def _round(self) -> None:
        try:
            self._project(self._poll())
            for partition in sorted(self._unchecked):
                self._project_partition(partition, [])
            self._resume_stopped()
        except StoreError as error:
            self._back_off(error)
            return
        if self._failures:
            _log.info("Recovered after %d attempts.", self._failures)
            self._failures = 0
        self.status.trouble(None)
        self._hint()
        self._report()

    # --- reading

    def _poll(self) -> Mapping[int, list[Record]]:
        """Raises: StoreError."""
        self.heartbeat.begin("read from the log", LOG_STUCK_S)
        try:
            found = self._member().poll(POLL_S, self._batch_sizer.records)
        except RecordsGone as gone:
            self._stop_partition(gone.partition, str(gone))
            found = {}
        except _DatabaseAway:
            raise
        except StoreError:
            self._poll_failures += 1
            if self._poll_failures >= FAILURES_TO_LEAVE:
                self._leave()
            raise
        self._poll_failures = 0
        return found

    def _member(self) -> PartitionGroup:
        if self._group is None:
            self._group = self._join(on_assigned=self._on_assigned, on_revoked=self._on_revoked)
        return self._group

    def _leave(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            group.close()

    def _on_assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        try:
            cursors = {partition: self._cursor(partition) for partition in partitions}
        except StoreError as error:
            raise _DatabaseAway(str(error)) from error
        self.heartbeat.begin("read from the log", LOG_STUCK_S)
        self._cursors.update(cursors)
        self._unchecked.update(cursors)
        positions = {partition: cursor.offset for partition, cursor in cursors.items()}
        self.status.assigned(positions)
        _log.info("Partitions %s are assigned to this process.", _listed(partitions))
        return positions

    def _on_revoked(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._cursors.pop(partition, None)
            self._retry_at.pop(partition, None)
            self._unchecked.discard(partition)
        self.status.revoked(partitions)
        _log.info("Partitions %s are no longer assigned to this process.", _listed(partitions))

    def _cursor(self, partition: int) -> LogPositionRow:
        self.heartbeat.begin(f"read the cursor of partition {partition}", DATABASE_STUCK_S)
        return self._projector.cursor(partition)

    # --- projecting

    def _project(self, found: Mapping[int, list[Record]]) -> None:
        """Raises: StoreError, after which the records that were not applied are read again."""
        started, pending = time.monotonic(), dict(found)
        try:
            while pending and not self._stopping:
                partition = next(iter(pending))
                self._project_partition(partition, pending[partition])
                del pending[partition]
        except StoreError:
            for partition in pending:
                self._seek(self._cursors[partition])
            raise
        if found:
            self._batch_sizer.record(sum(map(len, found.values())), time.monotonic() - started)

    def _project_partition(self, partition: int, records: Sequence[Record]) -> None:
        try:
            self._check(partition)
            while records and not self._stopping:
                after = self._apply(self._cursors[partition], records).offset
                records = [record for record in records if record.position.offset > after]
        except StaleProjector:
            cursor = self._cursor(partition)
            _log.warning(
                "Partition %d was projected by another process, up to %d; continuing there.", partition, cursor.offset
            )
            self._continue_at(cursor)
        except (UnknownSchema, PartitionStopped) as error:
            self._stop_partition(partition, f"{error} The other partitions continue.")
        except RecordsGone as gone:
            self._stop_partition(partition, str(gone))

    def _apply(self, cursor: LogPositionRow, records: Sequence[Record]) -> LogPositionRow:
        started = time.monotonic()
        self.heartbeat.begin(f"apply a batch of partition {cursor.partition}", DATABASE_STUCK_S)
        after = self._projector.apply_next(cursor, records)
        count = sum(record.position.offset <= after.offset for record in records)
        self._cursors[cursor.partition] = after
        self.status.moved(cursor.partition, after.offset)
        self.status.applied(count, self._projector.rejections, time.monotonic() - started)
        return after

    def _check(self, partition: int) -> None:
        """Compare the cursor with the log, once an assignment. Raises: RecordsGone, StoreError."""
        if partition in self._unchecked:
            self.heartbeat.begin(f"compare the cursor of partition {partition} with the log", LOG_STUCK_S)
            self._projector.check(self._cursors[partition])
            self._unchecked.discard(partition)

    # --- stopped partitions

    def _stop_partition(self, partition: int, reason: str) -> None:
        """Pause it until the next attempt; the others continue."""
        if self.status.now.stopped.get(partition) != reason:
            _log.error("Partition %d is stopped: %s", partition, reason)
        self.status.stopped(partition, reason)
        self._unchecked.discard(partition)  # until it is tried again
        self._retry_at[partition] = time.monotonic() + self._stopped_retry_s
        if self._group is not None and partition in self._cursors:
            self._group.seek(partition, self._cursors[partition].offset)
            self._group.pause([partition])

    def _resume_stopped(self) -> None:
        """Try stopped partitions again: another process may have projected them, or the log been repaired."""
        for partition in [one for one, at in self._retry_at.items() if at <= time.monotonic()]:
            self._continue_at(self._cursor(partition))
            self._unchecked.add(partition)
            del self._retry_at[partition]

    def _continue_at(self, cursor: LogPositionRow) -> None:
        """Continue where the database says."""
        before = self._cursors.get(cursor.partition)
        self._cursors[cursor.partition] = cursor
        if before != cursor:  # else the same record may stop it again
            self.status.moved(cursor.partition, cursor.offset)
        self._seek(cursor)

    def _seek(self, cursor: LogPositionRow) -> None:
        if self._group is not None:
            self._group.seek(cursor.partition, cursor.offset)

    def _back_off(self, error: StoreError) -> None:
        """Report the trouble, and wait a little."""
        self._failures += 1
        if self.status.now.trouble != str(error):
            _log.warning("Trying again: %s", error)
        self.status.trouble(str(error))
        wait_s = OUTAGE.pause_s(self._failures)
        self.heartbeat.begin("wait before the next attempt", wait_s + LOG_STUCK_S)
        deadline = time.monotonic() + wait_s
        while not self._stopping and time.monotonic() < deadline:
            time.sleep(min(wait_s, POLL_S))

    # --- reporting

    def _hint(self) -> None:
        now = time.monotonic()
        if self._group is not None and now >= self._hint_at:
            self._hint_at = now + HINT_S
            self._group.commit_hint({partition: cursor.offset for partition, cursor in self._cursors.items()})

    def _report(self) -> None:
        now, (before_s, before) = time.monotonic(), self._reported
        if now - before_s < REPORT_S:
            return
        snapshot = self.status.now
        if snapshot.records > before:
            rate = (snapshot.records - before) / (now - before_s)
            _log.info("%d records, %.0f a second; %d to go.", snapshot.records - before, rate, snapshot.lag)
        self._reported = (now, snapshot.records)


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(partitions)))
