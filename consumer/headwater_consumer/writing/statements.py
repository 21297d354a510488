"""The statements of the writing side: one function a question, named after it.

Each is compiled once a dialect and run as text with positional parameters: building it again would cost more than the
database does.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from headwater_schemas.events import OWN_DRAFT
from headwater_schemas.keys import first_session
from headwater_schemas.positions import position_number

from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import is_deleted, was_restored
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.database.row_mapping import column_names
from headwater_consumer.database.sql import bindparam, cast, delete, exists, func, insert, select, tuple_
from headwater_consumer.database.tables import (
    ALIASES,
    BROADCASTS,
    CONDEMNED_OBJECTS,
    DRAFT_WRITERS,
    DRAFTS,
    ENTRIES,
    OBJECT_LAYERS,
    PARKED_RECORDS,
    REJECTIONS,
    RUN_INPUTS,
    SESSIONS,
    VERSION_ATTRIBUTES,
    VERSIONS,
)
from headwater_consumer.rows import REMOVED, AliasRow, DraftWriterRow, EntryRow, LogPositionRow, ParkedRecordRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

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


def duplicates(connection: Connection, layer: int, paths: PathRange) -> list[EntryRow]:
    """All rows of each path between `paths` that has several in `layer`, by path and ordinal."""
    rows = _duplicates(paths != ALL_PATHS).tuples(connection, layer=layer, **_ends(paths))
    return [EntryRow(*row) for row in rows]


@compiled
def _duplicates(bounded: bool) -> Statement:
    # One pass over the range: of a condition on a subquery PostgreSQL makes a loop in a loop without statistics.
    of_path = func.count().over(partition_by=ENTRIES.c.path).label("of_path")
    counted = select(ENTRIES, of_path).where(*_within(bounded)).subquery()
    columns = [counted.c[name] for name in column_names(EntryRow)]
    return select(*columns).where(counted.c.of_path > 1).order_by(counted.c.path, counted.c.ordinal)


def remove_duplicates(connection: Connection, layer: int, paths: PathRange) -> None:
    """Of each path's rows in `layer`, between `paths`, keep only the one with the highest ordinal."""
    _remove_duplicates(paths != ALL_PATHS).run(connection, layer=layer, **_ends(paths))


@compiled
def _remove_duplicates(bounded: bool) -> Statement:
    later = ENTRIES.alias("later")
    superseded = exists().where(
        later.c.layer == bindparam("layer"), later.c.path == ENTRIES.c.path, later.c.ordinal > ENTRIES.c.ordinal
    )
    return delete(ENTRIES).where(*_within(bounded), superseded)


def path_ranges(connection: Connection, layer: int, paths_per_range: int) -> Iterator[PathRange]:
    """The paths of `layer`, divided into closed ranges of at most `paths_per_range` rows, and those that repeat."""
    last = ""
    while True:
        (page,) = _path_range().tuples(connection, layer=layer, after=last, limit=paths_per_range)
        first, last = page
        if first is None:
            return
        yield first, last


@compiled
def _path_range() -> Statement:
    page = (
        select(ENTRIES.c.path)
        .where(ENTRIES.c.layer == bindparam("layer"), ENTRIES.c.path > bindparam("after"))
        .order_by(ENTRIES.c.path)
        .limit(bindparam("limit"))
        .subquery()
    )
    return select(func.min(page.c.path), func.max(page.c.path))


def paths_between(connection: Connection, layer: int, paths: PathRange) -> list[str]:
    """The different paths of `layer` between `paths`, in order."""
    rows = _paths_between(paths != ALL_PATHS).tuples(connection, layer=layer, **_ends(paths))
    return [path for (path,) in rows]


@compiled
def _paths_between(bounded: bool) -> Statement:
    return select(ENTRIES.c.path).distinct().where(*_within(bounded)).order_by(ENTRIES.c.path)


def kinds_in_range(connection: Connection, layer: int, start: str, end: str) -> Iterator[tuple[str, int]]:
    """(path, kind) of the rows of `layer` in `[start, end)`, by path and ordinal."""
    yield from _kinds_in_range().tuples(connection, layer=layer, start=start, end=end)


@compiled
def _kinds_in_range() -> Statement:
    in_range = (ENTRIES.c.path >= bindparam("start"), ENTRIES.c.path < bindparam("end"))
    statement = select(ENTRIES.c.path, ENTRIES.c.kind).where(ENTRIES.c.layer == bindparam("layer"), *in_range)
    return statement.order_by(ENTRIES.c.path, ENTRIES.c.ordinal)


def copy_unnamed(connection: Connection, source: int, layer: int, paths: PathRange) -> int:
    """Copy into `layer` the rows of `source`, between `paths`, whose paths it does not name; returns how many."""
    return _copy_unnamed(paths != ALL_PATHS).run(connection, layer=source, into=layer, **_ends(paths))


