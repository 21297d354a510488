"""Many rows at once in PostgreSQL: as arrays, one for each column, and entries by binary `COPY`.

Each statement is a round trip, so that a batch should need few of them, and sends together what it can.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import chain
from typing import Any
from weakref import WeakSet

from headwater_consumer.database.connection import Connection, driver_connection
from headwater_consumer.database.entry_ranges import has_entry
from headwater_consumer.database.port import R, Values
from headwater_consumer.database.postgresql.arrays import OIDS, array
from headwater_consumer.database.row_mapping import cache_key, column_kinds, column_names, table_name
from headwater_consumer.rows import EntryRow, LogPositionRow, ProjectionRow

ROWS_PER_STATEMENT_MAX = 10_000  # bounds the memory of the arrays
ROWS_INSERTED_MAX = 500  # of entries; for more, `COPY` is worth its two round trips
_KINDS = {int: "int8", str: "text", bytes: "bytea", bool: "bool"}


class PostgresqlBulk:
    """The bulk methods of a `DatabaseAdapter`."""

    def load_rows(self, connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
        """See `DatabaseAdapter`."""
        return [row_type(*row) for cursor in _asked(connection, row_type, keys) for row in cursor]

    def load_rows_of(
        self, connection: Connection, keys: Mapping[type[ProjectionRow], Sequence[Values]]
    ) -> dict[type[ProjectionRow], list[Any]]:
        """See `DatabaseAdapter`."""
        with self.together(connection):
            asked = {row_type: _asked(connection, row_type, of_type) for row_type, of_type in keys.items()}
            return {row_type: [row_type(*row) for of in cursors for row in of] for row_type, cursors in asked.items()}

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """See `DatabaseAdapter`."""
        pipeline: AbstractContextManager[object] = driver_connection(connection).pipeline()
        return pipeline

    def upsert_rows(self, connection: Connection, row_type: type[ProjectionRow], rows: Iterable[ProjectionRow]) -> None:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        values = list(map(row_type.values, rows))
        sql, kinds = _upsert(cache_key(row_type)), _types(row_type)
        for start in range(0, len(values), ROWS_PER_STATEMENT_MAX):
            driver.execute(sql, _parameters(driver, kinds, values[start : start + ROWS_PER_STATEMENT_MAX]))

    def delete_rows(self, connection: Connection, row_type: type[ProjectionRow], keys: Sequence[Values]) -> None:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        sql, kinds = _delete(cache_key(row_type)), _types(row_type, row_type.primary_key)
        for start in range(0, len(keys), ROWS_PER_STATEMENT_MAX):
            driver.execute(sql, _parameters(driver, kinds, keys[start : start + ROWS_PER_STATEMENT_MAX]))

    def insert_row(self, connection: Connection, row: ProjectionRow) -> bool:
        """See `DatabaseAdapter`. Of two transactions that insert at once, the second waits for the first."""
        driver = driver_connection(connection)
        return bool(driver.execute(_insert_or_ignore(cache_key(type(row))), type(row).values(row)).rowcount == 1)

    def lock_cursors(self, connection: Connection, partitions: Sequence[int]) -> list[LogPositionRow]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        columns = _parameters(driver, _types(LogPositionRow, ["partition"]), [(number,) for number in partitions])
        return [LogPositionRow(*row) for row in driver.execute(_lock_cursors(), columns)]

    def insert_entries(self, connection: Connection, batches: Sequence[Collection[Values]]) -> None:
        """See `DatabaseAdapter`."""
        rows = chain.from_iterable(batches)
        if sum(map(len, batches)) <= ROWS_INSERTED_MAX:
            driver = driver_connection(connection)
            driver.execute(_insert_entries(), _parameters(driver, _types(EntryRow), list(rows)))
            return
        with driver_connection(connection).cursor() as cursor, cursor.copy(_copy_entries()) as copy:
            copy.set_types(_types(EntryRow))
            for row in rows:
                copy.write_row(row)

    def load_entries(self, connection: Connection, keys: Sequence[tuple[int, str]]) -> list[Values]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        found: list[Values] = []
        for start in range(0, len(keys), ROWS_PER_STATEMENT_MAX):
            columns = _parameters(driver, ["int8", "text"], keys[start : start + ROWS_PER_STATEMENT_MAX])
            found += driver.execute(_select_entries(), columns).fetchall()
        return found

    def load_layers(self, connection: Connection, layers: Sequence[int]) -> list[Values]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        columns = _parameters(driver, ["int8"], [(layer,) for layer in layers])
        return driver.execute(_select_layers(), columns).fetchall()  # type: ignore[no-any-return]

    def known_digests(self, connection: Connection, digests: Sequence[bytes]) -> set[bytes]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        found: set[bytes] = set()
        for start in range(0, len(digests), ROWS_PER_STATEMENT_MAX):
            keys = [(digest,) for digest in digests[start : start + ROWS_PER_STATEMENT_MAX]]
            found.update(digest for (digest,) in driver.execute(_known_digests(), _parameters(driver, ["bytea"], keys)))
        return found

    def ranges_with_entries(self, connection: Connection, layer: int, ranges: Sequence[tuple[str, str]]) -> list[str]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        starts: list[str] = []
        for first in range(0, len(ranges), ROWS_PER_STATEMENT_MAX):
            columns = _parameters(driver, ["text", "text"], ranges[first : first + ROWS_PER_STATEMENT_MAX])
            starts += [start for (start,) in driver.execute(_ranges(), (*columns, layer))]
        return starts


def _asked(connection: Connection, row_type: type[ProjectionRow], keys: Sequence[Values]) -> list[Any]:
    """The cursors of the statements that ask for these rows."""
    driver = driver_connection(connection)
    # Text with NUL cannot be sent, and no row has it.
    keys = [key for key in keys if not any(isinstance(value, str) and "\x00" in value for value in key)]
    sql, kinds = _select_by_keys(cache_key(row_type)), _types(row_type, row_type.lookup_key)
    starts = range(0, len(keys), ROWS_PER_STATEMENT_MAX)
    return [
        driver.execute(sql, _parameters(driver, kinds, keys[start : start + ROWS_PER_STATEMENT_MAX]))
        for start in starts
    ]


# --- parameters ---------------------------------------------------------------------------------------------------


def _parameters(driver: Any, kinds: Sequence[str], rows: Sequence[Values]) -> list[Any]:
    """The columns of `rows`, for placeholders `%b`."""
    _register_dumpers(driver)
    columns = zip(*rows, strict=True)
    return [_ENCODED[kind](array(kind, column)) for kind, column in zip(kinds, columns, strict=True)]


class _EncodedArray(bytes):
    """Sent as it is."""


# By its class the client library knows an array's type.
_ENCODED = {kind: type(f"_Encoded_{kind}", (_EncodedArray,), {}) for kind in OIDS}
_registered: WeakSet[Any] = WeakSet()  # connections


def _register_dumpers(driver: Any) -> None:
    """Have the client library send each class of `_ENCODED` as an array. Every connection has its own registry."""
    if driver in _registered:
        return
    for dumped, dumper in _dumpers():
        driver.adapters.register_dumper(dumped, dumper)
    _registered.add(driver)


@cache
def _dumpers() -> list[tuple[type, Any]]:
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class EncodedDumper(Dumper):
        format = Format.BINARY

        def dump(self, obj: bytes) -> bytes:
            return obj

    return [(_ENCODED[kind], type(f"Dumper_{kind}", (EncodedDumper,), {"oid": OIDS[kind][1]})) for kind in OIDS]


# --- statements ---------------------------------------------------------------------------------------------------


@cache
def _select_by_keys(row_type: Any) -> str:
    table, names = table_name(row_type), row_type.lookup_key
    columns = ", ".join(f"r.{_quoted(name)}" for name in column_names(row_type))
    same = " AND ".join(f"r.{_quoted(name)} = k.{_quoted(name)}" for name in names)
    still_open = " AND r.to_position IS NULL" if row_type.is_fact else ""
    keys = f"unnest({_arrays(row_type, names)}) AS k({', '.join(map(_quoted, names))})"
    # One index look-up a key. Of a plain join PostgreSQL makes a scan of the table while that is small, and keeps that
    # plan long after it has grown.
    one = f"(SELECT * FROM {table} AS r WHERE {same}{still_open} LIMIT 1)"  # noqa: S608
    return f"SELECT {columns} FROM {keys} CROSS JOIN LATERAL {one} AS r"  # noqa: S608


@cache
def _upsert(row_type: Any) -> str:
    names = column_names(row_type)
    others = [_quoted(name) for name in names if name not in row_type.primary_key]
    action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
    return (
        f"INSERT INTO {table_name(row_type)} ({', '.join(map(_quoted, names))}) "  # noqa: S608 - names of our own tables
        f"SELECT * FROM unnest({_arrays(row_type, names)}) "
        f"ON CONFLICT ({', '.join(map(_quoted, row_type.primary_key))}) DO {action}"
    )


@cache
def _delete(row_type: Any) -> str:
    table, names = table_name(row_type), row_type.primary_key
    same = " AND ".join(f"r.{_quoted(name)} = k.{_quoted(name)}" for name in names)
    keys = f"unnest({_arrays(row_type, names)}) AS k({', '.join(map(_quoted, names))})"
    return f"DELETE FROM {table} AS r USING {keys} WHERE {same}"  # noqa: S608 - names of our own tables


@cache
def _insert_or_ignore(row_type: Any) -> str:
    table, names = table_name(row_type), list(map(_quoted, column_names(row_type)))
    values = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608


@cache
def _lock_cursors() -> str:
    columns = ", ".join(map(_quoted, column_names(LogPositionRow)))
    return (
        f"SELECT {columns} FROM {table_name(LogPositionRow)} WHERE partition = ANY (%b::int8[]) "  # noqa: S608
        "ORDER BY partition FOR UPDATE SKIP LOCKED"
    )


@cache
def _insert_entries() -> str:
    names = column_names(EntryRow)
    return (
        f"INSERT INTO {table_name(EntryRow)} ({', '.join(map(_quoted, names))}) "  # noqa: S608
        f"SELECT * FROM unnest({_arrays(EntryRow, names)})"
    )


@cache
def _copy_entries() -> str:
    names = ", ".join(map(_quoted, column_names(EntryRow)))
    return f"COPY {table_name(EntryRow)} ({names}) FROM STDIN (FORMAT BINARY)"


@cache
def _select_entries() -> str:
    # One index look-up a key, as in `_select_by_keys`.
    keys = "unnest(%b::int8[], %b::text[]) AS k(layer, path)"
    one = f"(SELECT * FROM {table_name(EntryRow)} AS r WHERE r.layer = k.layer AND r.path = k.path LIMIT 1)"  # noqa: S608
    return f"SELECT {_entry_columns()} FROM {keys} CROSS JOIN LATERAL {one} AS r"  # noqa: S608


@cache
def _select_layers() -> str:
    of_layer = f"(SELECT * FROM {table_name(EntryRow)} AS r WHERE r.layer = k.layer OFFSET 0)"  # noqa: S608
    return f"SELECT {_entry_columns()} FROM unnest(%b::int8[]) AS k(layer) CROSS JOIN LATERAL {of_layer} AS r"  # noqa: S608


@cache
def _known_digests() -> str:
    # One index look-up a key, as in `_select_by_keys`.
    one = f"(SELECT FROM {table_name(EntryRow)} AS r WHERE r.digest = k.digest LIMIT 1)"
    return f"SELECT k.digest FROM unnest(%b::bytea[]) AS k(digest) CROSS JOIN LATERAL {one} AS r"  # noqa: S608


def _entry_columns() -> str:
    return ", ".join(f"r.{_quoted(name)}" for name in column_names(EntryRow))


@cache
def _ranges() -> str:
    ranges = "unnest(%b::text[], %b::text[]) AS w(first, after)"
    return f"SELECT w.first FROM {ranges} WHERE {has_entry('%s')}"  # noqa: S608


def _arrays(row_type: type[ProjectionRow], names: Iterable[str]) -> str:
    return ", ".join(f"%b::{kind}[]" for kind in _types(row_type, names))


def _types(row_type: type[ProjectionRow], names: Iterable[str] | None = None) -> list[str]:
    """PostgreSQL's names of the types of these columns, or of all."""
    kinds = column_kinds(cache_key(row_type))
    return [_KINDS[kinds[name]] for name in (column_names(row_type) if names is None else names)]


def _quoted(name: str) -> str:
    return f'"{name}"'
