"""The aliases of a collection."""

from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import ALIASES


def aliases_of(database: Database, collection: str, *, after: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """(alias, version) by alias and at most `limit`, those on deleted versions left out.

    The next page: `after` = the last alias.
    """
    with database.autocommit() as connection:
        rows = _page().tuples(connection, collection=collection, after=after, limit=limit)
    return [(alias, version) for alias, version in rows]


@compiled
def _page() -> Statement:
    after: Any = bindparam("after")
    return (
        select(ALIASES.c.alias, ALIASES.c.version)
        .where(
            ALIASES.c.collection == bindparam("collection"),
            ALIASES.c.alias > after,
            holds(ALIASES),
            ~is_deleted(ALIASES),
        )
        .order_by(ALIASES.c.alias)
        .limit(bindparam("limit"))
    )
