"""Who used a version, and who logged it, among the runs of some projects. What others do is not even counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import RUN_INPUTS, RUN_OUTPUTS
from headwater_consumer.queries.containing import EVERYWHERE

if TYPE_CHECKING:
    from sqlalchemy import Select

Ranges = Sequence[tuple[str, str]]  # half-open, of names of runs; in order, and apart from each other
ALL_RUNS: Ranges = (EVERYWHERE,)


def runs_of_version(
    database: Database,
    collection: str,
    version: int,
    within: Ranges = ALL_RUNS,
    *,
    used: bool,
    after: str = "",
    limit: int,
) -> list[str]:
    """The runs in these ranges of names that used a version, or that logged it, by name and at most `limit`.

    The next page: `after` = the last one. Cost: the uses by these runs, and an index look-up a range.
    """
    found: list[str] = []
    with database.snapshot() as connection:
        for start, end in within:
            if end > after and len(found) < limit:
                values = {"after": max(start, after), "end": end, "limit": limit - len(found)}
                rows = _runs(used).tuples(connection, collection=collection, version=version, **values)
                found += [run for (run,) in rows]
    return found


def count_runs_of_version(
    database: Database, collection: str, version: int, within: Ranges = ALL_RUNS, *, used: bool, limit: int
) -> int:
    """How many runs `runs_of_version` lists in all; counting stops at `limit`."""
    count = 0
    with database.snapshot() as connection:
        for start, end in within:
            if count < limit:
                values = {"after": start, "end": end, "limit": limit - count}
                count += _run_count(used).first(connection, collection=collection, version=version, **values)[0]
    return count


def _runs_beside(used: bool) -> "Select[Any]":
    edges: Any = RUN_INPUTS if used else RUN_OUTPUTS
    return (
        select(edges.c.run)
        .where(
            edges.c.collection == bindparam("collection"),
            edges.c.version == bindparam("version"),
            edges.c.run > bindparam("after"),
            edges.c.run < bindparam("end"),
        )
        .distinct()
        .order_by(edges.c.run)
        .limit(bindparam("limit"))
    )


@compiled
def _runs(used: bool) -> Statement:
    return _runs_beside(used)


@compiled
def _run_count(used: bool) -> Statement:
    return select(func.count()).select_from(_runs_beside(used).subquery())
