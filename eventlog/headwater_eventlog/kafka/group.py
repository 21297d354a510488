"""Sharing the partitions of a log among projectors.

Kafka only assigns the partitions. The caller says where to read each one from, and keeps that in the database. A
partition may be revoked at any moment, and this process may learn of it late: it can still receive records of a
partition that another process owns by then. Only the database's compare-and-set decides which one is right.

The client calls its listener in a thread that must not wait. So the listener only queues the rebalance and pauses the
partition; `poll` calls the caller's functions, in the caller's thread.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from headwater_eventlog.kafka.driver import (
    ConsumerRebalanceListener,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
    close_in_background,
    create_client,
    deliver_put_aside,
    errors,
    resume_joining,
    translate_errors,
)
from headwater_eventlog.kafka.log import KafkaEventLog
from headwater_eventlog.kafka.reader import consumer_options, records_gone, to_records
from headwater_eventlog.kafka.topic import PROPAGATION_WAIT_S, RETRY
from headwater_eventlog.port import RECORDS_PER_READ_MAX, Record

SESSION_S = 10.0  # without a heartbeat, after which a member's partitions are assigned to others
HEARTBEATS_PER_SESSION = 5
POLL_INTERVAL_S = 300.0  # between two polls, after which a member counts as stuck
FETCH_WAIT_S = 0.1  # how long a broker waits for records; newly assigned partitions wait for that answer too
POLL_STEP_S = 0.1  # between checks for rebalances
IDENTITY_AGE_S_MAX = 1.0  # since the topic's identity was last verified
LEAVE_WAIT_S = 5.0  # for the answer to leaving the group

_Rebalance = tuple[Literal["assigned", "revoked"], tuple[int, ...]]


class KafkaGroup:
    """One member of a consumer group. For one thread, in the process that created it."""

    def __init__(
        self,
        log: KafkaEventLog,
        group_id: str,
        *,
        on_assigned: Callable[[Sequence[int]], Mapping[int, int]],
        on_revoked: Callable[[Sequence[int]], None],
        session_timeout_s: float = SESSION_S,
        max_poll_interval_s: float = POLL_INTERVAL_S,
    ) -> None:
        """`on_assigned` returns the offset to read each partition after; if it raises, the next poll calls it again.
        `on_revoked` is called with the partitions that this member lost. Raises: StoreUnavailable, StoreReadOnly.
        """
        self._topic, self._settings = log.topic, log.settings
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._rebalances: deque[_Rebalance] = deque()
        self._last: dict[int, int] = {}  # assigned partition → offset of the last record that `poll` returned
        self._paused: set[int] = set()  # by the caller
        self._closed = False
        with translate_errors(self._settings, "nothing was read"):
            self._consumer = create_client(
                KafkaConsumer,
                self._settings,
                group_id=group_id,
                session_timeout_ms=int(session_timeout_s * 1000),
                heartbeat_interval_ms=int(session_timeout_s * 1000 / HEARTBEATS_PER_SESSION),
                max_poll_interval_ms=int(max_poll_interval_s * 1000),
                fetch_max_wait_ms=int(FETCH_WAIT_S * 1000),
                **consumer_options(),
            )
            self._consumer.subscribe([self._settings.topic], listener=_Listener(self._consumer, self._rebalances))
            self._wait_for_metadata()

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions of this member, as far as it knows."""
        return frozenset(self._last)

    def poll(self, timeout_s: float, max_records: int = RECORDS_PER_READ_MAX) -> Mapping[int, list[Record]]:
        """The next records of each assigned partition, as soon as there are any; empty after `timeout_s`.

        Raises: RecordsGone, after which its partition stays paused and the others can be polled;
        StoreUnavailable and StoreReadOnly, after which this member may have left the group: create another; what
        `on_assigned` and `on_revoked` raise.
        """
        if self._closed:
            raise StoreUnavailable(f"the group of topic {self._settings.topic!r} was left. Create a new member.")
        deadline = time.monotonic() + timeout_s
        while True:
            self._topic.verify(age_s_max=IDENTITY_AGE_S_MAX)
            left_s = max(0.0, deadline - time.monotonic())
            found = self._poll_once(min(left_s, POLL_STEP_S), max_records)
            changed = self._handle_rebalances(found)
            records = self._records({number: found[number] for number in found if number not in changed})
            if records or time.monotonic() >= deadline:
                return records

    def seek(self, partition: int, after: int) -> None:
        """Continue after offset `after`. Does nothing where the partition is not assigned any more."""
        if partition in self._last:
            self._resume_after(partition, after)

    def pause(self, partitions: Collection[int]) -> None:
        """Return no records of these until `resume`, or until they are assigned again."""
        for partition in partitions:
            if partition in self._last:
                self._paused.add(partition)
                with suppress(KeyError, errors.KafkaError):  # it was just revoked; `poll` handles that
                    self._consumer.pause(self._topic_partition(partition))

    def resume(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            if partition in self._paused:
                self._resume_after(partition, self._last[partition])

    def commit_hint(self, positions: Mapping[int, int]) -> None:
        """Show Kafka's own tools how far this member is. Nothing depends on it, so errors are ignored."""
        hints = {
            self._topic_partition(partition): OffsetAndMetadata(offset + 1, "", -1)
            for partition, offset in positions.items()
            if partition in self._last and offset >= 0
        }
        if hints:
            with suppress(errors.KafkaError):
                self._consumer.commit_async(hints)

    def close(self) -> None:
        """Leave the group, so that others get the partitions at once. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        options = {"autocommit": False, "timeout_ms": int(LEAVE_WAIT_S * 1000)}
        leaving = close_in_background("group", lambda: self._consumer.close(**options))
        assigned = sorted(self._last)
        self._last.clear()
        leaving.join(LEAVE_WAIT_S)  # a process that ends earlier would not leave the group
        if assigned:
            self._on_revoked(assigned)

    def _wait_for_metadata(self) -> None:
        """Load the topic's metadata before joining: without it, this member as leader would assign no partition at all.

        A broker that does not know a new topic yet omits it, and the client repeats its request only after minutes.
        Raises: StoreUnavailable.
        """
        retries = RETRY.start(deadline=time.monotonic() + PROPAGATION_WAIT_S)
        while not self._consumer.partitions_for_topic(self._settings.topic):
            if not retries.pause():
                close_in_background("group", self._consumer.close)
                raise StoreUnavailable(
                    f"Kafka at {self._settings.servers} does not list topic {self._settings.topic!r}: nothing was "
                    "read. Check that it exists and that this user may describe it."
                )

    def _poll_once(self, wait_s: float, max_records: int) -> dict[int, list[Any]]:
        with translate_errors(self._settings, "nothing was read"):
            deliver_put_aside(self._consumer)
            try:
                found = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=max_records)
            except (errors.OffsetOutOfRangeError, errors.LogTruncationError) as error:
                self._raise_gap(error)
                return {}
            except (errors.KafkaError, UnicodeDecodeError):
                self.close()  # the client keeps the rest of a response that it cannot parse, and would never close
                raise
        resume_joining(self._consumer)
        return {target.partition: records for target, records in found.items()}

    def _raise_gap(self, error: Any) -> None:
        """Raises: RecordsGone, unless the partition is not assigned any more."""
        targets = error.divergent_offsets if isinstance(error, errors.LogTruncationError) else error.args[0]
        for partition in [target.partition for target in targets]:
            if partition in self._last:
                self.pause([partition])
                raise records_gone(self._topic, partition, self._last[partition]) from error

    def _handle_rebalances(self, found: Mapping[int, object]) -> set[int]:
        """The partitions that were assigned or revoked. If a function of the caller raises, `found` is polled again."""
        try:
            return self._apply_rebalances()
        except BaseException:
            for partition in found:
                self.seek(partition, self._last.get(partition, BEFORE_FIRST))
            raise

    def _apply_rebalances(self) -> set[int]:
        changed: set[int] = set()
        while self._rebalances:
            kind, partitions = self._rebalances[0]
            changed.update(partitions)
            for partition in partitions:
                self._last.pop(partition, None)
                self._paused.discard(partition)
            if kind == "revoked":
                self._on_revoked(partitions)
            else:
                for partition, after in self._on_assigned(partitions).items():
                    self._resume_after(partition, after)
            self._rebalances.popleft()
        return changed

    def _resume_after(self, partition: int, after: int) -> None:
        self._paused.discard(partition)
        self._last[partition] = after
        with suppress(ValueError, KeyError, errors.KafkaError):  # it was just revoked; `poll` handles that
            self._consumer.seek(self._topic_partition(partition), after + 1)
            self._consumer.resume(self._topic_partition(partition))

    def _records(self, found: Mapping[int, Sequence[Any]]) -> dict[int, list[Record]]:
        epoch = len(self._topic.identity.ancestors)
        records = {
            partition: to_records(epoch, partition, batch)
            for partition, batch in found.items()
            if batch and partition in self._last and partition not in self._paused
        }
        for partition, given in records.items():
            self._last[partition] = given[-1].position.offset
        return records

    def _topic_partition(self, partition: int) -> Any:
        return TopicPartition(self._settings.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Queues rebalances, and pauses assigned partitions until it is known where to read them from."""

    def __init__(self, consumer: Any, rebalances: deque[_Rebalance]) -> None:
        self._consumer, self._rebalances = consumer, rebalances

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        for target in assigned:
            self._consumer.pause(target)
            self._consumer.seek(target, 0)  # any offset: without one the client would ask Kafka for it, and fail
        if assigned:
            self._rebalances.append(("assigned", tuple(sorted(target.partition for target in assigned))))

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        if revoked:
            self._rebalances.append(("revoked", tuple(sorted(target.partition for target in revoked))))
