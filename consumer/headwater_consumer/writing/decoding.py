"""From records of the log to records with events: where and when each was first written, and what it contains."""

from collections.abc import Sequence

from headwater_eventlog.port import Record
from headwater_schemas import codec, headers
from headwater_schemas.errors import UndecodableEvent, UnknownSchema
from headwater_schemas.events import Stamped
from headwater_schemas.keys import stored_key
from headwater_schemas.positions import OFFSETS_MAX, Position

from headwater_consumer.projector import DecodedRecord


def decode_records(
    records: Sequence[Record], not_before_us: int, ancestors: Sequence[str]
) -> tuple[list[DecodedRecord], UnknownSchema | None]:
    """The records up to the first one of an unknown schema, and the error for that one.

    `ancestors`: the generations of the logs that this one was restored from, oldest first.
    """
    decoded: list[DecodedRecord] = []
    for record in records:
        try:
            decoded.append(_decode(record, decoded[-1].time_us if decoded else not_before_us, ancestors))
        except UnknownSchema as error:
            position = record.position
            return decoded, UnknownSchema(f"partition {position.partition} stops at {position.offset}: {error}")
    return decoded, None


def _decode(record: Record, not_before_us: int, ancestors: Sequence[str]) -> DecodedRecord:
    position, time_us = record.position, record.time_us
    content: Stamped | UndecodableEvent
    try:
        if ancestors:
            position, time_us = _first_written(record, ancestors)
        content = codec.decode(record.payload)
    except UndecodableEvent as error:
        content = error
    time_us = max(time_us, not_before_us)
    return DecodedRecord(stored_key(record.key), record.payload, record.headers, position, time_us, content)


def _first_written(record: Record, ancestors: Sequence[str]) -> tuple[Position, int]:
    """Where and when a restored record was first written, by its headers; one without them is a new record.

    Only a log that was restored believes them, and no time after that of the restore: one absurd time would be the
    least of all later records.
    """
    given = dict(record.headers)
    position, time_us = record.position, record.time_us
    if (text := given.get(headers.ORIGINAL_POSITION)) is None:
        return position, time_us
    try:
        generation, partition, offset = text.decode().split("/")
        position = Position(ancestors.index(generation), int(partition), int(offset))
        time_us = int(given[headers.ORIGINAL_TIME])
    except (ValueError, KeyError):  # its message may differ between releases of Python
        raise UndecodableEvent(
            "the headers of a restored record name no position in a log that this one was restored from, or no time."
        ) from None
    in_place = position.partition == record.position.partition and 0 <= position.offset < OFFSETS_MAX
    if not in_place or not 0 <= time_us <= record.time_us:
        raise UndecodableEvent("the headers of a restored record name another partition, or a time that is to come.")
    return position, time_us
