"""Many rows at once in SQLite: it runs in this process and takes rows one by one fastest."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, padded
from headwater_consumer.database.connection import Connection, driver_connection
from headwater_consumer.database.entry_ranges import has_entry
from headwater_consumer.database.port import R, Values
from headwater_consumer.database.row_mapping import cache_key, column_names, table_name
from headwater_consumer.rows import FILE_KINDS, EntryRow, FileRows, ProjectionRow

RUN_MIN = 512  # rows: for fewer, a statement of their own is not worth its preparation

_FIELDS = [field.name for field in fields(EntryRow)]
_KIND = _FIELDS.index("kind")
_SAME = ("layer", "ordinal", "writer", "kind")  # numbers that the files of one event share
_OF_FILE = ("path", "size", "digest", "object_name", "object_offset")  # what each has of its own
_shared = itemgetter(*map(_FIELDS.index, _SAME))
_of_file = itemgetter(*map(_FIELDS.index, _OF_FILE))


class SqliteBulk:
    """The bulk methods of a `DatabaseAdapter`."""

    def load_rows(self, connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
        """See `DatabaseAdapter`."""
        if len(keys) == 1:  # most often
            rows = driver_connection(connection).execute(_select_by_keys(cache_key(row_type), 1), keys[0])
        else:
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

    def insert_entries(self, connection: Connection, batches: Sequence[Collection[Values]]) -> None:
        """See `DatabaseAdapter`."""
        run = driver_connection(connection).executemany
        rows: list[Values] = []
        for batch in batches:
            if len(batch) < RUN_MIN or not isinstance(batch, FileRows):
                rows += batch
                continue
            for kind, of_files in batch.by_kind():
                run(_insert_files(batch.layer, batch.ordinal, batch.writer, kind), of_files)
        others: list[Values] = []
        for of_run in _runs(rows) if len(rows) >= RUN_MIN else [rows]:
            if len(of_run) < RUN_MIN or of_run[0][_KIND] not in FILE_KINDS:
                others += of_run
            else:
                run(_insert_files(*_shared(of_run[0])), map(_of_file, of_run))
        run(_insert(cache_key(EntryRow)), others)

    def load_entries(self, connection: Connection, keys: Sequence[tuple[int, str]]) -> list[Values]:
        """See `DatabaseAdapter`."""
        return _rows_by_keys(connection, _select_entries, keys)

    def load_layers(self, connection: Connection, layers: Sequence[int]) -> list[Values]:
        """See `DatabaseAdapter`."""
        return _rows_by_keys(connection, _select_layers, [(layer,) for layer in layers])

    def known_digests(self, connection: Connection, digests: Sequence[bytes]) -> set[bytes]:
        """See `DatabaseAdapter`."""
        rows: list[Any] = _rows_by_keys(connection, _select_known_digests, [(digest,) for digest in digests])
        return {digest for (digest,) in rows}

    def ranges_with_entries(self, connection: Connection, layer: int, ranges: Sequence[tuple[str, str]]) -> list[str]:
        """See `DatabaseAdapter`."""
        driver = driver_connection(connection)
        starts: list[str] = []
        for first in range(0, len(ranges), KEYS_PER_STATEMENT_MAX):
            chunk = padded(ranges[first : first + KEYS_PER_STATEMENT_MAX])
            values = (*[text for pair in chunk for text in pair], layer)
            starts += [start for (start,) in driver.execute(_ranges(len(chunk)), values)]
        return starts


def _runs(rows: Iterable[Values]) -> Iterator[list[Values]]:
    """Runs of rows with the same numbers."""
    return (list(run) for _, run in groupby(rows, key=_shared))


def _insert_files(layer: int, ordinal: int, writer: int, kind: int) -> str:
    """Numbers that all rows share are part of the text: binding them again for each row takes a third of the time."""
    same = ", ".join(str(int(number)) for number in (layer, ordinal, writer, kind))
    columns, places = ", ".join((*_SAME, *_OF_FILE)), ", ".join("?" * len(_OF_FILE))
    return f"INSERT INTO {table_name(EntryRow)} ({columns}) VALUES ({same}, {places})"  # noqa: S608 - numbers


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
    # "Open" is part of each key's condition, so that every branch of the OR can use the index of open facts.
    still_open = " AND to_position IS NULL" if row_type.is_fact else ""
    match = f"({_is_key(row_type.lookup_key)}{still_open})"
    columns = ", ".join(_quoted_columns(row_type))
    return f"SELECT {columns} FROM {table_name(row_type)} WHERE {' OR '.join([match] * keys)}"  # noqa: S608


@cache
def _select_entries(keys: int) -> str:
    return _entries_where(" OR ".join(["(layer = ? AND path = ?)"] * keys))


@cache
def _select_layers(layers: int) -> str:
    return _entries_where(" OR ".join(["layer = ?"] * layers))


@cache
def _select_known_digests(digests: int) -> str:
    wanted = ", ".join(["(?)"] * digests)
    has_one = f"EXISTS (SELECT 1 FROM {table_name(EntryRow)} AS r WHERE r.digest = w.digest)"  # noqa: S608
    return f"WITH w(digest) AS (VALUES {wanted}) SELECT w.digest FROM w WHERE {has_one}"  # noqa: S608


def _entries_where(condition: str) -> str:
    columns = ", ".join(_quoted_columns(EntryRow))
    return f"SELECT {columns} FROM {table_name(EntryRow)} WHERE {condition}"  # noqa: S608 - names of our own tables


@cache
def _upsert(row_type: Any) -> str:
    others = [_quoted(name) for name in column_names(row_type) if name not in row_type.primary_key]
    action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
    return f"{_insert(row_type)} ON CONFLICT ({', '.join(map(_quoted, row_type.primary_key))}) DO {action}"


@cache
def _delete(row_type: Any) -> str:
    return f"DELETE FROM {table_name(row_type)} WHERE {_is_key(row_type.primary_key)}"  # noqa: S608


@cache
def _insert_or_ignore(row_type: Any) -> str:
    return f"{_insert(row_type)} ON CONFLICT DO NOTHING"


@cache
def _insert(row_type: Any) -> str:
    columns = _quoted_columns(row_type)
    values = ", ".join("?" * len(columns))
    return f"INSERT INTO {table_name(row_type)} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608


@cache
def _ranges(ranges: int) -> str:
    values = ", ".join(["(?, ?)"] * ranges)
    return f"WITH w(first, after) AS (VALUES {values}) SELECT w.first FROM w WHERE {has_entry('?')}"  # noqa: S608


def _is_key(names: Sequence[str]) -> str:
    return " AND ".join(f"{_quoted(name)} = ?" for name in names)


def _quoted_columns(row_type: type[ProjectionRow]) -> list[str]:
    return list(map(_quoted, column_names(row_type)))


def _quoted(name: str) -> str:
    return f'"{name}"'
