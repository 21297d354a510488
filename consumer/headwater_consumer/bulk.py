"""Many rows at once: the one thing that SQLite and PostgreSQL do so differently that each has its own words.

SQLite runs in this process and takes rows one by one fastest. PostgreSQL is a conversation away: rows go there as
arrays, one for each column, and entries by binary `COPY`.
"""

from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Dialect,
    Executable,
    LargeBinary,
    and_,
    bindparam,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from headwater_consumer.arrays import OIDS, array
from headwater_consumer.database import driver_of
from headwater_consumer.declaring import Row
from headwater_consumer.rows import REMOVED, EntryRow

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Values = tuple[Any, ...]

SQLITE = "sqlite"
KEYS_PER_STATEMENT_MAX = 128  # SQLite parses a chain of OR at most 1,000 deep
ROWS_PER_STATEMENT_MAX = 10_000  # bounds the memory of the arrays


def padded(keys: Sequence[T]) -> list[T]:
    """`keys` filled up to a power of two with the last one, so that a few sizes of a statement serve all."""
    filled = list(keys)
    return filled + filled[-1:] * ((1 << (len(filled) - 1).bit_length()) - len(filled))


def load(connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
    """The rows with these lookup keys, each key given once; of facts, the open ones."""
    driver = driver_of(connection)
    run = driver.execute
    found: list[R] = []
    if connection.dialect.name == SQLITE:
        for start in range(0, len(keys), KEYS_PER_STATEMENT_MAX):
            chunk = padded(keys[start : start + KEYS_PER_STATEMENT_MAX])
            sql = _load_by_or(_hashable(row_type), len(chunk))
            found.extend(row_type(*row) for row in run(sql, tuple(value for key in chunk for value in key)))
        return found
    keys = [key for key in keys if not any(isinstance(value, str) and "\x00" in value for value in key)]  # none has it
    sql, kinds = _load_by_arrays(_hashable(row_type)), _types(row_type, row_type.lookup_key)
    for start in range(0, len(keys), ROWS_PER_STATEMENT_MAX):
        columns = _parameters(driver, kinds, keys[start : start + ROWS_PER_STATEMENT_MAX])
        found.extend(row_type(*row) for row in run(sql, columns))
    return found


def starts_of_ranges_with(connection: Connection, layer: int, ranges: Sequence[tuple[str, str]]) -> list[str]:
    """The starts of those ranges of paths, [start, end), in which a layer has an entry. One index look-up each."""
    driver = driver_of(connection)
    starts: list[str] = []
    if connection.dialect.name == SQLITE:
        for first in range(0, len(ranges), KEYS_PER_STATEMENT_MAX):
            chunk = padded(ranges[first : first + KEYS_PER_STATEMENT_MAX])
            values = (*[text for pair in chunk for text in pair], layer)
            starts += [start for (start,) in driver.execute(_ranges_by_values(len(chunk)), values)]
        return starts
    for first in range(0, len(ranges), ROWS_PER_STATEMENT_MAX):
        columns = _parameters(driver, ["text", "text"], ranges[first : first + ROWS_PER_STATEMENT_MAX])
        starts += [start for (start,) in driver.execute(_ranges_by_arrays(), (*columns, layer))]
    return starts


def upsert(connection: Connection, row_type: type[Row], rows: Iterable[Row]) -> None:
    """Write rows; those with the same primary key are replaced. Each key comes once."""
    values = list(map(row_type.values, rows))
    driver = driver_of(connection)
    if connection.dialect.name == SQLITE:
        driver.executemany(_upsert_one(_hashable(row_type)), values)
        return
    sql, kinds = _upsert_arrays(_hashable(row_type)), _types(row_type)
    for start in range(0, len(values), ROWS_PER_STATEMENT_MAX):
        driver.execute(sql, _parameters(driver, kinds, values[start : start + ROWS_PER_STATEMENT_MAX]))


def insert_entries(connection: Connection, rows: list[Values]) -> None:
    """Append rows to `entries`, in the order of EntryRow's fields."""
    driver = driver_of(connection)
    if connection.dialect.name == SQLITE:
        driver.executemany(_insert_entry(), rows)
        return
    with driver.cursor() as cursor, cursor.copy(_copy_entries()) as copy:
        copy.set_types(_types(EntryRow))
        for row in rows:
            copy.write_row(row)


def _parameters(driver: Any, kinds: Sequence[str], rows: Sequence[Values]) -> list[Any]:
    """The columns of `rows`, for placeholders `%b`."""
    _teach(driver)
    columns = zip(*rows, strict=True)
    return [_WIRE[kind](array(kind, column)) for kind, column in zip(kinds, columns, strict=True)]


class _Wire(bytes):
    """Sent as it is."""


_WIRE = {kind: type(f"_Wire_{kind}", (_Wire,), {}) for kind in OIDS}  # by its class the client library knows its type
_taught: WeakSet[Any] = WeakSet()  # connections


def _teach(driver: Any) -> None:
    """Have the client library send what is of a class of _WIRE as an array. Each connection has its own knowledge."""
    if driver in _taught:
        return
    for dumped, dumper in _dumpers():
        driver.adapters.register_dumper(dumped, dumper)
    _taught.add(driver)


@cache
def _dumpers() -> list[tuple[type, Any]]:
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class WireDumper(Dumper):
        format = Format.BINARY

        def dump(self, obj: bytes) -> bytes:
            return obj

    return [(_WIRE[kind], type(f"Dumper_{kind}", (WireDumper,), {"oid": OIDS[kind][1]})) for kind in OIDS]


# --- compiled text ------------------------------------------------------------------------------------------------


def _hashable(row_type: type[Row]) -> Hashable:
    """A class is hashable whatever its instances are, which the type checker takes as one."""
    return row_type  # type: ignore[return-value,unused-ignore]


@cache
def dialect_of(name: str) -> Dialect:
    """How statements are written for a database: parameters by position."""
    if name == SQLITE:
        return sqlite.dialect(paramstyle="qmark")
    return postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]


