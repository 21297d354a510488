"""Where a subscriber begins: with everything, with what comes from now on, at a time, after a cut or after an event.

A cut that a write returned counts offsets of this log, and a cursor positions, which a restore of the log keeps: the
headers of a restored record say where it was first written.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from headwater_eventlog.ancestry import ancestors_in
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import InvalidInput
from headwater_schemas.event_cursors import WHOLE, EventCursor, Reached
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.positions import BEFORE_FIRST, Cut, position_number, position_of
from headwater_schemas.version_events import microseconds_of

from headwater_consumer.database import Database
from headwater_consumer.queries.event_starts import version_events_before
from headwater_consumer.writing.decoding import first_written

START, NOW = "start", "now"
TEXT_SHOWN_MAX = 60  # characters, in an error


class LogReach(Protocol):
    """What is asked of a projection here."""

    def now(self) -> Cut: ...


def starting_cursor(log: EventLog, database: Database, projection: LogReach, after: str | datetime) -> EventCursor:
    """The cursor that `after` means: "start", "now", a time, or the text of a cut or of a cursor.

    A time is that of the first event that is wanted; what is projected later than this call is looked at in any case.
    Raises: InvalidInput for another text, a time without a zone, and what is of another log or beyond its end.
    """
    if isinstance(after, datetime):
        return version_events_before(database, log.generation, _microseconds(after))
    if after == START:
        return EventCursor(log.generation)
    if after == NOW:
        return cursor_of_cut(log, projection.now())
    found = decoded(after)
    if isinstance(found, Cut):
        _check_cut(log, projection, found)
        return cursor_of_cut(log, found)
    check_cursor(log, projection, found)
    return found


def decoded(text: str) -> Cut | EventCursor:
    """The cut or cursor of a text. Raises: InvalidInput."""
    for kind in (EventCursor, Cut):
        try:
            return kind.decode(text)
        except InvalidInput:
            continue
    raise InvalidInput(
        f"{quoted(str(text), TEXT_SHOWN_MAX)} is no place among version events. Pass {START!r}, {NOW!r}, a time with "
        "its zone, or the text of a cut or cursor, unchanged."
    )


def cut_of(log: EventLog, text: str) -> Cut:
    """The cut of a text that is one, or the least that covers a cursor: a restore brings what is older.

    Raises: InvalidInput for another text, and for a cursor of another log.
    """
    found = decoded(text)
    if isinstance(found, Cut):
        return found
    _check_generation(log, found)
    positions = [position_of(number) for number, _ in found.reached.values()]
    return Cut(log.generation, {one.partition: one.offset for one in positions if one.epoch == len(log.ancestors)})


def check_cursor(log: EventLog, projection: LogReach, cursor: EventCursor) -> None:
    """Raises: InvalidInput when `cursor` is of another log, or beyond the end of this one.

    One that is ahead of the projection is fine: nothing is found before the projection is past it.
    """
    _check_generation(log, cursor)
    now, epoch = projection.now(), len(log.ancestors)
    for partition, (number, _) in cursor.reached.items():
        position = position_of(number)
        if (position.epoch, position.offset) > (epoch, now.offsets.get(partition, BEFORE_FIRST)):
            raise _beyond_end(log, partition)


def _check_generation(log: EventLog, cursor: EventCursor) -> None:
    if cursor.generation not in (log.generation, *log.ancestors):
        raise InvalidInput(
            f"the cursor is of log {quoted(cursor.generation, TEXT_SHOWN_MAX)}, and this is log {log.generation}. "
            f"Begin anew, with {START!r} or {NOW!r}."
        )


def cursor_of_cut(log: EventLog, cut: Cut) -> EventCursor:
    """The cursor after everything in a cut of this log. Cost: none, or a read a partition of a log with ancestors."""
    return EventCursor(log.generation, dict(_reached(log, cut)))


def _check_cut(log: EventLog, projection: LogReach, cut: Cut) -> None:
    if cut.generation != log.generation:
        raise InvalidInput(
            f"the cut is of log {quoted(cut.generation, TEXT_SHOWN_MAX)}, and this is log {log.generation}. Use the "
            f"cursor of an event, which a restore keeps, or begin anew, with {START!r} or {NOW!r}."
        )
    now = projection.now()
    for partition, offset in cut.offsets.items():
        if offset > now.offsets.get(partition, BEFORE_FIRST):
            raise _beyond_end(log, partition)


def _reached(log: EventLog, cut: Cut) -> Iterator[tuple[int, Reached]]:
    for partition, offset in cut.offsets.items():
        if offset == BEFORE_FIRST:
            continue
        number = position_number(len(log.ancestors), partition, offset)
        if log.ancestors and (restored := _restored(log, partition, offset)) is not None:
            number = restored
        if number >= position_number(0, partition, 0):
            yield partition, (number, WHOLE)


def _restored(log: EventLog, partition: int, offset: int) -> int | None:
    """The position of the last restored record up to an offset, where the log has only such up to there."""
    (record, *_) = log.read(partition, after=offset - 1, limit=1) or (None,)
    if record is None:
        return None
    if ancestors_in(record) is not None:  # the first record, which is no event
        return position_number(0, partition, 0) - 1
    first = first_written(record, log.ancestors).position
    if first.epoch == len(log.ancestors):
        return None
    return first.number if record.position.offset == offset else first.number - 1


def _beyond_end(log: EventLog, partition: int) -> InvalidInput:
    return InvalidInput(
        f"the cursor is beyond the end of partition {partition} of log {log.generation}: an older copy of the log was "
        f"put back, or the cursor was made up. Begin anew, with {START!r} or {NOW!r}."
    )


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise InvalidInput(f"the time {time.isoformat()} has no zone. Give one, as in 2026-01-31T12:00:00Z.")
    return max(0, microseconds_of(time))
