"""The statements of the write side: one function a question, named after it.

They are built with SQLAlchemy and compiled once a dialect, then run as text with positional parameters: on this path
a statement runs for every batch, and building it anew would cost more than the database does.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from headwater_consumer.database import driver_of
from headwater_consumer.declaring import Row
from headwater_consumer.rows import (
    DELETED,
    REMOVED,
    Alias,
    EntryRow,
    Layer,
    LogPosition,
    ParkedRecord,
    Version,
    VersionFact,
)

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Values = tuple[Any, ...]

KEYS_PER_STATEMENT_MAX = 128  # SQLite parses a chain of OR at most 1,000 deep
ENTRIES = EntryRow.table


def padded(keys: Sequence[T]) -> list[T]:
    """`keys` filled up to a power of two with the last one, so that a few sizes of a statement serve all."""
    filled = list(keys)
    return filled + filled[-1:] * ((1 << (len(filled) - 1).bit_length()) - len(filled))


# --- rows by key ----------------------------------------------------------------------------------------------


def load(connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
    """The rows with these lookup keys; of facts, the open ones."""
    found: list[R] = []
    for start in range(0, len(keys), KEYS_PER_STATEMENT_MAX):
        chunk = padded(keys[start : start + KEYS_PER_STATEMENT_MAX])
        sql = _load_sql(_hashable(row_type), len(chunk), connection.dialect.name)
        parameters = tuple(value for key in chunk for value in key)
        found.extend(row_type(*row) for row in driver_of(connection).execute(sql, parameters))
    return found


def upsert(connection: Connection, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write rows; those with the same primary key are replaced."""
    sql = _upsert_sql(_hashable(row_type), connection.dialect.name)
    driver_of(connection).executemany(sql, list(map(row_type.values, rows)))


def advance(connection: Connection, before: LogPosition | None, after: LogPosition) -> bool:
    """Move a partition's cursor if it still stands where it was read; False when somebody else moved it."""
    table = LogPosition.table
    if before is None:
        known = connection.execute(select(table.c.partition).where(table.c.partition == after.partition)).first()
        if known is None:
            connection.execute(insert(table).values(LogPosition.values(after)))
        return known is None
    # SQLite and PostgreSQL both evaluate the condition on the row they lock: compare and set.
    sql = _advance_sql(connection.dialect.name)
    moved = driver_of(connection).execute(
        sql, (after.offset, after.time_us, before.partition, before.generation, before.offset)
    )
    return bool(moved.rowcount == 1)


# --- entries --------------------------------------------------------------------------------------------------


def insert_entries(connection: Connection, rows: list[Values]) -> None:
    """Append rows to `entries`, in the order of EntryRow's fields."""
    driver_of(connection).executemany(_insert_entries_sql(connection.dialect.name), rows)


def doubles(connection: Connection, layer: int) -> Iterator[EntryRow]:
    """All rows of each path that has several in `layer`, by path and ordinal."""
    several = select(ENTRIES.c.path).where(ENTRIES.c.layer == layer).group_by(ENTRIES.c.path).having(func.count() > 1)
    rows = connection.execute(
        select(ENTRIES)
        .where(ENTRIES.c.layer == layer, ENTRIES.c.path.in_(several))
        .order_by(ENTRIES.c.path, ENTRIES.c.ordinal)
    )
    return (EntryRow(*row) for row in rows)


def settle_doubles(connection: Connection, layer: int) -> None:
    """Of each path's rows in `layer` keep only the one with the highest ordinal."""
    later = ENTRIES.alias("later")
    superseded = exists().where(
        later.c.layer == layer, later.c.path == ENTRIES.c.path, later.c.ordinal > ENTRIES.c.ordinal
    )
    connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer, superseded))


def path_ranges(connection: Connection, layer: int, paths_per_range: int) -> Iterator[tuple[str, str]]:
    """The paths of `layer` cut into closed ranges of at most `paths_per_range` rows."""
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
    """The rows of the layers `below` whose paths `layer` names too, between `first` and `last`."""
    named = select(ENTRIES.c.path).where(ENTRIES.c.layer == layer, ENTRIES.c.path.between(first, last))
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
    """Write into `layer` what `layers`, topmost first, show together; returns how many rows that is.

    At the bottom marks of removal are not kept: there is nothing below that they would hide.
    """
    written = ENTRIES.alias("written")
    names = [column.name for column in ENTRIES.columns]
    for source in layers:
        taken = exists().where(written.c.layer == layer, written.c.path == ENTRIES.c.path)
        rows = select(literal(layer), *[ENTRIES.c[name] for name in names[1:]]).where(ENTRIES.c.layer == source, ~taken)
        connection.execute(insert(ENTRIES).from_select(names, rows))
    if bottom:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer, ENTRIES.c.kind == REMOVED))
    count = connection.execute(select(func.count()).select_from(ENTRIES).where(ENTRIES.c.layer == layer))
    return int(count.scalar_one())


