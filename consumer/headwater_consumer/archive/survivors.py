"""What a projection that survived knows of a log, and an archive of that log lacks."""

from dataclasses import dataclass

from headwater_eventlog.port import EventLog

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import select
from headwater_consumer.database.tables import LOG_POSITIONS
from headwater_consumer.rows import LogPositionRow


@dataclass(frozen=True, slots=True)
class Missing:
    """Events of a partition that were projected and not archived."""

    partition: int
    archived: int  # offset of the last one that was archived
    projected: int  # offset of the last one that was projected

    def __str__(self) -> str:
        return (
            f"partition {self.partition} was projected up to offset {self.projected:,} and archived up to offset "
            f"{self.archived:,}: what was written between is missing"
        )


def missing_after(archived: EventLog, survivor: Database) -> list[Missing]:
    """By partition; none where the projection is of another log."""
    ends, projected = archived.ends(), projected_offsets(survivor, archived.generation)
    return [Missing(n, ends[n], offset) for n, offset in projected.items() if n in ends and offset > ends[n]]


def projected_offsets(database: Database, generation: str) -> dict[int, int]:
    """Partition of that log → offset of the last record that was projected; in order."""
    return dict(sorted((row.partition, row.offset) for row in _cursors(database) if row.generation == generation))


def projected_logs(survivor: Database) -> frozenset[str]:
    """The generations of the logs that it is the projection of."""
    return frozenset(row.generation for row in _cursors(survivor))


def _cursors(survivor: Database) -> list[LogPositionRow]:
    with survivor.snapshot() as connection:
        return [LogPositionRow(*row) for row in _all_cursors().tuples(connection)]


@compiled
def _all_cursors() -> Statement:
    return select(LOG_POSITIONS)
