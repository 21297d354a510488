"""The event log in memory, and as one virtual process reaches it: the real contract, simulated trouble."""

import zlib
from collections.abc import Mapping, Sequence

from headwater_eventlog.port import RECORDS_PER_READ_MAX, NewRecord, Record
from headwater_producer.producer import SentEvent
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable, UndecodableEvent
from headwater_schemas.events import EntryAdded
from headwater_schemas.headers import sequence_of, session_of
from headwater_schemas.positions import BEFORE_FIRST, Position

from tests.simulation import views
from tests.simulation.faults import Fault, Violation
from tests.simulation.world import Process, World

DISK = "disk of the log"
GENERATION = "simulated"
OFFSETS_SKIPPED_MAX = 2  # gaps are allowed, as transaction markers make them


class SimulatedLog:
    """Records in memory, by partition."""

    def __init__(self, world: World, partitions: int) -> None:
        self._world = world
        self.partitions: list[list[Record]] = [[] for _ in range(partitions)]
        self.in_flight: list[Sequence[NewRecord]] = []  # appends that arrive later
        self.is_damaged = False  # whether some record does not decode

    def partition_of(self, key: str) -> int:
        return zlib.crc32(key.encode()) % len(self.partitions)

    def end(self, partition: int) -> int:
        records = self.partitions[partition]
        return records[-1].position.offset if records else BEFORE_FIRST

    def positions_of(self, event: SentEvent) -> list[Position]:
        """Where an event is by now, with all copies."""
        name = (event.session, event.sequence)
        return [
            record.position
            for records in self.partitions
            for record in records
            if record.key == event.key and (session_of(record.headers), sequence_of(record.headers)) == name
        ]

    def accept(self, records: Sequence[NewRecord]) -> list[Position]:
        """Append for good. Raises: Violation when an event names an object that is not stored."""
        for record in records:
            self._look_at(record)
        return [self._accept_one(record) for record in records]

    def _accept_one(self, record: NewRecord) -> Position:
        number = self.partition_of(record.key) if record.partition is None else record.partition
        there = self.partitions[number]
        offset = self.end(number) + 1 + self._world.random.randint(0, OFFSETS_SKIPPED_MAX)
        time_us = int(self._world.clock().timestamp() * 1_000_000)
        position = Position(0, number, offset)
        there.append(Record(position, time_us, record.key, record.payload, record.headers))
        return position

    def _look_at(self, record: NewRecord) -> None:
        try:
            event = views.decoded(record.payload).event
        except UndecodableEvent:
            self.is_damaged = True
            return
        if isinstance(event, EntryAdded):
            for name in event.files.objects:
                if name not in self._world.blobs.ever:
                    raise Violation(f"blobs first: an event names {name}, which was not stored when it arrived")


class ProcessLog:
    """`headwater_eventlog.port.EventLog` for one process."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world
        self.generation = GENERATION
        self.ancestors: tuple[str, ...] = ()
        self.partitions = len(self._world.log.partitions)

    def partition_of(self, key: str) -> int:
        return self._world.log.partition_of(key)

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        with self._process.effect(f"appending {len(records)}"):
            self._refuse_if_full()
            self._maybe_lose(records, timeout_s)
            positions = self._world.log.accept(records)
            self._process.note(f"appends {_names(records)} up to {positions[-1].partition}/{positions[-1].offset}")
            if self._world.faults.strikes(Fault.LOST_ACKNOWLEDGEMENT):
                raise self._unknown(records, timeout_s, "is there")
        return positions

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        if self._world.faults.strikes(Fault.UNANSWERED):
            raise StoreUnavailable("the simulated log does not answer a read.")
        found = [r for r in self._world.log.partitions[partition] if r.position.offset > after]
        short = self._world.random.choice((1, 3, limit, limit))
        records = found[: min(short, limit)]
        self._world.overtaken()
        return records

    def end(self, partition: int) -> int:
        return self._world.log.end(partition)

    def ends(self) -> Mapping[int, int]:
        return {partition: self.end(partition) for partition in range(self.partitions)}

    def close(self) -> None:
        pass

    def _refuse_if_full(self) -> None:
        if self._world.is_full(DISK):
            raise StoreUnavailable("the disk of the simulated log is full.")
        if self._world.faults.strikes(Fault.UNANSWERED):
            raise StoreUnavailable("the simulated log does not answer.")

    def _maybe_lose(self, records: Sequence[NewRecord], timeout_s: float) -> None:
        log, faults = self._world.log, self._world.faults
        if faults.strikes(Fault.LOST_APPEND):
            raise self._unknown(records, timeout_s, "is lost")
        if faults.strikes(Fault.LATE_APPEND):
            log.in_flight.append(records)
            raise self._unknown(records, timeout_s, "is late")
        if len(records) > 1 and faults.strikes(Fault.TORN_APPEND):
            cut = self._world.random.randint(1, len(records) - 1)
            # Mostly it is the first part that is missing: the rest went to the leader that came after.
            arrived = self._world.random.choice((records[:cut], records[cut:], records[cut:]))
            log.accept(arrived)
            raise self._unknown(records, timeout_s, f"is torn, {_names(arrived)} arrived")

    def _unknown(self, records: Sequence[NewRecord], timeout_s: float, what: str) -> DurabilityUnknown:
        self._process.note(f"append of {_names(records)} {what}, and it is told that nobody knows")
        self._world.now_s += self._world.random.uniform(0, timeout_s)
        return DurabilityUnknown("the simulated log did not confirm in time.")


def _names(records: Sequence[NewRecord]) -> str:
    return ", ".join(_name(record) for record in records)


def _name(record: NewRecord) -> str:
    stamped = views.decoded(record.payload)
    return f"{stamped.event.name}#{stamped.origin.sequence} of {stamped.origin.author}"
