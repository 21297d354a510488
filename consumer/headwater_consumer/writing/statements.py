"""The statements of the writing side: one function a question, named after it.

Those that run for every batch are compiled once a dialect and run as text with positional parameters: building them
again would cost more than the database does.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from headwater_schemas.events import OWN_DRAFT
from headwater_schemas.keys import first_session
from headwater_schemas.positions import position_number
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, literal, select, update

from headwater_consumer.database.compiled_statements import compiled_text
from headwater_consumer.database.conditions import is_deleted
from headwater_consumer.database.connection import driver_connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.database.tables import (
    ALIASES,
    BROADCASTS,
    CONDEMNED_OBJECTS,
    DRAFT_WRITERS,
    DRAFTS,
    ENTRIES,
    LAYERS,
    LOG_POSITIONS,
    PARKED_RECORDS,
    REJECTIONS,
    SESSIONS,
    VERSIONS,
)
from headwater_consumer.rows import REMOVED, AliasRow, DraftWriterRow, EntryRow, LogPositionRow, ParkedRecordRow

# --- the cursor -----------------------------------------------------------------------------------------------


def advance(
    adapter: DatabaseAdapter, connection: Connection, before: LogPositionRow | None, after: LogPositionRow
) -> bool:
    """Move a partition's cursor if it is still where it was read; False when another process moved it."""
    if before is None:
        return adapter.insert_row(connection, after)
    # SQLite and PostgreSQL both evaluate the condition on the row they lock: compare and set.
    sql = _advance_sql(connection.dialect.name)
    values = (after.offset, after.time_us, before.partition, before.generation, before.offset)
    return bool(driver_connection(connection).execute(sql, values).rowcount == 1)


# --- entries --------------------------------------------------------------------------------------------------


def duplicates(connection: Connection, layer: int) -> Iterator[EntryRow]:
    """All rows of each path that has several in `layer`, by path and ordinal."""
    several = select(ENTRIES.c.path).where(ENTRIES.c.layer == layer).group_by(ENTRIES.c.path).having(func.count() > 1)
    rows = connection.execute(
        select(ENTRIES)
        .where(ENTRIES.c.layer == layer, ENTRIES.c.path.in_(several))
        .order_by(ENTRIES.c.path, ENTRIES.c.ordinal)
    )
    return (EntryRow(*row) for row in rows)


def remove_duplicates(connection: Connection, layer: int) -> None:
    """Of each path's rows in `layer` keep only the one with the highest ordinal."""
    later = ENTRIES.alias("later")
    superseded = exists().where(
        later.c.layer == layer, later.c.path == ENTRIES.c.path, later.c.ordinal > ENTRIES.c.ordinal
    )
    connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer, superseded))


def path_ranges(connection: Connection, layer: int, paths_per_range: int) -> Iterator[tuple[str, str]]:
    """The paths of `layer`, divided into closed ranges of at most `paths_per_range` rows."""
    last = ""
    while True:
        page = (
            select(ENTRIES.c.path)
            .where(ENTRIES.c.layer == layer, ENTRIES.c.path > last)
            .order_by(ENTRIES.c.path)
            .limit(paths_per_range)
            .subquery()
        )
        first, last_of_page = connection.execute(select(func.min(page.c.path), func.max(page.c.path))).one()
        if first is None:
            return
        yield first, last_of_page
        last = last_of_page


def rows_below(connection: Connection, layer: int, below: Sequence[int], first: str, last: str) -> list[EntryRow]:
    """The rows of the layers `below` whose paths `layer` has too, between `first` and `last`."""
    named = select(ENTRIES.c.path).where(ENTRIES.c.layer == layer, ENTRIES.c.path >= first, ENTRIES.c.path <= last)
    under = ENTRIES.alias("under")
    rows = connection.execute(select(under).where(under.c.layer.in_(below), under.c.path.in_(named)))
    return [EntryRow(*row) for row in rows]


def kinds_in_range(connection: Connection, layer: int, start: str, end: str) -> Iterator[tuple[str, int]]:
    """(path, kind) of the rows of `layer` in `[start, end)`, by path and ordinal."""
    rows = connection.execute(
        select(ENTRIES.c.path, ENTRIES.c.kind)
        .where(ENTRIES.c.layer == layer, ENTRIES.c.path >= start, ENTRIES.c.path < end)
        .order_by(ENTRIES.c.path, ENTRIES.c.ordinal)
    )
    return ((path, kind) for path, kind in rows)