def drop_layer(connection: Connection, layer: int) -> None:
    """Delete all rows of `layer`."""
    connection.execute(delete(ENTRIES).where(ENTRIES.c.layer == layer))
    connection.execute(delete(Layer.table).where(Layer.table.c.layer == layer))


# --- questions of the projector ---------------------------------------------------------------------------------


def open_aliases(connection: Connection, collection: str, version: int) -> list[Alias]:
    """The aliases that point to a version, by name."""
    table = Alias.table
    rows = connection.execute(
        select(table)
        .where(table.c.collection == collection, table.c.version == version, table.c.to_position.is_(None))
        .order_by(table.c.alias)
    )
    return [Alias(*row) for row in rows]


def newest_live_version(connection: Connection, collection: str, other_than: int) -> int | None:
    """The highest version of a collection that is not deleted."""
    found: int | None = connection.execute(_live_versions(func.max, collection, other_than)).scalar_one()
    return found


def lowest_live_version_with(connection: Connection, collection: str, digest: str, other_than: int) -> int | None:
    """The lowest version of this content that is not deleted."""
    statement = _live_versions(func.min, collection, other_than).where(Version.table.c.digest == digest)
    found: int | None = connection.execute(statement).scalar_one()
    return found


def parked_records(connection: Connection, partition: int, key: str) -> list[ParkedRecord]:
    """What waits in a partition behind a dead letter of `key`, in order."""
    table = ParkedRecord.table
    rows = connection.execute(
        select(table)
        .where(table.c.partition == partition, table.c.key == key, table.c.applied_position.is_(None))
        .order_by(table.c.offset)
    )
    return [ParkedRecord(*row) for row in rows]


def _live_versions(function: Any, collection: str, other_than: int) -> Any:
    versions, facts = Version.table, VersionFact.table
    deleted = exists().where(
        facts.c.collection == versions.c.collection,
        facts.c.version == versions.c.version,
        facts.c.field == DELETED,
        facts.c.to_position.is_(None),
    )
    return select(function(versions.c.version)).where(
        versions.c.collection == collection, versions.c.version != other_than, ~deleted
    )


# --- compiled text --------------------------------------------------------------------------------------------


def _hashable(row_type: type[Row]) -> Hashable:
    """A class is hashable whatever its instances are, which the type checker takes as one."""
    return row_type  # type: ignore[return-value,unused-ignore]


@cache
def dialect_of(name: str) -> Dialect:
    """How statements are written for a database: parameters by position."""
    if name == "sqlite":
        return sqlite.dialect(paramstyle="qmark")
    return postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]


def _compile(statement: Executable, dialect: str) -> str:
    return str(statement.compile(dialect=dialect_of(dialect)))  # type: ignore[attr-defined]


@cache
def _load_sql(row_type: Any, keys: int, dialect: str) -> str:
    columns = row_type.table.c
    # "Open" is said with each key, so that every branch of the OR can use the index of open facts.
    still_open = [columns["to_position"].is_(None)] if row_type.is_fact else []
    matches = [
        and_(*[columns[name] == bindparam(f"{name}_{i}") for name in row_type.lookup_key], *still_open)
        for i in range(keys)
    ]
    return _compile(select(row_type.table).where(or_(*matches)), dialect)


@cache
def _upsert_sql(row_type: Any, dialect: str) -> str:
    insert_into = sqlite.insert if dialect == "sqlite" else postgresql.insert
    values: dict[str, Any] = {column.name: bindparam(f"value_{column.name}") for column in row_type.table.columns}
    statement = insert_into(row_type.table).values(values)
    others = {name: statement.excluded[name] for name in values if name not in row_type.primary_key}
    key = list(row_type.primary_key)
    upserted = (
        statement.on_conflict_do_update(index_elements=key, set_=others)
        if others
        else (statement.on_conflict_do_nothing(index_elements=key))
    )
    return _compile(upserted, dialect)


@cache
def _insert_entries_sql(dialect: str) -> str:
    values: dict[str, Any] = {column.name: bindparam(f"value_{column.name}") for column in ENTRIES.columns}
    return _compile(insert(ENTRIES).values(values), dialect)


@cache
def _advance_sql(dialect: str) -> str:
    columns = LogPosition.table.c
    statement = (
        update(LogPosition.table)
        .values(offset=bindparam("new_offset"), time_us=bindparam("new_time"))
        .where(
            columns.partition == bindparam("p"),
            columns.generation == bindparam("g"),
            columns.offset == bindparam("old_offset"),
        )
    )
    return _compile(statement, dialect)
