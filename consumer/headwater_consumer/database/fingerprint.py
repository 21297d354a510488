"""The fingerprint of a projection, equal after any replay and on either database; see `headwater_consumer.rows`.

The cursor is no part of it: it differs in a log that was restored.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import FINGERPRINTED
from headwater_consumer.rows import ProjectionRow
from headwater_consumer.rows.canonical import digest_of_table, fingerprint_of

ROWS_PER_FETCH = 4096


def fingerprint(connection: Connection) -> str:
    """64 hexadecimal digits. Cost: reads every row."""
    return fingerprint_of(table_fingerprints(connection))


def table_fingerprints(connection: Connection) -> Iterator[tuple[str, str]]:
    """(table, digest of its rows) for every table, to find where two projections differ."""
    for row_type in sorted(FINGERPRINTED, key=lambda row_type: table_of(row_type).name):
        yield table_of(row_type).name, _digest_of(connection, row_type)


def _digest_of(connection: Connection, row_type: type[ProjectionRow]) -> str:
    table = table_of(row_type)
    statement = select(table).order_by(*[table.c[name] for name in row_type.primary_key])
    rows = connection.execute(statement, execution_options={"yield_per": ROWS_PER_FETCH})
    return digest_of_table(table.name, rows.partitions(ROWS_PER_FETCH))
