"""A log in memory, and histories written to it: which step stands where."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.port import NewRecord, Record
from headwater_schemas import codec
from headwater_schemas import events as types
from headwater_schemas.events import Stamped
from headwater_schemas.positions import BEFORE_FIRST, Position, position_of

from tests.support.restoring import restore
from tests.support.steps import Damage, Purge, Resolve, Step

START_US = 1_700_000_000_000_000  # append time of the first record
RESTORED_AFTER_US = 3_600_000_000


class MemoryLog:
    """An `EventLog` in memory with any number of partitions. As on Kafka, offsets only grow but are not dense."""

    def __init__(
        self,
        partitions: int = 1,
        generation: str = "memory",
        *,
        ancestors: tuple[str, ...] = (),
        start_us: int = START_US,
        first_offset: int = 0,
    ) -> None:
        self._first_offset = first_offset
        self._start_us = start_us
        self.generation = generation
        self.ancestors = ancestors
        self.partitions = partitions
        self._records: list[list[Record]] = [[] for _ in range(partitions)]
        self._appended = 0

    def partition_of(self, key: str) -> int:
        return zlib.crc32(key.encode()) % self.partitions

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 0) -> list[Position]:
        return [self._append(record) for record in records]

    def read(self, partition: int, *, after: int, limit: int = 4096) -> Sequence[Record]:
        return [record for record in self._records[partition] if record.position.offset > after][:limit]

    def end(self, partition: int) -> int:
        records = self._records[partition]
        return records[-1].position.offset if records else BEFORE_FIRST

    def ends(self) -> Mapping[int, int]:
        return {partition: self.end(partition) for partition in range(self.partitions)}

    def close(self) -> None:
        pass

    @property
    def time_us(self) -> int:
        """By its clock: when the last record was appended."""
        return self._start_us + 1_000 * self._appended

    def _append(self, new: NewRecord) -> Position:
        partition = self.partition_of(new.key) if new.partition is None else new.partition
        before = self.end(partition) if self._records[partition] else self._first_offset - 1
        position = Position(len(self.ancestors), partition, before + (3 if before % 5 == 4 else 1))
        self._appended += 1  # no two records have the same time, so that a time says which record it is of
        time_us = self.time_us
        self._records[partition].append(Record(position, time_us, new.key, new.payload, new.headers))
        return position


@dataclass(slots=True)
class Written:
    """A history on a log, and which step stands where."""

    log: MemoryLog
    step_at: dict[Position, int] = field(default_factory=dict)  # number of the step
    step_at_time: dict[int, int] = field(default_factory=dict)

    def append(self, step: Step) -> None:
        partitions = range(self.log.partitions) if step.everywhere else [self.log.partition_of(step.key)]
        for partition in partitions:
            payload = self._payload(step, partition)
            (position,) = self.log.append([NewRecord(step.key, payload, (), partition)])
            self.step_at[position] = step.number
            self.step_at_time[self.log.read(partition, after=position.offset - 1)[0].time_us] = step.number

    def step_of(self, position_number: int) -> int:
        """The step at a position given as one number."""
        return self.step_at[position_of(position_number)]

    def restored(self, generation: str, *, first_offset: int = 0) -> "Written":
        """The same history, restored to another log, on which it can go on."""
        old = self.log
        after_us = self.log.time_us + RESTORED_AFTER_US
        log = MemoryLog(
            old.partitions,
            generation,
            ancestors=ancestors_after(old),
            start_us=after_us,
            first_offset=first_offset,
        )
        restore(old, log, timeout_s=0)
        return Written(log, dict(self.step_at), dict(self.step_at_time))

    def _payload(self, step: Step, partition: int) -> bytes:
        what = step.what
        if isinstance(what, Damage):
            lost = types.RunFinished(run="team/vision/r", state=f"damaged {step.number}")
            return codec.encode(Stamped(step.origin, lost))[:-1]
        if isinstance(what, Resolve):
            at = min(at for at, number in self.step_at.items() if (at.partition, number) == (partition, what.letter))
            what = types.DeadLetterResolved(
                key=step.key, epoch=at.epoch, partition=partition, offset=at.offset, decision=what.decision
            )
        if isinstance(what, Purge):
            at = min(at for at, number in self.step_at.items() if number == what.deletion)
            place = {"epoch": at.epoch, "partition": at.partition, "offset": at.offset}
            what = types.VersionPurged(collection=what.collection, version=what.version, **place)
        return codec.encode(Stamped(step.origin, what))


def write(history: Sequence[Step], *, partitions: int = 1) -> Written:
    """The history on a log of its own."""
    written = Written(MemoryLog(partitions))
    for step in history:
        written.append(step)
    return written