@compiled
def _copy_unnamed(bounded: bool) -> Statement:
    copied = ENTRIES.alias("copied")
    into: Any = bindparam("into", type_=ENTRIES.c.layer.type)
    named = exists().where(copied.c.layer == into, copied.c.path == ENTRIES.c.path)
    names = column_names(EntryRow)
    rows = select(cast(into, ENTRIES.c.layer.type), *[ENTRIES.c[name] for name in names[1:]])
    return insert(ENTRIES).from_select(names, rows.where(*_within(bounded), ~named))


def remove_removals(connection: Connection, layer: int, paths: PathRange) -> int:
    """Delete the removals of `layer` between `paths`; returns how many there were."""
    return _remove_removals(paths != ALL_PATHS).run(connection, layer=layer, **_ends(paths))


@compiled
def _remove_removals(bounded: bool) -> Statement:
    return delete(ENTRIES).where(*_within(bounded), ENTRIES.c.kind == REMOVED)


def remove_entries(connection: Connection, layer: int, paths: PathRange) -> None:
    """Delete all rows of `layer` between `paths`."""
    _remove_entries(paths != ALL_PATHS).run(connection, layer=layer, **_ends(paths))


@compiled
def _remove_entries(bounded: bool) -> Statement:
    return delete(ENTRIES).where(*_within(bounded))


def objects_between(connection: Connection, layer: int, paths: PathRange) -> list[str]:
    """The objects that rows of `layer` between `paths` name."""
    rows = _objects_between(paths != ALL_PATHS).tuples(connection, layer=layer, **_ends(paths))
    return [name for (name,) in rows]


@compiled
def _objects_between(bounded: bool) -> Statement:
    return select(ENTRIES.c.object_name).distinct().where(*_within(bounded), ENTRIES.c.object_name.is_not(None))


def objects_of_layer(connection: Connection, layer: int) -> list[str]:
    """The objects that `object_layers` says a layer names."""
    return [name for (name,) in _objects_of_layer().tuples(connection, layer=layer)]


@compiled
def _objects_of_layer() -> Statement:
    return select(OBJECT_LAYERS.c.object_name).where(OBJECT_LAYERS.c.layer == bindparam("layer"))


def remove_objects_of_layer(connection: Connection, layer: int) -> None:
    """Delete what `object_layers` says of a layer."""
    _remove_objects_of_layer().run(connection, layer=layer)


@compiled
def _remove_objects_of_layer() -> Statement:
    return delete(OBJECT_LAYERS).where(OBJECT_LAYERS.c.layer == bindparam("layer"))


def _within(bounded: bool) -> "list[ColumnElement[bool]]":
    of_layer: list[ColumnElement[bool]] = [ENTRIES.c.layer == bindparam("layer")]
    in_range = [ENTRIES.c.path >= bindparam("first"), ENTRIES.c.path <= bindparam("last")]
    return [*of_layer, *in_range] if bounded else of_layer


def _ends(paths: PathRange) -> dict[str, str]:
    return dict(zip(("first", "last"), paths, strict=True))


def drop_writers(connection: Connection, collection: str, draft: str) -> None:
    """Delete the rows of a draft's writers."""
    _drop_writers().run(connection, collection=collection, draft=draft)


@compiled
def _drop_writers() -> Statement:
    return delete(DRAFT_WRITERS).where(*_is_of_draft())


def _is_of_draft() -> "list[ColumnElement[bool]]":
    columns = DRAFT_WRITERS.c
    return [columns.collection == bindparam("collection"), columns.draft == bindparam("draft")]


class Ended(Enum):
    """What ends with the sessions that needed it."""

    MARKS = auto()
    REJECTIONS = auto()
    BROADCASTS = auto()
    DRAFTS = auto()
    CONDEMNATIONS = auto()


def delete_ended(
    connection: Connection, kind: Ended, partition: int, before_ms: int, condemned_ms: int, limit: int
) -> bool:
    """Delete what a partition keeps of one kind about sessions that started before `before_ms`, at most `limit` rows;
    whether there may be more.
    """
    low, high = position_number(0, partition, 0), position_number(0, partition + 1, 0) - 1
    values = {
        "partition": partition,
        "first": first_session(before_ms),
        "condemned_ms": condemned_ms,
        "low": low,
        "high": high,
        "limit": limit,
    }
    return _delete_ended(kind).run(connection, **values) == limit


