"""The fingerprint of a projection: a digest of its canonical dump, equal after any replay and on either database.

Every table, by name; its rows in the order of the primary key; each value with a byte for its kind and, where its
length varies, its length. Nothing of the database's own is part of it: no row ids, no order of insertion, no metadata.
Nor is the cursor, which differs in a log that was restored.
"""

from collections.abc import Iterator

from blake3 import blake3
from sqlalchemy import Connection, select

from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import FINGERPRINTED
from headwater_consumer.rows import ProjectionRow

ROWS_PER_FETCH = 4096

_TAG = b"headwater/projection/1\x00"


def fingerprint(connection: Connection) -> str:
    """64 hexadecimal digits. Cost: reads every row."""
    total = blake3(_TAG)
    for name, digest in table_fingerprints(connection):
        total.update(name.encode() + b"\x00" + bytes.fromhex(digest))
    return total.hexdigest()


def table_fingerprints(connection: Connection) -> Iterator[tuple[str, str]]:
    """(table, digest of its rows) for every table, to find where two projections differ."""
    for row_type in sorted(FINGERPRINTED, key=lambda row_type: table_of(row_type).name):
        yield table_of(row_type).name, _digest_of(connection, row_type)


def _digest_of(connection: Connection, row_type: type[ProjectionRow]) -> str:
    table = table_of(row_type)
    statement = select(table).order_by(*[table.c[name] for name in row_type.primary_key])
    rows = connection.execute(statement, execution_options={"yield_per": ROWS_PER_FETCH})
    digest = blake3(table.name.encode())
    for page in rows.partitions(ROWS_PER_FETCH):
        digest.update(b"".join([_canonical(value) for row in page for value in row]))
    return digest.hexdigest()


def _canonical(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"T" if value else b"F"
        case int():
            return b"I" + value.to_bytes(8, "big", signed=True)
        case str():
            text = value.encode()
            return b"S" + len(text).to_bytes(8, "big") + text
        case bytes() | memoryview():
            return b"B" + len(value).to_bytes(8, "big") + bytes(value)
        case _:
            raise AssertionError(f"a row holds a {type(value).__name__}")
