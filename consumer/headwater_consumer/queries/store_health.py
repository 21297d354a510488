"""For operators: the dead letters that wait for a decision, and how much waits for somebody."""

from headwater_schemas.keys import project_of_key
from headwater_schemas.positions import position_of

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import DEAD_LETTERS, LOG_POSITIONS, PARKED_KEYS, PARKED_RECORDS, REJECTIONS
from headwater_consumer.queries.results import DeadLetterInfo, Health
from headwater_consumer.rows import LogPositionRow


def dead_letters(database: Database, *, limit: int = 100) -> list[DeadLetterInfo]:
    """The events that wait for a decision, oldest first, at most `limit`."""
    with database.autocommit() as connection:
        rows = _dead_letters().rows(connection, limit=limit)
    return [DeadLetterInfo(row.key, position_of(row.position), row.error, row.time_us, row.waiting) for row in rows]


def health(database: Database) -> Health:
    """Cost: counts the rejections, the dead letters and the parked records."""
    with database.snapshot() as connection:
        rejections, dead, parked = _counts().first(connection)
        offsets = _positions().rows(connection)
    return Health(rejections, dead, parked, {row.partition: row.offset for row in offsets})


def log_cursors(database: Database) -> list[LogPositionRow]:
    """The last record of each partition that was projected."""
    with database.autocommit() as connection:
        return [LogPositionRow(*row) for row in _cursors().tuples(connection)]


def parked_projects(database: Database) -> set[str]:
    """The projects of which something waits behind a dead letter that may name content; "entity/project" each."""
    with database.autocommit() as connection:
        projects = {project_of_key(key) for (key,) in _parked_keys().tuples(connection)}
    return {project for project in projects if project is not None}


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _counts() -> Statement:
    return select(
        select(func.count()).select_from(REJECTIONS).scalar_subquery(),
        select(func.count()).select_from(DEAD_LETTERS).scalar_subquery(),
        select(func.count()).select_from(PARKED_RECORDS).scalar_subquery(),
    )


@compiled
def _dead_letters() -> Statement:
    letters, parked = DEAD_LETTERS.c, PARKED_RECORDS.c
    waiting = (
        select(func.count()).where(parked.partition == letters.partition, parked.key == letters.key).scalar_subquery()
    )
    columns = (letters.key, letters.position, letters.error, letters.time_us, waiting.label("waiting"))
    order = (letters.time_us, letters.position)
    return select(*columns).order_by(*order).limit(bindparam("limit"))


@compiled
def _parked_keys() -> Statement:
    return select(PARKED_KEYS.c.key).distinct()


@compiled
def _cursors() -> Statement:
    return select(LOG_POSITIONS).order_by(LOG_POSITIONS.c.partition)


@compiled
def _positions() -> Statement:
    table = LOG_POSITIONS
    return select(table.c.partition, table.c.offset).order_by(table.c.partition)
