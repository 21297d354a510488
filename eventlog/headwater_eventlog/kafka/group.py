"""Sharing the partitions of a log among projectors.

Kafka only deals out the partitions. Where each is read from is asked of the caller, who keeps it in the database. What
was dealt out may be taken away at any moment, and this process told late: it may still be given records of a partition
that another one has by then. Only the database's compare-and-set decides who is right.

The client calls its listener in a thread that must not wait. So the listener only writes down what happened and holds
the partition still; the caller's functions are called by `poll`, in the caller's thread.
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
    errors,
    let_go,
    made,
    told,
)
from headwater_eventlog.kafka.log import KafkaEventLog
from headwater_eventlog.kafka.reading import Clock, consumer_options, gap
from headwater_eventlog.kafka.topic import ASK, SPREAD_WAIT_S
from headwater_eventlog.port import RECORDS_PER_READ_MAX, Record

SESSION_S = 10.0  # without a sign of life, after which a member's partitions go to others
HEARTBEATS_PER_SESSION = 5
POLL_INTERVAL_S = 300.0  # between two polls, after which a member counts as stuck
FETCH_WAIT_S = 0.1  # how long a broker waits for records; until then, what was just dealt out waits too
POLL_STEP_S = 0.1  # between looks at what the listener wrote down
KNOWN_S_MAX = 1.0  # how long ago the topic was last seen to be the same one
LEAVE_WAIT_S = 5.0  # for the answer to saying good-bye

_Event = tuple[Literal["assigned", "revoked"], tuple[int, ...]]


class KafkaGroup:
    """One member of a group of readers. For one thread, in the process that made it."""

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
        """`on_assigned` gives for each partition the offset after which to read; where it raises, it is asked again by
        the next poll. `on_revoked` is told what this member no longer has. Raises: StoreUnavailable, StoreReadOnly.
        """
        self._topic, self._settings = log.topic, log.settings
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._events: deque[_Event] = deque()
        self._after: dict[int, int] = {}  # partition that is ours → the offset up to which its records were given
        self._held: set[int] = set()  # partitions that the caller paused
        self._clock = Clock()
        self._closed = False
        with told(self._settings, "nothing was read"):
            self._consumer = made(
                KafkaConsumer,
                self._settings,
                group_id=group_id,
                session_timeout_ms=int(session_timeout_s * 1000),
                heartbeat_interval_ms=int(session_timeout_s * 1000 / HEARTBEATS_PER_SESSION),
                max_poll_interval_ms=int(max_poll_interval_s * 1000),
                fetch_max_wait_ms=int(FETCH_WAIT_S * 1000),
                **consumer_options(),
            )
            self._consumer.subscribe([self._settings.topic], listener=_Listener(self._consumer, self._events))
            self._learn_topic()

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that are ours, as far as we know."""
        return frozenset(self._after)

    def poll(self, timeout_s: float, max_records: int = RECORDS_PER_READ_MAX) -> Mapping[int, list[Record]]:
        """The next records of each of our partitions, as soon as there are any; empty after `timeout_s`.

        Raises: RecordsGone, after which the partition that it names stays paused and the others go on;
        StoreUnavailable and StoreReadOnly, after which the group may have been left: make a new member; what
        `on_assigned` and `on_revoked` raise.
        """
        if self._closed:
            raise StoreUnavailable(f"the group of topic {self._settings.topic!r} was left: make a new member.")
        deadline = time.monotonic() + timeout_s
        while True:
            self._topic.verify(age_s_max=KNOWN_S_MAX)
            left_s = max(0.0, deadline - time.monotonic())
            found = self._poll_once(min(left_s, POLL_STEP_S), max_records)
            moved = self._moved(found)
            records = self._records({number: found[number] for number in found if number not in moved})
            if records or time.monotonic() >= deadline:
                return records

    def seek(self, partition: int, after: int) -> None:
        """Give what comes after offset `after` next; nothing where the partition is not ours any more."""
        if partition in self._after:
            self._go_on(partition, after)

    def pause(self, partitions: Collection[int]) -> None:
        """Give no records of these until `resume`, or until they are dealt out anew."""
        for partition in partitions:
            if partition in self._after:
                self._held.add(partition)
                with suppress(KeyError, errors.KafkaError):  # it was just taken away; `poll` will say so
                    self._consumer.pause(self._at(partition))

    def resume(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            if partition in self._held:
                self._go_on(partition, self._after[partition])

    def commit_hint(self, positions: Mapping[int, int]) -> None:
        """Let Kafka's own tools see how far we are. Nobody relies on it: nothing is waited for, nothing raised."""
        ours = {
            self._at(partition): OffsetAndMetadata(offset + 1, "", -1)
            for partition, offset in positions.items()
            if partition in self._after and offset >= 0
        }
        if ours:
            with suppress(errors.KafkaError):
                self._consumer.commit_async(ours)

    def close(self) -> None:
        """Leave, so that others get our partitions at once. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        leaving = let_go("group", lambda: self._consumer.close(autocommit=False, timeout_ms=int(LEAVE_WAIT_S * 1000)))
        ours = sorted(self._after)
        self._after.clear()
        leaving.join(LEAVE_WAIT_S)  # a process that ends now would have said nothing
        if ours:
            self._on_revoked(ours)

    def _learn_topic(self) -> None:
        """Have the client know the topic before it joins: as leader it would else deal out nothing to everybody.

        A broker that has not heard of a new topic yet leaves it out, and then the client asks again only after minutes.
        Raises: StoreUnavailable.
        """
        retries = ASK.start(deadline=time.monotonic() + SPREAD_WAIT_S)
        while not self._consumer.partitions_for_topic(self._settings.topic):
            if not retries.pause():
                let_go("group", self._consumer.close)
                raise StoreUnavailable(
                    f"Kafka at {self._settings.servers} says nothing of topic {self._settings.topic!r}: nothing was "
                    "read. Check that it is there and that this user may see it."
                )

    def _poll_once(self, wait_s: float, max_records: int) -> dict[int, list[Any]]:
        with told(self._settings, "nothing was read"):
            try:
                found = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=max_records)
            except (errors.OffsetOutOfRangeError, errors.LogTruncationError) as error:
                self._stop(error)
                return {}
            except (errors.KafkaError, UnicodeDecodeError):
                self.close()  # of what cannot be taken apart the client keeps the rest, and would never end
                raise
        self._keep_joining()
        return {at.partition: records for at, records in found.items()}

    def _keep_joining(self) -> None:
        """The client forgets that it is joining when `poll` ends in the middle of some joins, and waits for ever."""
        coordinator = self._consumer._coordinator
        if coordinator.rejoining:
            coordinator.request_rejoin()

    def _stop(self, error: Any) -> None:
        """Raises: RecordsGone, unless the partition is not ours any more."""
        places = error.divergent_offsets if isinstance(error, errors.LogTruncationError) else error.args[0]
        for partition in [at.partition for at in places]:
            if partition in self._after:
                self.pause([partition])
                raise gap(self._topic, partition, self._after[partition]) from error

    def _moved(self, found: Mapping[int, object]) -> set[int]:
        """The partitions that came or went. Where telling the caller fails, what was `found` is found again."""
        try:
            return self._handle_events()
        except BaseException:
            for partition in found:
                self.seek(partition, self._after.get(partition, BEFORE_FIRST))
            raise

    def _handle_events(self) -> set[int]:
        moved: set[int] = set()
        while self._events:
            kind, partitions = self._events[0]
            moved.update(partitions)
            for partition in partitions:
                self._after.pop(partition, None)
                self._held.discard(partition)
            if kind == "revoked":
                self._on_revoked(partitions)
            else:
                for partition, after in self._on_assigned(partitions).items():
                    self._go_on(partition, after)
            self._events.popleft()
        return moved

    def _go_on(self, partition: int, after: int) -> None:
        self._held.discard(partition)
        self._after[partition] = after
        with suppress(ValueError, KeyError, errors.KafkaError):  # it was just taken away; `poll` will say so
            self._consumer.seek(self._at(partition), after + 1)
            self._consumer.resume(self._at(partition))

    def _records(self, found: Mapping[int, Sequence[Any]]) -> dict[int, list[Record]]:
        generation = self._topic.known.generation
        records = {
            partition: self._clock.records(generation, partition, batch)
            for partition, batch in found.items()
            if batch and partition in self._after and partition not in self._held
        }
        for partition, given in records.items():
            self._after[partition] = given[-1].position.offset
        return records

    def _at(self, partition: int) -> Any:
        return TopicPartition(self._settings.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Writes down what happens, and holds what was dealt out until it is known where to read it from."""

    def __init__(self, consumer: Any, events: deque[_Event]) -> None:
        self._consumer, self._events = consumer, events

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        for at in assigned:
            self._consumer.pause(at)
            self._consumer.seek(at, 0)  # anything: without a position the client would ask Kafka for one, and fail
        if assigned:
            self._events.append(("assigned", tuple(sorted(at.partition for at in assigned))))

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        if revoked:
            self._events.append(("revoked", tuple(sorted(at.partition for at in revoked))))
