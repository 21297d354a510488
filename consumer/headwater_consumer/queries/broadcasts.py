"""Events that are written to every partition: which partitions have them, and what all have agreed to.

A writer that ends between two partitions leaves such an event in some. Nothing acts on one that is not everywhere;
`maintenance.broadcasts` writes it to the others.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater_schemas.keys import session_start_ms

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import is_object_of_project, object_ranges
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.lost_transactions import lost_transactions
from headwater_consumer.database.names_at_once import is_one_of, names_at_once
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import BROADCASTS, CONDEMNED_OBJECTS
from headwater_consumer.rows import BroadcastRow, ParkedKeyRow, RetiredSessionsRow, SessionMarkRow


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event, and the partitions that have it. Events of one writer and key are sorted as it sent them."""

    session: str
    key: str
    sequence: int
    broadcast: str
    partitions: frozenset[int]


def unfinished_broadcasts(database: Database, partitions: int) -> list[Broadcast]:
    """The events that only some of the log's `partitions` have, in their writers' order."""
    with database.snapshot() as connection:
        return _unfinished(connection, partitions)


def missing_broadcasts(database: Database, partitions: int) -> Iterator[tuple[int, BroadcastRow]]:
    """(partition, event) for each event that a partition lacks and can still take, in their writers' order.

    A partition cannot take what it refused already, nor anything of a session that is retired there; what waits behind
    a dead letter is left to wait.
    """
    with database.snapshot() as connection:
        unfinished = _unfinished(connection, partitions)
        expected = _expected(database, connection, unfinished, partitions)
    for event in unfinished:
        lacking = [p for p in range(partitions) if p not in event.partitions]
        takes = [p for p in lacking if expected.get((p, event.session, event.key)) == event.sequence]
        if takes:
            row = _row_of(database, event)
            yield from ((partition, row) for partition in takes)
        for partition in takes:
            expected[partition, event.session, event.key] += 1


def condemned_everywhere(
    database: Database, project: str, partitions: int, *, after: str = "", limit: int = 1000
) -> list[str]:
    """Objects of "entity/project" that no later event in any of the log's `partitions` may rely on, by name.

    These alone may be deleted, once nothing refers to them. The next page: `after` = the last name.
    """
    of_project = object_ranges(project)
    with database.autocommit() as connection:
        rows = _condemned().tuples(connection, **of_project, partitions=partitions, after=after, limit=limit)
    return [name for (name,) in rows]


def condemned_among(database: Database, names: Sequence[str]) -> dict[str, int]:
    """Those of the objects that some partition condemned, each with how many did."""
    found: dict[str, int] = {}
    with database.autocommit() as connection:
        for count, values in names_at_once(names):
            found.update(_condemned_among(count).tuples(connection, **values))
    return found


def _unfinished(connection: Connection, partitions: int) -> list[Broadcast]:
    having: dict[tuple[str, str, int, str], set[int]] = defaultdict(set)
    for session, key, sequence, broadcast, partition in _received().tuples(connection):
        having[session, key, sequence, broadcast].add(partition)
    return [Broadcast(*event, frozenset(of)) for event, of in sorted(having.items()) if len(of) < partitions]


def _expected(
    database: Database, connection: Connection, events: list[Broadcast], partitions: int
) -> dict[tuple[int, str, str], int]:
    """The sequence that each partition takes next of these writers, (session, key) each, where it takes any."""
    writers = sorted({(event.session, event.key) for event in events})
    load, everywhere = database.adapter.load_rows, range(partitions)
    retired = {row.partition: row.before_ms for row in load(connection, RetiredSessionsRow, [(p,) for p in everywhere])}
    keys = sorted({key for _, key in writers})
    parked = load(connection, ParkedKeyRow, [(p, key) for p in everywhere for key in keys])
    waiting = {(row.partition, row.key) for row in parked}
    marks = load(connection, SessionMarkRow, [(p, *writer) for p in everywhere for writer in writers])
    last = {(row.partition, row.session, row.key): row.sequence for row in marks}
    return {
        (p, session, key): last.get((p, session, key), -1) + 1
        for p in everywhere
        for session, key in writers
        if (p, key) not in waiting and session_start_ms(session) >= retired.get(p, 0)
    }


def _row_of(database: Database, event: Broadcast) -> BroadcastRow:
    """A row of it: all have the same payload. Raises: StoreUnavailable when the database has lost it meanwhile."""
    with database.autocommit() as connection:
        rows = database.adapter.load_rows(connection, BroadcastRow, [(event.broadcast, min(event.partitions))])
    if not rows:
        raise lost_transactions(database.name)
    return rows[0]


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _received() -> Statement:
    columns = BROADCASTS.c
    return select(columns.session, columns.key, columns.sequence, columns.broadcast, columns.partition)


@compiled
def _condemned_among(names: int) -> Statement:
    name = CONDEMNED_OBJECTS.c.object_name
    return select(name, func.count()).where(is_one_of(name, names)).group_by(name)


@compiled
def _condemned() -> Statement:
    name = CONDEMNED_OBJECTS.c.object_name
    return (
        select(name)
        .where(is_object_of_project(name), name > bindparam("after"))
        .group_by(name)
        .having(func.count() == bindparam("partitions"))
        .order_by(name)
        .limit(bindparam("limit"))
    )
