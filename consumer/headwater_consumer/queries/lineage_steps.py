"""Single steps of a lineage: from versions to runs, and from runs to versions.

For a walk that decides at each node whether to go on. A walk that follows everything is one statement, see `lineage`.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, CompiledStatement, Statement, padded
from headwater_consumer.database.sql import and_, bindparam, exists, or_, select
from headwater_consumer.database.tables import RUN_INPUTS, RUN_OUTPUTS, VERSION_EVENTS
from headwater_consumer.queries.results import Edge

KEYS_AT_ONCE = KEYS_PER_STATEMENT_MAX // 2  # versions have two columns


def runs_of_versions(
    database: Database, versions: Sequence[tuple[str, int]], *, used: bool, as_of_us: int | None = None, limit: int
) -> list[Edge]:
    """The edges between versions and the runs that used them, or logged them; at most `limit` for a few versions.

    `as_of_us`: those that were recorded by then. Order: of the versions, then by name.
    """
    return _edges(database, [{"c": c, "v": v} for c, v in versions], used, True, as_of_us, limit)


def versions_of_runs(
    database: Database, runs: Sequence[str], *, used: bool, as_of_us: int | None = None, limit: int
) -> list[Edge]:
    """The edges between runs and the versions that they used, or logged; as `runs_of_versions`."""
    return _edges(database, [{"r": run} for run in runs], used, False, as_of_us, limit)


def _edges(
    database: Database, keys: Sequence[dict[str, Any]], used: bool, by_version: bool, as_of_us: int | None, limit: int
) -> list[Edge]:
    found: list[Edge] = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        chunk = padded(keys[start : start + KEYS_AT_ONCE])
        values = {f"{name}_{i}": value for i, key in enumerate(chunk) for name, value in key.items()}
        statement = _step(used, by_version, as_of_us is not None, len(chunk))
        with database.autocommit() as connection:
            rows = statement.tuples(connection, **values, as_of_us=as_of_us, limit=limit)
        found += [Edge._make((*row, used)) for row in rows]
    return found


# --- statements -------------------------------------------------------------------------------------------------


@cache
def _step(used: bool, by_version: bool, past: bool, count: int) -> CompiledStatement:
    """Compiled on its first use: servers alone need it, and stay."""
    arguments = used, by_version, past, count
    return CompiledStatement(f"step{arguments}", lambda: _edges_of(*arguments))


def _edges_of(used: bool, by_version: bool, past: bool, count: int) -> Statement:
    edges: Any = RUN_INPUTS if used else RUN_OUTPUTS
    conditions = [_of_versions(edges, count) if by_version else _of_runs(edges, count)]
    if past:
        # What made the edge is a version event, which knows the time.
        events = VERSION_EVENTS
        recorded = and_(events.c.position == edges.c.from_position, events.c.time_us <= bindparam("as_of_us"))
        conditions.append(exists().where(recorded))
    columns = edges.c.collection, edges.c.version, edges.c.run
    return select(*columns).where(*conditions).distinct().order_by(*columns).limit(bindparam("limit"))


def _of_versions(edges: Any, count: int) -> Any:
    same = [
        and_(edges.c.collection == bindparam(f"c_{i}"), edges.c.version == bindparam(f"v_{i}")) for i in range(count)
    ]
    return or_(*same)


def _of_runs(edges: Any, count: int) -> Any:
    return edges.c.run.in_([bindparam(f"r_{i}") for i in range(count)])
