"""Sessions: from when on they may write, and which are still needed."""

from typing import TYPE_CHECKING

from headwater_schemas.keys import first_session

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import DEAD_LETTERS, DRAFTS, PARKED_RECORDS, RETIRED_SESSIONS, SESSIONS

if TYPE_CHECKING:
    from sqlalchemy import Table


def retired_before_ms(database: Database, partitions: int) -> int:
    """Sessions that started before this are retired in every one of the log's `partitions`; 0 for none."""
    with database.autocommit() as connection:
        row = _retired().first(connection)
    return int(row.before_ms) if row.partitions == partitions else 0


def any_session_before(database: Database, start_ms: int, partitions: int) -> bool:
    """Whether anything is kept about a session that started before. Cost: an index look-up for each partition."""
    first = first_session(start_ms)
    with database.autocommit() as connection:
        return any(_earlier().tuples(connection, partition=p, first=first) for p in range(partitions))


def is_session_known(database: Database, session: str, partitions: int) -> bool:
    """Whether any event of a session was projected, refused ones too. Cost: an index look-up for each partition."""
    with database.autocommit() as connection:
        return any(_of_session().tuples(connection, partition=p, session=session) for p in range(partitions))


def oldest_needed_session(database: Database) -> tuple[str, str] | None:
    """The session that started first of those whose work is not done, and what is left of it, for people.

    Such are the sessions that opened a draft which is still open, and those of records that wait behind a dead letter.
    """
    with database.autocommit() as connection:
        draft, letter, parked = (statement.first(connection) for statement in (_of_draft(), _of_letter(), _of_parked()))
    needed: list[tuple[str, str]] = []
    if draft is not None:
        needed.append((draft.session, f"the draft {draft.draft} of {draft.collection} is open; commit or discard it"))
    needed += [
        (record.session, f"a record of {record.key} is undecodable, or waits; see `headwater dead-letters`")
        for record in (letter, parked)
        if record is not None
    ]
    return min(needed, default=None)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _retired() -> Statement:
    least = func.min(RETIRED_SESSIONS.c.before_ms).label("before_ms")
    return select(least, func.count().label("partitions")).select_from(RETIRED_SESSIONS)


@compiled
def _of_session() -> Statement:
    columns = SESSIONS.c
    is_it = columns.partition == bindparam("partition"), columns.session == bindparam("session")
    return select(columns.session).where(*is_it).limit(1)


@compiled
def _earlier() -> Statement:
    columns = SESSIONS.c
    is_earlier = (columns.partition == bindparam("partition"), columns.session < bindparam("first"))
    return select(columns.sequence).where(*is_earlier).limit(1)


@compiled
def _of_draft() -> Statement:
    columns = DRAFTS.c
    statement = select(columns.session, columns.collection, columns.draft).where(columns.closed_position.is_(None))
    return statement.order_by(columns.session, columns.collection, columns.draft).limit(1)


@compiled
def _of_letter() -> Statement:
    return _first_of(DEAD_LETTERS)


@compiled
def _of_parked() -> Statement:
    return _first_of(PARKED_RECORDS)


def _first_of(table: "Table") -> Statement:
    statement = select(table.c.session, table.c.key).where(table.c.session.is_not(None))
    return statement.order_by(table.c.session, table.c.key).limit(1)
