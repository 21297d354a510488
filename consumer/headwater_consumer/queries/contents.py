"""All content that entries name, for checking that every blob is stored."""

from collections.abc import Iterator
from typing import Any

from headwater_schemas.entries import BlobLocation

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import ENTRIES
from headwater_consumer.queries.blob_locations import current_locations

CONTENTS_PER_PAGE = 5_000


def contents(database: Database) -> Iterator[list[tuple[BlobLocation, bytes]]]:
    """Pages of (current location, digest in the stored form), in order of digests. Reads every entry once."""
    after: tuple[bytes, str, int] = (b"", "", -1)
    while True:
        digest, name, start = after
        with database.snapshot() as connection:
            rows = _page().tuples(connection, digest=digest, name=name, start=start, limit=CONTENTS_PER_PAGE)
            places = current_locations(connection, [BlobLocation(name, start, size) for _, name, start, size in rows])
        if not rows:
            return
        yield [(place, row[0]) for place, row in zip(places, rows, strict=True)]
        after = rows[-1][0], rows[-1][1], rows[-1][2]


@compiled
def _page() -> Statement:
    columns = ENTRIES.c
    named = (columns.digest, columns.object_name, columns.object_offset, columns.size)
    digest: Any = bindparam("digest")
    name: Any = bindparam("name")
    start: Any = bindparam("start")
    # One content can have several locations, and a page may end with any of them.
    beyond = or_(
        columns.digest > digest,
        and_(columns.digest == digest, columns.object_name > name),
        and_(columns.digest == digest, columns.object_name == name, columns.object_offset > start),
    )
    in_order = (columns.digest, columns.object_name, columns.object_offset)
    return (
        # The first condition follows from the other, but an index can begin with it.
        select(*named).distinct().where(columns.digest >= digest, beyond).order_by(*in_order).limit(bindparam("limit"))
    )
