"""Version events as subscribers read them, page by page.

Rows of one partition become visible in the order of their keys, so the last row that was read is a cursor: nothing is
ever inserted before it. Between partitions there is no order; all events of one collection or run are in one partition.
"""

from collections.abc import Iterator
from typing import Any

from headwater_schemas.event_cursors import EventCursor, Reached
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX
from headwater_schemas.positions import position_number

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import COLLECTIONS, LOG_POSITIONS, VERSION_EVENTS, VERSIONS
from headwater_consumer.queries.results import EventFilter, VersionEvent, VersionEventPage
from headwater_consumer.rows import RUN_FINISHED, RUN_STARTED

SCANNED_MAX = 1000  # events of one partition that a page looks at, wanted or not


def version_events(
    database: Database, after: EventCursor, *, wanted: EventFilter | None = None, limit: int = 100
) -> VersionEventPage:
    """The next events after a cursor, each partition's in order, and the cursor after them.

    A page holds about the same number of each partition, `limit` in all or a few more. It can be empty while there is
    more: then the cursor has moved past events that are not `wanted`.
    Cost: one statement for each partition, and SCANNED_MAX rows of it at most.
    """
    wanted = wanted or EventFilter()
    found: list[VersionEvent] = []
    reached = dict(after.reached)
    more = False
    with database.snapshot() as connection:
        partitions = [partition for (partition,) in _partitions().tuples(connection)]
        each = -(-limit // max(1, len(partitions)))
        for partition in partitions:
            taken = 0
            rows = _rows_after(connection, partition, reached.get(partition))
            for row in rows:
                if taken == each:
                    break
                reached[partition] = row.position, row.record_index
                event = _event(row)
                if wanted.accepts(event):
                    found.append(event)
                    taken += 1
            more = more or len(rows) == SCANNED_MAX or (bool(rows) and reached[partition] != _key(rows[-1]))
    return VersionEventPage(found, EventCursor(after.generation, reached), more)


def last_version_events(database: Database, generation: str) -> EventCursor:
    """The cursor after everything that is known now, for who wants only what follows. Cost: a look-up a partition."""
    with database.snapshot() as connection:
        keys = dict(_last_keys(connection))
    return EventCursor(generation, keys)


def _last_keys(connection: Connection) -> Iterator[tuple[int, Reached]]:
    for (partition,) in _partitions().tuples(connection):
        row = _last_of().first(connection, begin=_begin(partition), end=_end(partition))
        if row is not None:
            yield partition, _key(row)


def _rows_after(connection: Connection, partition: int, reached: Reached | None) -> list[Any]:
    position, index = reached or (_begin(partition), -1)
    return list(_after().rows(connection, position=position, index=index, end=_end(partition), limit=SCANNED_MAX))


def _begin(partition: int) -> int:
    return position_number(0, partition, 0)


def _end(partition: int) -> int:
    return position_number(EPOCHS_MAX - 1, partition, OFFSETS_MAX - 1)


def _key(row: Any) -> Reached:
    return row.position, row.record_index


def _event(row: Any) -> VersionEvent:
    is_of_run = row.kind in (RUN_STARTED, RUN_FINISHED)
    return VersionEvent(
        id=f"{row.event}.{row.event_index}",
        kind=row.kind,
        subject=row.subject,
        type=None if is_of_run else row.type,
        version=row.version,
        before=row.before,
        detail=row.detail,
        digest=None if is_of_run else row.digest,
        author=row.author,
        message=row.message,
        time_us=row.time_us,
        position=row.position,
        index=row.record_index,
    )


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _partitions() -> Statement:
    return select(LOG_POSITIONS.c.partition).order_by(LOG_POSITIONS.c.partition)


@compiled
def _after() -> Statement:
    event = VERSION_EVENTS.c
    of_version = and_(VERSIONS.c.collection == event.subject, VERSIONS.c.version == event.version)
    joined = VERSION_EVENTS.outerjoin(COLLECTIONS, COLLECTIONS.c.collection == event.subject)
    joined = joined.outerjoin(VERSIONS, of_version)
    is_later = or_(event.position > bindparam("position"), event.record_index > bindparam("index"))
    return (
        select(*event, COLLECTIONS.c.type, VERSIONS.c.digest)
        .select_from(joined)
        .where(event.position.between(bindparam("position"), bindparam("end")), is_later)
        .order_by(event.position, event.record_index)
        .limit(bindparam("limit"))
    )


@compiled
def _last_of() -> Statement:
    event = VERSION_EVENTS.c
    of_partition = event.position.between(bindparam("begin"), bindparam("end"))
    found = select(event.position, event.record_index).where(of_partition)
    return found.order_by(event.position.desc(), event.record_index.desc()).limit(1)
