"""The statements of the writing side: one function a question, named after it."""

from collections.abc import Iterator, Sequence
from typing import Any

from headwater_schemas.events import OWN_DRAFT
from headwater_schemas.keys import first_session
from headwater_schemas.positions import position_number
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
)

from headwater_consumer.database.conditions import is_deleted
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.database.tables import (
    ALIASES,
    BROADCASTS,
    CONDEMNED_OBJECTS,
    DRAFT_WRITERS,
    DRAFTS,
    ENTRIES,
    PARKED_RECORDS,
    REJECTIONS,
    SESSIONS,
    VERSIONS,
)
from headwater_consumer.rows import REMOVED, AliasRow, DraftWriterRow, EntryRow, LogPositionRow, ParkedRecordRow

# --- the cursors ----------------------------------------------------------------------------------------------


def locked(adapter: DatabaseAdapter, connection: Connection, cursors: Sequence[LogPositionRow]) -> set[int]:
    """Lock those of `cursors` that are the projection's, to the end of this transaction; returns their partitions.

    The others were moved by another projector, or one is about to: it has locked them. This is the compare of
    compare-and-set; nobody else can set what is locked.
    """
    expected = {cursor.partition: cursor for cursor in cursors}
    now = adapter.lock_cursors(connection, sorted(expected))
    return {cursor.partition for cursor in now if cursor == expected[cursor.partition]}


# --- entries --------------------------------------------------------------------------------------------------
# What ranges over a whole layer is asked range by range: no statement of the writing side takes longer the larger the
# layer is, whatever the time that a server allows it, and no answer is larger than a range.

PathRange = tuple[str, str]  # the first path and the last one
ALL_PATHS: PathRange = ("", "")


def _within(layer: int, paths: PathRange) -> list[ColumnElement[bool]]:
    of_layer, (first, last) = [ENTRIES.c.layer == layer], paths
    return of_layer if paths == ALL_PATHS else [*of_layer, ENTRIES.c.path >= first, ENTRIES.c.path <= last]


def duplicates(connection: Connection, layer: int, paths: PathRange) -> list[EntryRow]:
    """All rows of each path between `paths` that has several in `layer`, by path and ordinal."""
    # One pass over the range: of a condition on a subquery PostgreSQL makes a loop in a loop without statistics.
    of_path = func.count().over(partition_by=ENTRIES.c.path).label("of_path")
    counted = select(ENTRIES, of_path).where(*_within(layer, paths)).subquery()
    columns = [counted.c[column.name] for column in ENTRIES.columns]
    several = select(*columns).where(counted.c.of_path > 1).order_by(counted.c.path, counted.c.ordinal)
    return [EntryRow(*row) for row in connection.execute(several)]


def remove_duplicates(connection: Connection, layer: int, paths: PathRange) -> None:
    """Of each path's rows in `layer`, between `paths`, keep only the one with the highest ordinal."""
    later = ENTRIES.alias("later")
    superseded = exists().where(
        later.c.layer == layer, later.c.path == ENTRIES.c.path, later.c.ordinal > ENTRIES.c.ordinal
    )
    connection.execute(delete(ENTRIES).where(*_within(layer, paths), superseded))


def path_ranges(connection: Connection, layer: int, paths_per_range: int) -> Iterator[PathRange]:
    """The paths of `layer`, divided into closed ranges of at most `paths_per_range` rows, and those that repeat."""
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


def paths_between(connection: Connection, layer: int, paths: PathRange) -> list[str]:
    """The different paths of `layer` between `paths`, in order."""
    rows = select(ENTRIES.c.path).distinct().where(*_within(layer, paths)).order_by(ENTRIES.c.path)
    return list(connection.execute(rows).scalars())


def kinds_in_range(connection: Connection, layer: int, start: str, end: str) -> Iterator[tuple[str, int]]:
    """(path, kind) of the rows of `layer` in `[start, end)`, by path and ordinal."""
    rows = connection.execute(
        select(ENTRIES.c.path, ENTRIES.c.kind)
        .where(ENTRIES.c.layer == layer, ENTRIES.c.path >= start, ENTRIES.c.path < end)
        .order_by(ENTRIES.c.path, ENTRIES.c.ordinal)
    )
    return ((path, kind) for path, kind in rows)


def copy_unnamed(connection: Connection, source: int, layer: int, paths: PathRange) -> int:
    """Copy into `layer` the rows of `source`, between `paths`, whose paths it does not name; returns how many."""
    copied = ENTRIES.alias("copied")
    named = exists().where(copied.c.layer == layer, copied.c.path == ENTRIES.c.path)
    names = [column.name for column in ENTRIES.columns]
    rows = select(literal(layer), *[ENTRIES.c[name] for name in names[1:]]).where(*_within(source, paths), ~named)
    counted = connection.execute(
        insert(ENTRIES).from_select(names, rows), execution_options={"preserve_rowcount": True}
    )
    return int(counted.rowcount)


def remove_removals(connection: Connection, layer: int, paths: PathRange) -> int:
    """Delete the removals of `layer` between `paths`; returns how many there were."""
    removals = (*_within(layer, paths), ENTRIES.c.kind == REMOVED)
    return int(connection.execute(delete(ENTRIES).where(*removals)).rowcount)


def remove_entries(connection: Connection, layer: int, paths: PathRange) -> None:
    """Delete all rows of `layer` between `paths`."""
    connection.execute(delete(ENTRIES).where(*_within(layer, paths)))


def drop_writers(connection: Connection, collection: str, draft: str) -> None:
    """Delete the rows of a draft's writers."""
    of_draft = (DRAFT_WRITERS.c.collection == collection, DRAFT_WRITERS.c.draft == draft)
    connection.execute(delete(DRAFT_WRITERS).where(*of_draft))


def ended_by_retirement(
    partition: int, before_ms: int, condemned_ms: int
) -> list[tuple[Table, list[ColumnElement[bool]]]]:
    """What a partition keeps about sessions that started before `before_ms`: tables, and which of their rows."""
    first = first_session(before_ms)
    drafts, of_partition = DRAFTS.c, (position_number(0, partition, 0), position_number(0, partition + 1, 0) - 1)
    has_one_writer = drafts.draft.startswith(OWN_DRAFT, autoescape=True)
    objects = CONDEMNED_OBJECTS.c
    return [
        *[
            (kept, [kept.c.partition == partition, kept.c.session < first])
            for kept in (SESSIONS, REJECTIONS, BROADCASTS)
        ],
        (DRAFTS, [drafts.closed_position.between(*of_partition), has_one_writer, drafts.session < first]),
        (CONDEMNED_OBJECTS, [objects.partition == partition, objects.condemned_ms < condemned_ms]),
    ]


def delete_some(connection: Connection, table: Table, which: Sequence[ColumnElement[bool]], limit: int) -> bool:
    """Delete at most `limit` of those rows; whether there may be more."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(*which).limit(limit)
    return bool(connection.execute(delete(table).where(key.in_(some))).rowcount == limit)


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