def compiled(statement: Executable, dialect: str) -> str:
    """The text of a statement."""
    return str(statement.compile(dialect=dialect_of(dialect)))  # type: ignore[attr-defined]


@cache
def _load_by_or(row_type: Any, keys: int) -> str:
    columns = row_type.table.c
    # "Open" is said with each key, so that every branch of the OR can use the index of open facts.
    still_open = [columns["to_position"].is_(None)] if row_type.is_fact else []
    matches = [
        and_(*[columns[name] == bindparam(f"{name}_{i}") for name in row_type.lookup_key], *still_open)
        for i in range(keys)
    ]
    return compiled(select(row_type.table).where(or_(*matches)), SQLITE)


@cache
def _load_by_arrays(row_type: Any) -> str:
    names = row_type.lookup_key
    columns = ", ".join(f"r.{_quoted(column.name)}" for column in row_type.table.columns)
    same = " AND ".join(f"r.{_quoted(name)} = k.{_quoted(name)}" for name in names)
    still_open = " AND r.to_position IS NULL" if row_type.is_fact else ""
    keys = f"unnest({_arrays(row_type, names)}) AS k({', '.join(map(_quoted, names))})"
    # One look into the index a key. Of a plain join PostgreSQL makes a scan of the table while that is small, and goes
    # on with that plan long after it has grown.
    one = f"(SELECT * FROM {row_type.table.name} AS r WHERE {same}{still_open} LIMIT 1)"  # noqa: S608
    return f"SELECT {columns} FROM {keys} CROSS JOIN LATERAL {one} AS r"  # noqa: S608


def _has_entry(layer: str) -> str:
    """Whether a layer has an entry in the range `w`. A scalar can stop at the first row on every database."""
    in_range = f"e.layer = {layer} AND e.path >= w.first AND e.path < w.after AND e.kind <> {REMOVED}"
    return f"(SELECT 1 FROM entries AS e WHERE {in_range} LIMIT 1) IS NOT NULL"  # noqa: S608


@cache
def _ranges_by_values(ranges: int) -> str:
    values = ", ".join(["(?, ?)"] * ranges)
    return f"WITH w(first, after) AS (VALUES {values}) SELECT w.first FROM w WHERE {_has_entry('?')}"  # noqa: S608


@cache
def _ranges_by_arrays() -> str:
    ranges = "unnest(%b::text[], %b::text[]) AS w(first, after)"
    return f"SELECT w.first FROM {ranges} WHERE {_has_entry('%s')}"  # noqa: S608


@cache
def _upsert_one(row_type: Any) -> str:
    values: dict[str, Any] = {column.name: bindparam(f"value_{column.name}") for column in row_type.table.columns}
    statement = sqlite.insert(row_type.table).values(values)
    others = {name: statement.excluded[name] for name in values if name not in row_type.primary_key}
    key = list(row_type.primary_key)
    if not others:
        return compiled(statement.on_conflict_do_nothing(index_elements=key), SQLITE)
    return compiled(statement.on_conflict_do_update(index_elements=key, set_=others), SQLITE)


@cache
def _upsert_arrays(row_type: Any) -> str:
    names = [column.name for column in row_type.table.columns]
    others = [_quoted(name) for name in names if name not in row_type.primary_key]
    action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
    return (
        f"INSERT INTO {row_type.table.name} ({', '.join(map(_quoted, names))}) "  # noqa: S608 - names of our own tables
        f"SELECT * FROM unnest({_arrays(row_type, names)}) "
        f"ON CONFLICT ({', '.join(map(_quoted, row_type.primary_key))}) DO {action}"
    )


@cache
def _insert_entry() -> str:
    table = EntryRow.table
    return compiled(
        insert(table).values({column.name: bindparam(f"v_{column.name}") for column in table.columns}), SQLITE
    )


@cache
def _copy_entries() -> str:
    names = ", ".join(_quoted(column.name) for column in EntryRow.table.columns)
    return f"COPY {EntryRow.table.name} ({names}) FROM STDIN (FORMAT BINARY)"


def _arrays(row_type: Any, names: Iterable[str]) -> str:
    return ", ".join(f"%b::{kind}[]" for kind in _types(row_type, names))


def _types(row_type: Any, names: Iterable[str] | None = None) -> list[str]:
    """PostgreSQL's names of the types of these columns, or of all."""
    kinds: dict[type, str] = {BigInteger: "int8", Boolean: "bool", LargeBinary: "bytea"}
    columns = row_type.table.columns if names is None else [row_type.table.columns[name] for name in names]
    return [kinds.get(type(column.type), "text") for column in columns]


def _quoted(name: str) -> str:
    return f'"{name}"'