@compiled
def _delete_ended(kind: Ended) -> Statement:
    drafts, objects = DRAFTS.c, CONDEMNED_OBJECTS.c
    first: Any = bindparam("first")
    tables = {Ended.MARKS: SESSIONS, Ended.REJECTIONS: REJECTIONS, Ended.BROADCASTS: BROADCASTS}
    which: list[ColumnElement[bool]]
    if kind is Ended.DRAFTS:
        has_one_writer = drafts.draft.startswith(OWN_DRAFT, autoescape=True)
        closed_here = drafts.closed_position.between(bindparam("low"), bindparam("high"))
        table, which = DRAFTS, [closed_here, has_one_writer, drafts.session < first]
    elif kind is Ended.CONDEMNATIONS:
        condemned_earlier = objects.condemned_ms < bindparam("condemned_ms")
        table, which = CONDEMNED_OBJECTS, [objects.partition == bindparam("partition"), condemned_earlier]
    else:
        table = tables[kind]
        which = [table.c.partition == bindparam("partition"), table.c.session < first]
    some = select(*table.primary_key.columns).where(*which).limit(bindparam("limit"))
    return delete(table).where(tuple_(*table.primary_key.columns).in_(some))


# --- queries of the projector ---------------------------------------------------------------------------------


def open_aliases(connection: Connection, collection: str, version: int) -> list[AliasRow]:
    """The aliases that point to a version, by name."""
    return [AliasRow(*row) for row in _open_aliases().tuples(connection, collection=collection, version=version)]


@compiled
def _open_aliases() -> Statement:
    columns = ALIASES.c
    of_version = (columns.collection == bindparam("collection"), columns.version == bindparam("version"))
    return select(ALIASES).where(*of_version, columns.to_position.is_(None)).order_by(columns.alias)


def newest_live_version(connection: Connection, collection: str, other_than: int) -> int | None:
    """The highest version of a collection that is not deleted."""
    (found,) = _newest_live_version().first(connection, collection=collection, other_than=other_than)
    return found  # type: ignore[no-any-return]


@compiled
def _newest_live_version() -> Statement:
    return select(func.max(VERSIONS.c.version)).where(*_is_live_and_other())


def newer_live_versions(connection: Connection, collection: str, version: int, at_most: int) -> int:
    """How many versions above this one are not deleted, up to `at_most`."""
    (count,) = _newer_live_versions().first(connection, collection=collection, version=version, at_most=at_most)
    return count  # type: ignore[no-any-return]


@compiled
def _newer_live_versions() -> Statement:
    is_newer = (VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version > bindparam("version"))
    newer = select(VERSIONS.c.version).where(*is_newer, ~is_deleted()).limit(bindparam("at_most")).subquery()
    return select(func.count()).select_from(newer)


def times_restored(connection: Connection, collection: str, version: int) -> int:
    """How often a version was deleted and brought back."""
    (count,) = _times_restored().first(connection, collection=collection, version=version)
    return count  # type: ignore[no-any-return]


@compiled
def _times_restored() -> Statement:
    columns = VERSION_ATTRIBUTES.c
    of_version = (columns.collection == bindparam("collection"), columns.version == bindparam("version"))
    return select(func.count()).where(*of_version, was_restored())


def is_used(connection: Connection, collection: str, version: int) -> bool:
    """Whether a run used a version."""
    return _is_used().first(connection, collection=collection, version=version) is not None


@compiled
def _is_used() -> Statement:
    columns = RUN_INPUTS.c
    of_version = (columns.collection == bindparam("collection"), columns.version == bindparam("version"))
    return select(columns.run).where(*of_version).limit(1)


def lowest_live_version_with(connection: Connection, collection: str, digest: str, other_than: int) -> int | None:
    """The lowest version of this content that is not deleted."""
    statement = _lowest_live_version_with()
    (found,) = statement.first(connection, collection=collection, other_than=other_than, digest=digest)
    return found  # type: ignore[no-any-return]


@compiled
def _lowest_live_version_with() -> Statement:
    return select(func.min(VERSIONS.c.version)).where(*_is_live_and_other(), VERSIONS.c.digest == bindparam("digest"))


def _is_live_and_other() -> "list[ColumnElement[bool]]":
    of_collection = VERSIONS.c.collection == bindparam("collection")
    return [of_collection, VERSIONS.c.version != bindparam("other_than"), ~is_deleted()]


def waiting_commits(connection: Connection, collection: str, draft: str) -> list[DraftWriterRow]:
    """The writers of a draft whose commit waits for others, in the order of their commits."""
    return [DraftWriterRow(*row) for row in _waiting_commits().tuples(connection, collection=collection, draft=draft)]


@compiled
def _waiting_commits() -> Statement:
    position = DRAFT_WRITERS.c.commit_position
    return select(DRAFT_WRITERS).where(*_is_of_draft(), position.is_not(None)).order_by(position)


def parked_records(connection: Connection, partition: int, key: str) -> list[ParkedRecordRow]:
    """The records that wait in a partition behind a dead letter of `key`, in order."""
    return [ParkedRecordRow(*row) for row in _parked_records().tuples(connection, partition=partition, key=key)]


@compiled
def _parked_records() -> Statement:
    columns = PARKED_RECORDS.c
    is_it = (columns.partition == bindparam("partition"), columns.key == bindparam("key"))
    return select(PARKED_RECORDS).where(*is_it).order_by(columns.position)
