"""Sessions: from when on they may write, and which are still needed."""

from functools import cache

from headwater_schemas.keys import first_session
from sqlalchemy import bindparam, func, select

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import CompiledStatement
from headwater_consumer.database.tables import DRAFTS, RETIRED_SESSIONS, SESSIONS
from headwater_consumer.queries.drafts import draft_info
from headwater_consumer.queries.results import DraftInfo


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


def oldest_open_draft(database: Database) -> tuple[str, DraftInfo] | None:
    """Of the sessions that opened a draft which is still open: the one that started first, and that draft."""
    with database.autocommit() as connection:
        row = _oldest().first(connection)
    if row is None:
        return None
    draft = draft_info(database, row.collection, row.draft)
    return None if draft is None else (row.session, draft)


# --- statements -------------------------------------------------------------------------------------------------


@cache
def _retired() -> CompiledStatement:
    least = func.min(RETIRED_SESSIONS.c.before_ms).label("before_ms")
    return CompiledStatement(select(least, func.count().label("partitions")).select_from(RETIRED_SESSIONS))


@cache
def _earlier() -> CompiledStatement:
    columns = SESSIONS.c
    is_earlier = (columns.partition == bindparam("partition"), columns.session < bindparam("first"))
    return CompiledStatement(select(columns.sequence).where(*is_earlier).limit(1))


@cache
def _oldest() -> CompiledStatement:
    columns = DRAFTS.c
    statement = select(columns.session, columns.collection, columns.draft).where(columns.closed_position.is_(None))
    return CompiledStatement(statement.order_by(columns.session, columns.collection, columns.draft).limit(1))
