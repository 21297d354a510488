"""Versions that are deleted or purged: which wait to be purged, and which were since somebody looked last."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from headwater_schemas.positions import position_number
from headwater_schemas.version_events import VERSION_DELETED

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds, is_field, is_purged
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import VERSION_ATTRIBUTES, VERSION_EVENTS
from headwater_consumer.rows import DELETED, PURGED

VERSIONS_PER_PAGE = 1000


class Deletion(NamedTuple):
    """A version that is deleted and not purged."""

    collection: str
    version: int
    position: int  # from which it is deleted, as a number
    time_us: int  # when that was, by the log's clock


class Purged(NamedTuple):
    """A version that was purged."""

    collection: str
    version: int
    position: int  # from which it is purged, as a number


def deletions(database: Database) -> Iterator[list[Deletion]]:
    """All versions that are deleted and not purged, by name, in pages. Cost: a look at each that is deleted."""
    after = "", -1
    while True:
        with database.snapshot() as connection:
            rows = _deletions().tuples(connection, collection=after[0], version=after[1], limit=VERSIONS_PER_PAGE)
        yield [Deletion(*row) for row in rows]
        if len(rows) < VERSIONS_PER_PAGE:
            return
        after = rows[-1][:2]


def purged_after(database: Database, partition: int, position: int | None) -> Iterator[list[Purged]]:
    """The versions that were purged in a partition beyond a position, None for all; by position, in pages."""
    start, end = position_number(0, partition, 0) - 1, position_number(0, partition + 1, 0)
    after: tuple[int, str, int] = (start if position is None else position, "\U0010ffff", 0)
    while True:
        at, collection, version = after
        values = {"at": at, "end": end, "collection": collection, "version": version, "limit": VERSIONS_PER_PAGE}
        with database.snapshot() as connection:
            rows = _purged().tuples(connection, **values)
        yield [Purged(*row) for row in rows]
        if len(rows) < VERSIONS_PER_PAGE:
            return
        after = rows[-1][2], rows[-1][0], rows[-1][1]


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _deletions() -> Statement:
    deleted: Any = VERSION_ATTRIBUTES.alias("deleted")
    events = VERSION_EVENTS.c
    its_event = and_(events.position == deleted.c.from_position, events.subject == deleted.c.collection)
    collection: Any = bindparam("collection")
    beyond = or_(
        deleted.c.collection > collection,
        and_(deleted.c.collection == collection, deleted.c.version > bindparam("version")),
    )
    # A dead letter that is resolved lets several events count from one position.
    of_version = events.kind == VERSION_DELETED, events.version == deleted.c.version
    time_us = select(events.time_us).where(its_event, *of_version).limit(1).scalar_subquery()
    return (
        select(deleted.c.collection, deleted.c.version, deleted.c.from_position, time_us)
        .where(is_field(deleted, DELETED), holds(deleted), ~is_purged(deleted))
        .where(deleted.c.collection >= collection, beyond)
        .order_by(deleted.c.collection, deleted.c.version)
        .limit(bindparam("limit"))
    )


@compiled
def _purged() -> Statement:
    columns = VERSION_ATTRIBUTES.c
    at: Any = bindparam("at")
    of_next = or_(
        columns.collection > bindparam("collection"),
        and_(columns.collection == bindparam("collection"), columns.version > bindparam("version")),
    )
    beyond = or_(columns.from_position > at, and_(columns.from_position == at, of_next))
    return (
        select(columns.collection, columns.version, columns.from_position)
        .where(is_field(VERSION_ATTRIBUTES, PURGED), holds(VERSION_ATTRIBUTES), columns.from_position >= at)
        .where(beyond, columns.from_position < bindparam("end"))
        .order_by(columns.from_position, columns.collection, columns.version)
        .limit(bindparam("limit"))
    )
