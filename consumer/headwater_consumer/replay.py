"""Build the projection anew from the log, and compare it with the one that is there.

The log is the truth, so the two must be equal row for row. They are compared at one cut: the position at which the old
one stands when the comparison begins. Others may write and project meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater_eventlog.port import RECORDS_PER_READ_MAX, EventLog, NewRecord, Record
from headwater_schemas.positions import BEFORE_FIRST, Position
from sqlalchemy import Connection, select

from headwater_consumer.database import Database
from headwater_consumer.fingerprint import fingerprint, table_fingerprints
from headwater_consumer.rows import LogPosition
from headwater_consumer.runner import Projector

Progress = Callable[[int, int], None]  # records done, and in all


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay."""

    records: int  # applied
    new: str  # fingerprint of the projection that was built
    old: str | None  # of the one that was there; None when there was none to compare with
    differing: tuple[str, ...]  # tables in which they differ

    @property
    def same(self) -> bool:
        """Whether there was something to compare with, and it was equal."""
        return self.old == self.new


def replay(log: EventLog, new: Database, old: Database | None, *, progress: Progress | None = None) -> Replayed:
    """Project all of `log` that `old` holds, everything there is without one, into the empty database `new`.

    Cost: as much as was ever written, then a read of every row of both. Raises: as `Projector.project_batch`.
    """
    if old is None:
        records = _project(log, new, log.ends(), progress)
        with new.reading() as there:
            return Replayed(records, fingerprint(there), None, ())
    with old.reading() as before:
        records = _project(log, new, _offsets(before), progress)
        with new.reading() as there:
            differing = _differing(there, before)
            return Replayed(records, fingerprint(there), fingerprint(before), differing)


class _LogUpTo:
    """A log as it was: it ends at the given offsets."""

    def __init__(self, log: EventLog, ends: Mapping[int, int]) -> None:
        self._log = log
        self._ends = ends
        self.generation = log.generation
        self.partitions = log.partitions

    def partition_of(self, key: str) -> int:
        return self._log.partition_of(key)

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        raise AssertionError(f"the past does not change: {len(records)} records, {timeout_s} s")

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        end = self.end(partition)
        return [r for r in self._log.read(partition, after=after, limit=limit) if r.position.offset <= end]

    def end(self, partition: int) -> int:
        return self._ends.get(partition, BEFORE_FIRST)

    def ends(self) -> Mapping[int, int]:
        return {partition: self.end(partition) for partition in range(self.partitions)}

    def close(self) -> None:
        """The log is closed by whoever opened it."""


def _project(log: EventLog, new: Database, ends: Mapping[int, int], progress: Progress | None) -> int:
    past = _LogUpTo(log, ends)
    projector = Projector(past, new)
    total = sum(end + 1 for end in ends.values())  # offsets may have gaps, so this is how far, not how many
    done = 0
    for partition in range(log.partitions):
        while applied := projector.project_batch(partition):
            done += applied
            if progress is not None:
                progress(done, total)
    return done


def _offsets(connection: Connection) -> dict[int, int]:
    rows = connection.execute(select(LogPosition.table.c.partition, LogPosition.table.c.offset))
    return {row.partition: row.offset for row in rows}


def _differing(one: Connection, other: Connection) -> tuple[str, ...]:
    theirs = dict(table_fingerprints(other))
    return tuple(name for name, digest in table_fingerprints(one) if theirs[name] != digest)
