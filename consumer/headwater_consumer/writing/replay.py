"""Rebuild the projection from the log, and compare it with the existing one.

The log is the truth, so the two must be equal row for row. They are compared at one cut: the cursor of the existing one
when the comparison begins. Others may write and project meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater_eventlog.port import RECORDS_PER_READ_MAX, EventLog, NewRecord, Record
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.fingerprint import fingerprint, table_fingerprints
from headwater_consumer.database.sql import select
from headwater_consumer.database.tables import LOG_POSITIONS
from headwater_consumer.writing.runner import Projector

ReplayProgress = Callable[[int, int], None]  # records applied, and in all


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of a replay."""

    records: int  # applied
    new: str  # fingerprint of the projection that was built
    old: str | None  # of the existing one; None when there was none to compare with
    differing: tuple[str, ...]  # tables that differ

    @property
    def same(self) -> bool:
        """Whether there was an existing projection, and it was equal."""
        return self.old == self.new


def replay(
    log: EventLog, new: Database, old: Database | None, *, progress: ReplayProgress | None = None
) -> ReplayResult:
    """Project as much of `log` as `old` covers, all of it without `old`, into the empty database `new`.

    Cost: everything that was ever written, then a read of every row of both. Raises: as `Projector.project_batch`.
    """
    if old is None:
        records = _project(log, new, log.ends(), progress)
        with new.snapshot() as rebuilt:
            return ReplayResult(records, fingerprint(rebuilt), None, ())
    with old.snapshot() as existing:
        records = _project(log, new, _offsets(existing), progress)
        with new.snapshot() as rebuilt:
            differing = _differing(rebuilt, existing)
            return ReplayResult(records, fingerprint(rebuilt), fingerprint(existing), differing)


class _LogPrefix:
    """A log that ends at the given offsets."""

    def __init__(self, log: EventLog, ends: Mapping[int, int]) -> None:
        self._log = log
        self._ends = ends
        self.generation = log.generation
        self.ancestors = log.ancestors
        self.partitions = log.partitions

    def partition_of(self, key: str) -> int:
        return self._log.partition_of(key)

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        raise AssertionError(f"a prefix of a log cannot be appended to: {len(records)} records, {timeout_s} s")

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        end = self.end(partition)
        return [r for r in self._log.read(partition, after=after, limit=limit) if r.position.offset <= end]

    def end(self, partition: int) -> int:
        return self._ends.get(partition, BEFORE_FIRST)

    def ends(self) -> Mapping[int, int]:
        return {partition: self.end(partition) for partition in range(self.partitions)}

    def close(self) -> None:
        """The log is closed by its owner."""


def _project(log: EventLog, new: Database, ends: Mapping[int, int], progress: ReplayProgress | None) -> int:
    projector = Projector(_LogPrefix(log, ends), new)
    total = sum(end + 1 for end in ends.values())  # offsets may have gaps, so this is a distance rather than a count
    done = 0
    for partition in range(log.partitions):
        while applied := projector.project_batch(partition):
            done += applied
            if progress is not None:
                progress(done, total)
    return done


def _offsets(connection: Connection) -> dict[int, int]:
    return dict(_all_offsets().tuples(connection))


def _differing(one: Connection, other: Connection) -> tuple[str, ...]:
    theirs = dict(table_fingerprints(other))
    return tuple(name for name, digest in table_fingerprints(one) if theirs[name] != digest)


@compiled
def _all_offsets() -> Statement:
    return select(LOG_POSITIONS.c.partition, LOG_POSITIONS.c.offset)
