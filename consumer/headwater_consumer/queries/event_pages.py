"""Version events as subscribers read them, page by page.

Rows of one partition become visible in the order of their keys, so the last row that was read is a cursor: nothing is
ever inserted before it. Between partitions there is no order; all events of one collection or run are in one partition.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import merge

from headwater_schemas.event_cursors import EventCursor, Reached

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, or_
from headwater_consumer.database.tables import VERSION_EVENTS
from headwater_consumer.queries.event_rows import (
    event_of_row,
    events_with_versions,
    first_position,
    last_position,
    partitions_projected,
)
from headwater_consumer.queries.results import EventFilter, VersionEventInfo, VersionEventPage

SCANNED_MAX = 4096  # events that a page looks at to find those that are wanted
_EVERYTHING = EventFilter()


def version_events(
    database: Database,
    after: EventCursor,
    *,
    wanted: EventFilter = _EVERYTHING,
    partitions: Collection[int] | None = None,
    limit: int = 100,
) -> VersionEventPage:
    """The next events after a cursor, about by time, each partition's in order, and the cursor after them.

    `partitions`: look at no others. A page holds about the same number of each. It can be empty while there is more:
    then the cursor has moved past events that are not wanted. Cost: one statement for each partition, and all together
    find `limit` rows, or SCANNED_MAX where only some are wanted.
    """
    with database.snapshot() as connection:
        known = [partition for (partition,) in partitions_projected().tuples(connection)]
        looked_at = known if partitions is None else [partition for partition in known if partition in partitions]
        each = -(-limit // max(1, len(looked_at)))
        scanned = each if wanted.accepts_all else max(each, SCANNED_MAX // max(1, len(looked_at)))
        read = [_read(connection, partition, after.reached.get(partition), scanned) for partition in looked_at]
    found = [_wanted(part, wanted, each) for part in read]
    return _page(after, found, limit)


@dataclass(slots=True)
class _Part:
    """What was read of one partition."""

    partition: int
    events: list[VersionEventInfo]
    reached: Reached | None  # everything up to here is in `events`, or not wanted
    more: bool


def _read(connection: Connection, partition: int, reached: Reached | None, limit: int) -> _Part:
    position, index = reached or (first_position(partition), -1)
    rows = _after().rows(connection, position=position, index=index, end=last_position(partition), limit=limit)
    events = list(map(event_of_row, rows))
    return _Part(partition, events, _key(events[-1]) if events else reached, more=len(rows) == limit)


def _wanted(part: _Part, wanted: EventFilter, limit: int) -> _Part:
    """The first `limit` of them that are wanted."""
    kept = [event for event in part.events if wanted.accepts(event)]
    if len(kept) <= limit:
        return _Part(part.partition, kept, part.reached, part.more)
    return _Part(part.partition, kept[:limit], _key(kept[limit - 1]), more=True)


def _page(after: EventCursor, parts: Sequence[_Part], limit: int) -> VersionEventPage:
    """`limit` of the events, and the cursor after them."""
    ordered = list(merge(*[part.events for part in parts], key=lambda event: event.time_us))
    events, left_out = ordered[:limit], {event.partition for event in ordered[limit:]}
    reached = dict(after.reached)
    reached.update({part.partition: part.reached for part in parts if part.reached and part.partition not in left_out})
    reached.update({event.partition: _key(event) for event in events if event.partition in left_out})
    return VersionEventPage(
        after, events, EventCursor(after.generation, reached), bool(left_out) or any(part.more for part in parts)
    )


def _key(event: VersionEventInfo) -> Reached:
    return event.position, event.index


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _after() -> Statement:
    event = VERSION_EVENTS.c
    is_later = or_(event.position > bindparam("position"), event.record_index > bindparam("index"))
    return (
        events_with_versions()
        .where(event.position.between(bindparam("position"), bindparam("end")), is_later)
        .order_by(event.position, event.record_index)
        .limit(bindparam("limit"))
    )
