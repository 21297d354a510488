"""From records of the log to records with events: where and when each was first written, and what it contains."""

from collections.abc import Sequence

from headwater_eventlog.port import Record
from headwater_schemas import codec, headers
from headwater_schemas.errors import UndecodableEvent, UnknownSchema
from headwater_schemas.events import Stamped
from headwater_schemas.keys import stored_key
from headwater_schemas.positions import OFFSETS_MAX, PARTITIONS_MAX, Position

from headwater_consumer.projector import DecodedRecord

TIME_US_MAX = 2**63 - 1  # what a column of the database can hold

_ORIGINAL = (headers.ORIGINAL_POSITION, headers.ORIGINAL_TIME)


def decode_records(records: Sequence[Record], not_before_us: int) -> tuple[list[DecodedRecord], UnknownSchema | None]:
    """The records up to the first one of an unknown schema, and the error for that one."""
    decoded: list[DecodedRecord] = []
    for record in records:
        try:
            decoded.append(_decode(record, decoded[-1].time_us if decoded else not_before_us))
        except UnknownSchema as error:
            position = record.position
            return decoded, UnknownSchema(f"partition {position.partition} stops at {position.offset}: {error}")
    return decoded, None


def _decode(record: Record, not_before_us: int) -> DecodedRecord:
    position, time_us = record.position, record.time_us
    content: Stamped | UndecodableEvent
    try:
        position, time_us = _first_written(record)
        content = codec.decode(record.payload)
    except UndecodableEvent as error:
        content = error
    return DecodedRecord(stored_key(record.key), record.payload, position, max(time_us, not_before_us), content)


def _first_written(record: Record) -> tuple[Position, int]:
    """Where and when the event was first written: restored records carry that in headers."""
    original = {name: value for name, value in record.headers if name in _ORIGINAL}
    position, time_us = record.position, record.time_us
    if not original:
        return position, time_us
    try:
        if (text := original.get(headers.ORIGINAL_POSITION)) is not None:
            position = _parse_position(text.decode())
        if (text := original.get(headers.ORIGINAL_TIME)) is not None:
            time_us = int(text)
    except ValueError:  # its message may differ between releases of Python, and would become part of the projection
        raise UndecodableEvent("the headers of a restored record cannot be read.") from None
    if not 0 <= time_us <= TIME_US_MAX:
        raise UndecodableEvent(f"a restored record was written at {time_us}, which is not a time.")
    return position, time_us


def _parse_position(text: str) -> Position:
    generation, partition, offset = text.split("/")
    position = Position(generation, int(partition), int(offset))
    if not (0 <= position.partition < PARTITIONS_MAX and 0 <= position.offset < OFFSETS_MAX):
        raise ValueError(f"{text!r} is not a position")
    return position
