"""Whether a log still is the one that was projected, or an older copy of it was put back.

The cursor of a partition names its last record by offset and hash. An older copy ends before it, or, once it was
written to again, has another record there. Going on would skip what is new in the copy and keep what is missing from
it, so it is refused: by readers and writers, who know both ends, and by projectors, which look at the record as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from blake3 import blake3
from headwater_eventlog.port import EventLog, Record, RecordsGone
from headwater_schemas.positions import BEFORE_FIRST, Cut, Position

from headwater_consumer.rows import LogPositionRow

_TAG = b"headwater/record/1\x00"
_HASH_BYTES = 16
_HASHES_KEPT = 4  # of the last records: who reads again and again has the same one before all that is new
_ADVICE = (
    "Put the newer copy back. Only if it is lost, run `headwater replay --replace`, which makes the projection what "
    "this copy says: versions, aliases and runs that only the newer copy had are then gone, and other versions get "
    "their numbers."
)


@lru_cache(_HASHES_KEPT)
def record_hash(record: Record) -> bytes:
    """Of everything that a log keeps of a record: its time, key, payload and headers, each after its length."""
    texts = [text for header in record.headers for text in (header[0].encode(), header[1])]
    pieces = (b"%d" % record.time_us, record.key.encode(), record.payload, *texts)
    measured = [part for piece in pieces for part in (len(piece).to_bytes(8, "big"), piece)]
    return blake3(b"".join((_TAG, *measured))).digest(_HASH_BYTES)


def check_ends(cursors: Iterable[LogPositionRow], ends: Mapping[int, int]) -> None:
    """Raises: RecordsGone when a partition ends before its cursor, which must have been read before the `ends`."""
    for cursor in cursors:
        end = ends.get(cursor.partition, cursor.offset)
        if end < cursor.offset:
            raise _cursor_lost(cursor, f"ends at offset {end}, but was projected up to offset {cursor.offset}")


def check_cut(cut: Cut, ends: Mapping[int, int]) -> None:
    """Raises: RecordsGone when one of these partitions ends before a cut of what was acknowledged."""
    for partition, end in ends.items():
        if end < cut.offsets[partition]:
            found = f"ends at offset {end}, but events up to offset {cut.offsets[partition]} were acknowledged"
            raise _put_back(cut.generation, partition, found)


def check_record(cursor: LogPositionRow, following: Sequence[Record]) -> Sequence[Record]:
    """`following`, which are the records from that of `cursor` on, without it. Raises: RecordsGone if it is another."""
    if cursor.offset == BEFORE_FIRST:
        return following
    if not following or following[0].position.offset != cursor.offset:
        raise _cursor_lost(cursor, f"has no record at offset {cursor.offset}, up to which it was projected")
    if record_hash(following[0]) != cursor.record:
        raise _cursor_lost(cursor, f"has another record at offset {cursor.offset} than the one that was projected")
    return following[1:]


def check_appended(generation: str, offsets: Mapping[int, int], positions: Iterable[Position]) -> None:
    """Raises: RecordsGone when something was appended at or before a cursor that was read before the append began.

    `offsets`: partition → offset of its cursor.
    """
    for position in positions:
        offset = offsets.get(position.partition)
        if offset is not None and position.offset <= offset:
            found = f"got new events at offset {position.offset}, but was projected up to offset {offset}"
            raise _put_back(generation, position.partition, found)


def check_cursor(log: EventLog, cursor: LogPositionRow) -> None:
    """Read the record of a cursor and compare it. Raises: RecordsGone, StoreUnavailable."""
    if cursor.offset != BEFORE_FIRST:
        check_record(cursor, log.read(cursor.partition, after=before(cursor), limit=1))


def before(cursor: LogPositionRow) -> int:
    """The offset after which the record of `cursor` is the first."""
    return max(BEFORE_FIRST, cursor.offset - 1)


def _cursor_lost(cursor: LogPositionRow, found: str) -> RecordsGone:
    return _put_back(cursor.generation, cursor.partition, found)


def _put_back(generation: str, partition: int, found: str) -> RecordsGone:
    return RecordsGone(
        f"partition {partition} of log {generation} {found}: an older copy of the log was put in its "
        f"place, and events that were acknowledged are missing. {_ADVICE}",
        partition=partition,
    )