def merge_layers(connection: Connection, layer: int, layers: Sequence[int], bottom: bool) -> int:
    """Write into `layer` what `layers`, topmost first, contain together; returns how many rows that is.

    At the bottom, removals are not kept: there is nothing below that they would hide.
    """
    merged = ENTRIES.alias("merged")
    names = [column.name for column in ENTRIES.columns]
    for source in layers:
        taken = exists().where(merged.c.layer == layer, merged.c.path == ENTRIES.c.path)
        rows = select(literal(layer), *[ENTRIES.c[name] for name in names[1:]]).where(ENTRIES.c.layer == source, ~taken)
        connection.execute(insert(ENTRIES).from_select(names, rows))
    if bottom:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer, ENTRIES.c.kind == REMOVED))
    count = connection.execute(select(func.count()).select_from(ENTRIES).where(ENTRIES.c.layer == layer))
    return int(count.scalar_one())


def drop_layer(connection: Connection, layer: int) -> None:
    """Delete all rows of `layer`."""
    connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer))
    connection.execute(delete(LAYERS).where(LAYERS.c.layer == layer))


def drop_writers(connection: Connection, collection: str, draft: str) -> None:
    """Delete the rows of a draft's writers."""
    of_draft = (DRAFT_WRITERS.c.collection == collection, DRAFT_WRITERS.c.draft == draft)
    connection.execute(delete(DRAFT_WRITERS).where(*of_draft))


def retire_sessions(connection: Connection, partition: int, before_ms: int, condemned_ms: int) -> None:
    """Delete what a partition keeps about sessions that started before `before_ms`. Cost: a scan of its drafts."""
    first = first_session(before_ms)
    for table in (SESSIONS, REJECTIONS, BROADCASTS):
        connection.execute(delete(table).where(table.c.partition == partition, table.c.session < first))
    drafts, of_partition = DRAFTS.c, (position_number(0, partition, 0), position_number(0, partition + 1, 0) - 1)
    is_closed = drafts.closed_position.between(*of_partition)
    has_one_writer = drafts.draft.startswith(OWN_DRAFT, autoescape=True)
    connection.execute(delete(DRAFTS).where(is_closed, has_one_writer, drafts.session < first))
    objects = CONDEMNED_OBJECTS.c
    condemned = (objects.partition == partition, objects.condemned_ms < condemned_ms)
    connection.execute(delete(CONDEMNED_OBJECTS).where(*condemned))


# --- queries of the projector ---------------------------------------------------------------------------------


def open_aliases(connection: Connection, collection: str, version: int) -> list[AliasRow]:
    """The aliases that point to a version, by name."""
    table = ALIASES
    rows = connection.execute(
        select(table)
        .where(table.c.collection == collection, table.c.version == version, table.c.to_position.is_(None))
        .order_by(table.c.alias)
    )
    return [AliasRow(*row) for row in rows]


def newest_live_version(connection: Connection, collection: str, other_than: int) -> int | None:
    """The highest version of a collection that is not deleted."""
    found: int | None = connection.execute(_live_versions(func.max, collection, other_than)).scalar_one()
    return found


def lowest_live_version_with(connection: Connection, collection: str, digest: str, other_than: int) -> int | None:
    """The lowest version of this content that is not deleted."""
    statement = _live_versions(func.min, collection, other_than).where(VERSIONS.c.digest == digest)
    found: int | None = connection.execute(statement).scalar_one()
    return found


def waiting_commits(connection: Connection, collection: str, draft: str) -> list[DraftWriterRow]:
    """The writers of a draft whose commit waits for others, in the order of their commits."""
    table = DRAFT_WRITERS
    rows = connection.execute(
        select(table)
        .where(table.c.collection == collection, table.c.draft == draft, table.c.commit_position.is_not(None))
        .order_by(table.c.commit_position)
    )
    return [DraftWriterRow(*row) for row in rows]


def parked_records(connection: Connection, partition: int, key: str) -> list[ParkedRecordRow]:
    """The records that wait in a partition behind a dead letter of `key`, in order."""
    table = PARKED_RECORDS
    rows = connection.execute(
        select(table).where(table.c.partition == partition, table.c.key == key).order_by(table.c.position)
    )
    return [ParkedRecordRow(*row) for row in rows]


def _live_versions(function: Any, collection: str, other_than: int) -> Any:
    return select(function(VERSIONS.c.version)).where(
        VERSIONS.c.collection == collection, VERSIONS.c.version != other_than, ~is_deleted()
    )


@cache
def _advance_sql(dialect: str) -> str:
    columns = LOG_POSITIONS.c
    statement = (
        update(LOG_POSITIONS)
        .values(offset=bindparam("new_offset"), time_us=bindparam("new_time"))
        .where(
            columns.partition == bindparam("p"),
            columns.generation == bindparam("g"),
            columns.offset == bindparam("old_offset"),
        )
    )
    return compiled_text(statement, dialect)
