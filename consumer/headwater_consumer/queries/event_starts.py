"""Where to begin with version events: after all that is there, after a cut of the log, or at a time."""

from collections.abc import Iterator

from headwater_schemas.event_cursors import WHOLE, EventCursor, Reached

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import VERSION_EVENTS
from headwater_consumer.queries.event_rows import first_position, last_position, partitions_projected


def last_version_events(database: Database, generation: str) -> EventCursor:
    """The cursor after everything that is projected now. Cost: a look-up a partition."""
    with database.snapshot() as connection:
        keys = dict(_last_keys(connection))
    return EventCursor(generation, keys)


def version_events_before(database: Database, generation: str, time_us: int) -> EventCursor:
    """The cursor after the events that are older than a time. Cost: some 25 look-ups a partition.

    Within a partition times do not go back, but for events that waited behind a dead letter: those are found where they
    were let go.
    """
    with database.snapshot() as connection:
        last = dict(_last_keys(connection))
        older = {partition: _position_before(connection, partition, key[0], time_us) for partition, key in last.items()}
    return EventCursor(generation, {p: (position, WHOLE) for p, position in older.items() if position is not None})


def _position_before(connection: Connection, partition: int, last: int, time_us: int) -> int | None:
    """The last position of the partition with events that are older than a time, found by halving; None without any."""
    none = first_position(partition) - 1
    older, newer = none, last + 1
    while newer - older > 1:
        middle = (older + newer) // 2
        row = _first_from().first(connection, begin=middle, end=last)
        if row is None or row.time_us >= time_us:
            newer = middle
        else:
            older = row.position
    return None if older == none else older


def _last_keys(connection: Connection) -> Iterator[tuple[int, Reached]]:
    for (partition,) in partitions_projected().tuples(connection):
        row = _last_of().first(connection, begin=first_position(partition), end=last_position(partition))
        if row is not None:
            yield partition, (row.position, row.record_index)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _first_from() -> Statement:
    event = VERSION_EVENTS.c
    between = event.position.between(bindparam("begin"), bindparam("end"))
    return select(event.position, event.time_us).where(between).order_by(event.position).limit(1)


@compiled
def _last_of() -> Statement:
    event = VERSION_EVENTS.c
    of_partition = event.position.between(bindparam("begin"), bindparam("end"))
    found = select(event.position, event.record_index).where(of_partition)
    return found.order_by(event.position.desc(), event.record_index.desc()).limit(1)
