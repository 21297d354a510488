"""Many rows at once in SQLite: it runs in this process and takes rows one by one fastest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select
from sqlalchemy.dialects import sqlite

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, SQLITE, compiled_text, padded
from headwater_consumer.database.connection import driver_connection
from headwater_consumer.database.entry_ranges import has_entry
from headwater_consumer.database.port import R, Values
from headwater_consumer.database.row_mapping import cache_key, table_of
from headwater_consumer.database.tables import ENTRIES
from headwater_consumer.rows import ProjectionRow


class SqliteBulk:
    """The bulk methods of a `DatabaseAdapter`."""

    def load_rows(self, connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
        """See `DatabaseAdapter`."""
        rows = _rows_by_keys(connection, lambda count: _select_by_keys(cache_key(row_type), count), keys)
        return [row_type(*row) for row in rows]

    def load_rows_of(
        self, connection: Connection, keys: Mapping[type[ProjectionRow], Sequence[Values]]
    ) -> dict[type[ProjectionRow], list[Any]]:
        """See `DatabaseAdapter`."""
        return {row_type: self.load_rows(connection, row_type, of_type) for row_type, of_type in keys.items()}

    def together(self, connection: Connection) -> AbstractContextManager[object]:  # noqa: ARG002 - nothing is sent
        """See `DatabaseAdapter`."""
        return nullcontext()

    def upsert_rows(self, connection: Connection, row_type: type[ProjectionRow], rows: Iterable[ProjectionRow]) -> None:
        """See `DatabaseAdapter`."""
        driver_connection(connection).executemany(_upsert(cache_key(row_type)), list(map(row_type.values, rows)))

    def delete_rows(self, connection: Connection, row_type: type[ProjectionRow], keys: Sequence[Values]) -> None:
        """See `DatabaseAdapter`."""
        driver_connection(connection).executemany(_delete(cache_key(row_type)), keys)

    def insert_row(self, connection: Connection, row: ProjectionRow) -> bool:
        """See `DatabaseAdapter`."""
        sql = _insert_or_ignore(cache_key(type(row)))
        return bool(driver_connection(connection).execute(sql, type(row).values(row)).rowcount == 1)

    def insert_entries(self, connection: Connection, rows: list[Values]) -> None:
        """See `DatabaseAdapter`."""
        driver_connection(connection).executemany(_insert_entry(), rows)

    def load_entries(self, connection: Connection, keys: Sequence[tuple[int, str]]) -> list[Values]:
        """See `DatabaseAdapter`."""
        return _rows_by_keys(connection, _select_entries, keys)

    def load_layers(self, connection: Connection, layers: Sequence[int]) -> list[Values]:
        """See `DatabaseAdapter`."""
        return _rows_by_keys(connection, _select_layers, [(layer,) for layer in layers])

    def ranges_with_entries(self, connection: Connection, layer: int, ranges: Sequence[tuple[str, str]]) -> list[str]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        starts: list[str] = []
        for first in range(0, len(ranges), KEYS_PER_STATEMENT_MAX):
            chunk = padded(ranges[first : first + KEYS_PER_STATEMENT_MAX])
            values = (*[text for pair in chunk for text in pair], layer)
            starts += [start for (start,) in driver.execute(_ranges(len(chunk)), values)]
        return starts


def _rows_by_keys(connection: Connection, select_sql: Callable[[int], str], keys: Sequence[Values]) -> list[Values]:
    """The rows of a statement that takes many keys; `select_sql` gives the one for so many."""
    run = driver_connection(connection).execute
    found: list[Values] = []
    for start in range(0, len(keys), KEYS_PER_STATEMENT_MAX):
        chunk = padded(keys[start : start + KEYS_PER_STATEMENT_MAX])
        found += run(select_sql(len(chunk)), tuple(value for key in chunk for value in key))
    return found


@cache
def _select_by_keys(row_type: Any, keys: int) -> str:
    table = table_of(row_type)
    # "Open" is part of each key's condition, so that every branch of the OR can use the index of open facts.
    still_open = [table.c["to_position"].is_(None)] if row_type.is_fact else []
    matches = [
        and_(*[table.c[name] == bindparam(f"{name}_{i}") for name in row_type.lookup_key], *still_open)
        for i in range(keys)
    ]
    return compiled_text(select(table).where(or_(*matches)), SQLITE)


@cache
def _select_entries(keys: int) -> str:
    matches = [
        and_(ENTRIES.c.layer == bindparam(f"layer_{i}"), ENTRIES.c.path == bindparam(f"path_{i}")) for i in range(keys)
    ]
    return compiled_text(select(ENTRIES).where(or_(*matches)), SQLITE)


@cache
def _select_layers(layers: int) -> str:
    return compiled_text(
        select(ENTRIES).where(or_(*[ENTRIES.c.layer == bindparam(f"l_{i}") for i in range(layers)])), SQLITE
    )


@cache
def _upsert(row_type: Any) -> str:
    statement = _insert(row_type)
    names = [column.name for column in table_of(row_type).columns]
    others = {name: statement.excluded[name] for name in names if name not in row_type.primary_key}
    key = list(row_type.primary_key)
    if not others:
        return compiled_text(statement.on_conflict_do_nothing(index_elements=key), SQLITE)
    return compiled_text(statement.on_conflict_do_update(index_elements=key, set_=others), SQLITE)


@cache
def _delete(row_type: Any) -> str:
    table = table_of(row_type)
    is_it = and_(*[table.c[name] == bindparam(f"key_{name}") for name in row_type.primary_key])
    return compiled_text(delete(table).where(is_it), SQLITE)


@cache
def _insert_or_ignore(row_type: Any) -> str:
    return compiled_text(_insert(row_type).on_conflict_do_nothing(), SQLITE)


def _insert(row_type: Any) -> sqlite.Insert:
    table = table_of(row_type)
    values: dict[str, Any] = {column.name: bindparam(f"value_{column.name}") for column in table.columns}
    return sqlite.insert(table).values(values)


@cache
def _insert_entry() -> str:
    values: dict[str, Any] = {column.name: bindparam(f"value_{column.name}") for column in ENTRIES.columns}
    return compiled_text(insert(ENTRIES).values(values), SQLITE)


@cache
def _ranges(ranges: int) -> str:
    values = ", ".join(["(?, ?)"] * ranges)
    return f"WITH w(first, after) AS (VALUES {values}) SELECT w.first FROM w WHERE {has_entry('?')}"  # noqa: S608
