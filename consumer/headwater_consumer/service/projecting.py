"""The main loop of a projector: its share of the partitions, poll by poll, whatever happens to the servers.

The database alone decides how far a partition is projected: what was polled of it is applied only if the projection is
still where this process left it. So after every failure it is enough to read the cursor again: a process that was
overtaken, suspended or informed late fails the compare-and-set.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from headwater_eventlog.port import EventLog, Record, RecordsDeleted, RecordsGone
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import HeadwaterError, StoreError, StoreUnavailable

from headwater_consumer.database import Database
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.service.batch_sizing import BatchSizer
from headwater_consumer.service.port import JoinGroup, PartitionGroup
from headwater_consumer.service.status import ProjectorStatus
from headwater_consumer.service.watchdog import Heartbeat
from headwater_consumer.writing.announcements import announce
from headwater_consumer.writing.batches import Applied, Batch
from headwater_consumer.writing.runner import Projector, StaleProjector

POLL_S = 0.25  # how soon a stop is noticed while there is nothing to do
OUTAGE = Backoff(pause_s_min=0.1, pause_s_max=5.0)  # between attempts while a server is away
FAILURES_TO_LEAVE = 2  # polls in a row, after which it joins the group again: it may have been removed
STOPPED_RETRY_S = 30.0  # between attempts at a stopped partition: it may have been repaired elsewhere
TAKEN_RETRY_S = 0.25  # between attempts at a partition that another process is projecting now
COMPARE_S = 1.0  # between two comparisons with the cursors in the database
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
        self._log, self._database, self._generation = log, database, log.generation
        self._name = f"log {log.generation} into {database.name}"
        self._stopped_retry_s = stopped_retry_s
        self._projector = Projector(log, database, progress=self.heartbeat.progress)
        self._stopping = False  # a plain flag: a lock could be held by the very thread that a signal interrupts
        self._group: PartitionGroup | None = None
        self._cursors: dict[int, LogPositionRow] = {}  # assigned partition → its cursor when we last wrote or read it
        self._begins_later: dict[int, int] = {}  # assigned partition → where the topic begins, after its cursor
        self._unchecked: set[int] = set()  # assigned partitions whose cursor was not compared with the log
        self._retry_at: dict[int, float] = {}  # paused partition → when to try again
        self._batch_sizer = BatchSizer()
        self._failures = 0  # rounds in a row
        self._poll_failures = 0
        self._compare_at = 0.0
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
            self._project(self._poll() | self._read_earlier())
            self._resume_paused()
            self._compare_cursors()
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

    def _poll(self) -> dict[int, list[Record]]:
        """Raises: StoreError."""
        self.heartbeat.begin("read from the log", LOG_STUCK_S)
        try:
            found = dict(self._member().poll(0 if self._begins_later else POLL_S, self._batch_sizer.records))
        except RecordsDeleted as deleted:
            self._begins_later[deleted.partition] = deleted.beginning
            found = {}
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

    def _read_earlier(self) -> dict[int, list[Record]]:
        """The next records of one partition that the group cannot give, because they were deleted from the topic."""
        waiting = sorted(self._begins_later.keys() - self._retry_at.keys())
        if not waiting:
            return {}
        partition, cursor = waiting[0], self._cursors[waiting[0]]
        if cursor.offset + 1 >= self._begins_later[partition]:
            del self._begins_later[partition]
            _log.info("Partition %d goes on from the topic, after %d.", partition, cursor.offset)
            self._seek(cursor)
            return {}
        self.heartbeat.begin(f"read what was deleted of partition {partition}", LOG_STUCK_S)
        try:
            records = self._log.read(partition, after=cursor.offset, limit=self._batch_sizer.records)
        except StoreError as error:
            del self._begins_later[partition]
            self._stop_partition(partition, str(error))
            return {}
        return {partition: list(records)}

    def _member(self) -> PartitionGroup:
        if self._group is None:
            self._group = self._join(on_assigned=self._on_assigned, on_revoked=self._on_revoked)
        return self._group

    def _leave(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            group.close()

    def _on_assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.heartbeat.begin("read the cursors", DATABASE_STUCK_S)
        try:
            cursors = self._projector.cursors(partitions)
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
            self._begins_later.pop(partition, None)
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
            for partition in sorted(self._unchecked):
                if not self._is_on_log(partition):
                    pending.pop(partition, None)
            while pending and not self._stopping:
                self._apply(pending)
        except StoreError:
            for partition in pending:
                self._seek(self._cursors[partition])
            raise
        if found:
            self._batch_sizer.record(sum(map(len, found.values())), time.monotonic() - started)

    def _is_on_log(self, partition: int) -> bool:
        """Compare the cursor with the log, once an assignment; if that is another log, stop it. Raises: StoreError."""
        self.heartbeat.begin(f"compare the cursor of partition {partition} with the log", LOG_STUCK_S)
        try:
            self._projector.check(self._cursors[partition])
        except RecordsGone as gone:
            self._stop_partition(partition, str(gone))
            return False
        self._unchecked.discard(partition)
        return True

    def _apply(self, pending: dict[int, list[Record]]) -> None:
        """Apply the first records of `pending`, and take out what needs no further attempt. Raises: StoreError."""
        started = time.monotonic()
        self.heartbeat.begin(f"apply a batch of partitions {_listed([*pending])}", DATABASE_STUCK_S)
        batches = [Batch(self._cursors[partition], records) for partition, records in pending.items()]
        applied = self._projector.apply(batches)
        for one in applied.values():
            self._cursors[one.cursor.partition] = one.cursor
            if one.count:
                self.status.moved(one.cursor.partition, one.cursor.offset)
        count = sum(one.count for one in applied.values())
        self.status.applied(count, self._projector.rejections, time.monotonic() - started)
        moved = {one.cursor.partition: one.cursor.offset for one in applied.values() if one.count}
        if moved:
            announce(self._database, self._generation, moved)
        for partition, one in applied.items():
            del pending[partition][: one.count]
            if one.stopped is not None:
                self._continue_without(one, one.stopped)  # if that fails, it stays pending
            if one.stopped is not None or not pending[partition]:
                del pending[partition]

    def _continue_without(self, applied: Applied, reason: HeadwaterError) -> None:
        """Its partition cannot continue now, for this reason. The others can. Raises: StoreError."""
        partition = applied.cursor.partition
        if not isinstance(reason, StaleProjector):
            self._stop_partition(partition, f"{reason} The other partitions continue.")
            return
        cursor = self._cursor(partition)
        if cursor == applied.cursor:  # another process is in the middle of it
            self._pause(partition, TAKEN_RETRY_S)
            return
        _log.warning(
            "Partition %d was projected by another process, up to %d; continuing there.", partition, cursor.offset
        )
        self._continue_at(cursor)

    def _compare_cursors(self) -> None:
        """Continue where the database is, if that is elsewhere. Raises: StoreError.

        One that crashed has lost its last transactions. Of a partition that gets no records, nothing else shows it.
        """
        now = time.monotonic()
        if now < self._compare_at:
            return
        self._compare_at = now + COMPARE_S
        self.heartbeat.begin("compare the cursors", DATABASE_STUCK_S)
        for partition, cursor in self._projector.cursors(self._cursors.keys() - self._retry_at.keys()).items():
            if cursor != self._cursors[partition]:
                _log.warning("Partition %d is at %d in the database; continuing there.", partition, cursor.offset)
                self._continue_at(cursor)

    # --- paused partitions

    def _stop_partition(self, partition: int, reason: str) -> None:
        """Pause it until the next attempt; the others continue."""
        if self.status.now.stopped.get(partition) != reason:
            _log.error("Partition %d is stopped: %s", partition, reason)
        self.status.stopped(partition, reason)
        self._unchecked.discard(partition)  # until it is tried again
        self._pause(partition, self._stopped_retry_s)

    def _pause(self, partition: int, retry_s: float) -> None:
        self._retry_at[partition] = time.monotonic() + retry_s
        if self._group is not None and partition in self._cursors:
            self._group.seek(partition, self._cursors[partition].offset)
            self._group.pause([partition])

    def _resume_paused(self) -> None:
        """Try them again: another process may have projected them, or the log been repaired."""
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
