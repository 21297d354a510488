"""The fingerprint of a projection, equal after any replay and on either database; see `headwater_consumer.rows`.

The cursor is no part of it: it differs in a log that was restored.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import cache_key, column_kinds, column_names, table_name
from headwater_consumer.database.tables import FINGERPRINTED
from headwater_consumer.rows import ProjectionRow
from headwater_consumer.rows.canonical import digest_of_table, fingerprint_of

ROWS_PER_FETCH = 4096


def fingerprint(connection: Connection) -> str:
    """64 hexadecimal digits. Cost: reads every row."""
    return fingerprint_of(table_fingerprints(connection))


def table_fingerprints(connection: Connection) -> Iterator[tuple[str, str]]:
    """(table, digest of its rows) for every table, to find where two projections differ."""
    for row_type in sorted(FINGERPRINTED, key=table_name):
        yield table_name(row_type), _digest_of(connection, row_type)


def _digest_of(connection: Connection, row_type: type[ProjectionRow]) -> str:
    names = column_names(row_type)
    columns, key = (", ".join(f'"{name}"' for name in some) for some in (names, row_type.primary_key))
    sql = f"SELECT {columns} FROM {table_name(row_type)} ORDER BY {key}"  # noqa: S608 - names of our own tables
    flags = [i for i, name in enumerate(names) if column_kinds(cache_key(row_type))[name] is bool]
    pages = connection.stream(sql, ROWS_PER_FETCH)
    return digest_of_table(table_name(row_type), (map(partial(_with_flags, flags), page) for page in pages))


def _with_flags(flags: Sequence[int], row: Sequence[object]) -> Sequence[object]:
    """SQLite gives numbers for true and false."""
    values = list(row)
    for i in flags:
        values[i] = bool(values[i]) if values[i] is not None else None
    return values
