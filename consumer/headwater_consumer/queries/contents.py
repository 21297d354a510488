"""Every content that entries name, for those who check whether it is all there."""

from collections.abc import Iterator
from functools import cache

from headwater_schemas.entries import Place
from sqlalchemy import bindparam, select

from headwater_consumer.database import Database
from headwater_consumer.queries.asking import Statement
from headwater_consumer.queries.places import where_now
from headwater_consumer.rows import EntryRow

CONTENTS_PER_PAGE = 5_000


def contents(database: Database) -> Iterator[list[tuple[Place, bytes]]]:
    """Pages of (where its bytes are now, digest in the stored form), in order of digests. Reads every entry once."""
    after = b""
    while True:
        with database.reading() as connection:
            rows = _page().tuples(connection, after=after, limit=CONTENTS_PER_PAGE)
            places = where_now(connection, [Place(name, start, size) for _, name, start, size in rows])
        if not rows:
            return
        yield [(place, row[0]) for place, row in zip(places, rows, strict=True)]
        after = rows[-1][0]


@cache
def _page() -> Statement:
    columns = EntryRow.table.c
    named = (columns.digest, columns.object_name, columns.start, columns.size)
    beyond = columns.digest > bindparam("after")
    return Statement(select(*named).distinct().where(beyond).order_by(columns.digest).limit(bindparam("limit")))
