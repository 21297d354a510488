"""The main loop of a projector: its share of the partitions, batch by batch, whatever happens to the servers.

Where a partition stands is what the database says, and it alone decides who is right: a batch is applied only where
the projection stands where this process left it. So nothing that goes wrong needs more than to look again: who was
overtaken, suspended or told late finds its compare refused.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from headwater_eventlog.kafka import KafkaEventLog, KafkaGroup, RecordsGone
from headwater_eventlog.kafka.group import POLL_INTERVAL_S, SESSION_S
from headwater_eventlog.port import Record
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreError, StoreUnavailable, UnknownSchema

from headwater_consumer.database import Database
from headwater_consumer.rows import LogPosition
from headwater_consumer.runner import Projector, StaleProjector
from headwater_consumer.service.pace import Pace
from headwater_consumer.service.standing import Standing
from headwater_consumer.service.watchdog import Heartbeat

GROUP_PREFIX = "headwater-projector"
POLL_S = 0.25  # how soon a stop is noticed while there is nothing to do
OUTAGE = Backoff(pause_s_min=0.1, pause_s_max=5.0)  # between attempts while a server is away
FAILURES_TO_LEAVE = 2  # polls in a row, after which the group is joined anew: it may have been left
STOPPED_RETRY_S = 30.0  # between looks at whether a stopped partition goes on: it may have been mended elsewhere
HINT_S = 5.0  # between two words to Kafka's own tools
TELL_S = 10.0  # between two lines about the work

# Longer than all that the clients wait for by themselves: requests, connections, one leader after another.
KAFKA_STUCK_S = 300.0
# Longer than the three longest statements that can follow on each other without a beat.
DATABASE_STUCK_S = 1_800.0

_log = logging.getLogger("headwater.projector")


class _DatabaseAway(StoreUnavailable):
    """Asked where to read from, the database did not answer. The group is well."""


class ProjectorService:
    """One member of the group of projectors. `run` belongs to one thread; `stop` is for any."""

    def __init__(
        self,
        log: KafkaEventLog,
        database: Database,
        *,
        group_id: str | None = None,
        standing: Standing | None = None,
        heartbeat: Heartbeat | None = None,
        session_timeout_s: float = SESSION_S,
        max_poll_interval_s: float = POLL_INTERVAL_S,
        stopped_retry_s: float = STOPPED_RETRY_S,
    ) -> None:
        self.standing = standing or Standing()
        self.heartbeat = heartbeat or Heartbeat()
        self._kafka, self._group_id = log, group_id or group_of(log, database)
        self._session_timeout_s, self._max_poll_interval_s = session_timeout_s, max_poll_interval_s
        self._stopped_retry_s = stopped_retry_s
        self._projector = Projector(log, database, progress=self.heartbeat.go_on)
        self._over = False  # a plain flag: a lock could be held by the very thread that a signal interrupts
        self._group: KafkaGroup | None = None
        self._cursors: dict[int, LogPosition] = {}  # partition that is ours → where we left it
        self._retry_at: dict[int, float] = {}  # partition that does not go on → when to try again
        self._pace = Pace()
        self._failures = 0  # rounds in a row
        self._poll_failures = 0
        self._hint_at = 0.0
        self._told = (time.monotonic(), 0)  # when, and the records until then

    def stop(self) -> None:
        """Have `run` return after the batch in hand. Safe in a signal handler."""
        self._over = True

    def run(self) -> None:
        """Project until `stop`, then leave the group. What is wrong is logged and in `standing`, never raised."""
        _log.info("Projecting topic %s in group %s.", self._kafka.settings.topic, self._group_id)
        try:
            while not self._over:
                self._round()
        finally:
            self.heartbeat.begin("leave the group", KAFKA_STUCK_S)
            self._leave()
        _log.info("Stopped after %d records.", self.standing.now.records)

    def _round(self) -> None:
        try:
            self._project(self._poll())
            self._resume_stopped()
        except StoreError as error:
            self._give_way(error)
            return
        if self._failures:
            _log.info("Going on after %d attempts.", self._failures)
            self._failures = 0
        self.standing.trouble(None)
        self._hint()
        self._tell()

    # --- what to read

    def _poll(self) -> Mapping[int, list[Record]]:
        """Raises: StoreError."""
        self.heartbeat.begin("read from Kafka", KAFKA_STUCK_S)
        try:
            found = self._member().poll(POLL_S, self._pace.records)
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

    def _member(self) -> KafkaGroup:
        if self._group is None:
            self._group = KafkaGroup(
                self._kafka,
                self._group_id,
                on_assigned=self._on_assigned,
                on_revoked=self._on_revoked,
                session_timeout_s=self._session_timeout_s,
                max_poll_interval_s=self._max_poll_interval_s,
            )
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
        self.heartbeat.begin("read from Kafka", KAFKA_STUCK_S)
        self._cursors.update(cursors)
        positions = {partition: cursor.offset for partition, cursor in cursors.items()}
        self.standing.assigned(positions)
        _log.info("Partitions %s are ours now.", _listed(partitions))
        return positions

    def _on_revoked(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._cursors.pop(partition, None)
            self._retry_at.pop(partition, None)
        self.standing.revoked(partitions)
        _log.info("Partitions %s are ours no more.", _listed(partitions))

    def _cursor(self, partition: int) -> LogPosition:
        self.heartbeat.begin(f"ask where partition {partition} stands", DATABASE_STUCK_S)
        return self._projector.cursor(partition)

    # --- projecting

    def _project(self, found: Mapping[int, list[Record]]) -> None:
        """Raises: StoreError, after which what was not applied is read again."""
        started, waiting = time.monotonic(), dict(found)
        try:
            while waiting and not self._over:
                partition = next(iter(waiting))
                self._project_partition(partition, waiting[partition])
                del waiting[partition]
        except StoreError:
            for partition in waiting:
                self._go_to(self._cursors[partition])
            raise
        if found:
            self._pace.took(sum(map(len, found.values())), time.monotonic() - started)

    def _project_partition(self, partition: int, records: Sequence[Record]) -> None:
        try:
            while records and not self._over:
                after = self._apply(self._cursors[partition], records).offset
                records = [record for record in records if record.position.offset > after]
        except StaleProjector:
            there = self._cursor(partition)
            _log.warning(
                "Partition %d was projected by another process, up to %d; going on there.", partition, there.offset
            )
            self._take_up(there)
        except UnknownSchema as unknown:
            self._stop_partition(partition, f"{unknown} The other partitions go on.")

    def _apply(self, cursor: LogPosition, records: Sequence[Record]) -> LogPosition:
        started = time.monotonic()
        self.heartbeat.begin(f"apply a batch of partition {cursor.partition}", DATABASE_STUCK_S)
        after = self._projector.apply_next(cursor, records)
        count = sum(record.position.offset <= after.offset for record in records)
        self._cursors[cursor.partition] = after
        self.standing.moved(cursor.partition, after.offset)
        self.standing.applied(count, self._projector.rejections, time.monotonic() - started)
        return after

    # --- what does not go on

    def _stop_partition(self, partition: int, reason: str) -> None:
        """Hold it until the next look; the others go on."""
        if self.standing.now.stopped.get(partition) != reason:
            _log.error("Partition %d is stopped: %s", partition, reason)
        self.standing.stopped(partition, reason)
        self._retry_at[partition] = time.monotonic() + self._stopped_retry_s
        if self._group is not None and partition in self._cursors:
            self._group.seek(partition, self._cursors[partition].offset)
            self._group.pause([partition])

    def _resume_stopped(self) -> None:
        """Look again at what does not go on: another process may have, or the log been mended."""
        for partition in [one for one, at in self._retry_at.items() if at <= time.monotonic()]:
            self._take_up(self._cursor(partition))
            del self._retry_at[partition]

    def _take_up(self, cursor: LogPosition) -> None:
        """Go on where the database says."""
        before = self._cursors.get(cursor.partition)
        self._cursors[cursor.partition] = cursor
        if before != cursor:  # else what stopped it there may do so again
            self.standing.moved(cursor.partition, cursor.offset)
        self._go_to(cursor)

    def _go_to(self, cursor: LogPosition) -> None:
        if self._group is not None:
            self._group.seek(cursor.partition, cursor.offset)

    def _give_way(self, error: StoreError) -> None:
        """Say what is wrong, and wait a little."""
        self._failures += 1
        if self.standing.now.trouble != str(error):
            _log.warning("Trying again: %s", error)
        self.standing.trouble(str(error))
        wait_s = OUTAGE.pause_s(self._failures)
        self.heartbeat.begin("wait before trying again", wait_s + KAFKA_STUCK_S)
        deadline = time.monotonic() + wait_s
        while not self._over and time.monotonic() < deadline:
            time.sleep(min(wait_s, POLL_S))

    # --- telling

    def _hint(self) -> None:
        now = time.monotonic()
        if self._group is not None and now >= self._hint_at:
            self._hint_at = now + HINT_S
            self._group.commit_hint({partition: cursor.offset for partition, cursor in self._cursors.items()})

    def _tell(self) -> None:
        now, (before_s, before) = time.monotonic(), self._told
        if now - before_s < TELL_S:
            return
        snapshot = self.standing.now
        if snapshot.records > before:
            rate = (snapshot.records - before) / (now - before_s)
            _log.info("%d records, %.0f a second; %d to go.", snapshot.records - before, rate, snapshot.lag)
        self._told = (now, snapshot.records)


def group_of(log: KafkaEventLog, database: Database) -> str:
    """The group of all who keep one projection of one topic: others have work of their own to deal out."""
    return f"{GROUP_PREFIX}-{log.settings.topic}-{database.place}"


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(partitions)))
