"""Whether a log still has all that collections have seen of it.

Collecting by an older copy would delete what the events named that the copy lacks. The projection notices a copy that
ends before it; but it can be rebuilt from the copy. So what was seen is kept beside the content, too.
"""

from collections.abc import Iterable

from headwater_eventlog.port import EventLog, Record, RecordsGone
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing.decoding import first_written
from headwater_consumer.writing.log_check import check_cursor, record_hash


def check_seen(log: EventLog, seen: Iterable[LogPositionRow]) -> None:
    """Compare the last records that were seen with the log, or with what was restored of them.

    Raises: RecordsGone naming the partition; StoreUnavailable. Cost: a record each; a few of a log that was restored.
    """
    logs = [*log.ancestors, log.generation]
    for cursor in seen:
        if cursor.offset == BEFORE_FIRST:
            continue
        if cursor.generation not in logs:
            raise _lost(cursor, f"was seen, and this is log {log.generation}")
        if cursor.generation != log.generation:
            _check_restored(log, cursor, logs.index(cursor.generation))
            continue
        if log.end(cursor.partition) < cursor.offset:
            raise _lost(cursor, f"ends before offset {cursor.offset}, up to which it was seen")
        try:
            check_cursor(log, cursor)
        except RecordsGone:
            raise _lost(cursor, f"has another record at offset {cursor.offset} than the one that was seen") from None


def _check_restored(log: EventLog, cursor: LogPositionRow, epoch: int) -> None:
    wanted = Position(epoch, cursor.partition, cursor.offset)
    found = _at_or_after(log, wanted)
    first = None if found is None else first_written(found, log.ancestors)
    if found is None or first is None or first.position != wanted:
        raise _lost(cursor, f"was seen up to offset {cursor.offset}, which was not restored")
    original = Record(first.position, first.append_us, found.key, found.payload, first.headers)
    if record_hash(original) != cursor.record:
        raise _lost(cursor, f"had another record at offset {cursor.offset} than the one that was restored")


def _at_or_after(log: EventLog, wanted: Position) -> Record | None:
    """The first record that was first written at a position or later. They are in that order, so few are read."""
    low, high = BEFORE_FIRST, log.end(wanted.partition)
    found: Record | None = None
    while low < high:
        middle = (low + high) // 2
        records = log.read(wanted.partition, after=middle, limit=1)
        if not records or first_written(records[0], log.ancestors).position >= wanted:
            found, high = records[0] if records else found, middle
        else:
            low = records[0].position.offset
    return found


def merged(older: Iterable[LogPositionRow], newer: Iterable[LogPositionRow]) -> list[LogPositionRow]:
    """Of each partition the last record that was seen; of two logs the newer one's."""
    found = {cursor.partition: cursor for cursor in older}
    for cursor in newer:
        known = found.get(cursor.partition)
        if known is None or known.generation != cursor.generation or known.offset <= cursor.offset:
            found[cursor.partition] = cursor
    return [found[partition] for partition in sorted(found)]


def _lost(cursor: LogPositionRow, found: str) -> RecordsGone:
    return RecordsGone(
        f"partition {cursor.partition} of log {cursor.generation} {found}: events are missing, and collecting would "
        "delete what they named. Put the newer copy of the log back. Only if it is lost, run `headwater gc "
        "--after-loss`, which deletes what this log does not name.",
        partition=cursor.partition,
    )
