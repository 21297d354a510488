"""From records of the log to records with events: where and when each was first written, and what it contains."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from headwater_eventlog.ancestry import ancestors_in
from headwater_eventlog.port import Record
from headwater_schemas import codec, headers
from headwater_schemas.errors import StoreUnavailable, UndecodableEvent, UnknownSchema
from headwater_schemas.events import Stamped
from headwater_schemas.headers import Headers
from headwater_schemas.keys import stored_key
from headwater_schemas.limits import OFFSETS_MAX
from headwater_schemas.positions import Position

from headwater_consumer.projector import DecodedRecord

_DIGITS = re.compile(rb"[0-9]{1,19}")  # `int` accepts more, and which more depends on the release of Python
_TIME_US_MAX = 2**63 - 1
_NOT_CREDIBLE = (
    "the headers of a restored record name no position in a log that this one was restored from, or no time."
)


@dataclass(slots=True)
class Decoded:
    """The first records of some, as far as they can be decoded."""

    read: int = 0  # how many of the log's records that are
    records: list[DecodedRecord] = field(default_factory=list)
    unknown: UnknownSchema | None = None  # why it ends before the last


class FirstWritten(NamedTuple):
    """Where and when a record was first written, and with which headers."""

    position: Position
    time_us: int  # when it took effect
    append_us: int  # by the clock of that log
    headers: Headers
    credible: bool = True  # False: its headers name a place that cannot be


def decode_records(records: Sequence[Record], not_before_us: int, ancestors: Sequence[str]) -> Decoded:
    """The records up to the first one of an unknown schema.

    `ancestors`: of their log, see `headwater_eventlog.ancestry`. Raises: StoreUnavailable when the log itself lists
    others.
    """
    found = Decoded()
    for record in records:
        if (listed := ancestors_in(record)) is not None:
            _check_listed(listed, ancestors, record.position)
        else:
            try:
                decoded = _decode(record, not_before_us, ancestors)
            except UnknownSchema as error:
                position = record.position
                found.unknown = UnknownSchema(f"partition {position.partition} stops at {position.offset}: {error}")
                break
            found.records.append(decoded)
            not_before_us = decoded.time_us
        found.read += 1
    return found


def first_written(record: Record, ancestors: Sequence[str]) -> FirstWritten:
    """By its headers, where it was restored; without them it is a new record.

    Only a log that was restored believes them, and no time after that of the restore: one absurd time would be the
    least of all later records.
    """
    here = FirstWritten(record.position, record.time_us, record.time_us, record.headers)
    if not ancestors:
        return here
    given = dict(record.headers)  # the last of each name: a restore adds its own after those that were there
    if headers.ORIGINAL_POSITION not in given:
        return here
    try:
        position = _position(given[headers.ORIGINAL_POSITION], ancestors, record.position.partition)
        time_us = _number(given[headers.ORIGINAL_TIME], _TIME_US_MAX)
        append_us = _number(given.get(headers.ORIGINAL_APPEND_TIME, given[headers.ORIGINAL_TIME]), _TIME_US_MAX)
    except (ValueError, KeyError):
        return FirstWritten(here.position, here.time_us, here.append_us, here.headers, credible=False)
    before = headers.without_original(record.headers)
    # Where it was first written, its own headers were judged: not at all in a log without ancestors.
    credible = position.epoch == 0 or headers.ORIGINAL_POSITION not in dict(before)
    return FirstWritten(position, min(time_us, here.time_us), min(append_us, here.time_us), before, credible)


def _decode(record: Record, not_before_us: int, ancestors: Sequence[str]) -> DecodedRecord:
    first = first_written(record, ancestors)
    content: Stamped | UndecodableEvent
    try:
        if not first.credible:
            raise UndecodableEvent(_NOT_CREDIBLE)
        content = codec.decode(record.payload)
    except UndecodableEvent as error:
        content = error
    time_us = max(first.time_us, not_before_us)
    return DecodedRecord(
        stored_key(record.key), record.payload, first.headers, first.position, time_us, first.append_us, content
    )


def _position(text: bytes, ancestors: Sequence[str], partition: int) -> Position:
    """Raises: ValueError, also for another partition."""
    generation, number, offset = text.split(b"/")
    if _number(number, partition) != partition:
        raise ValueError(text)
    epoch = list(ancestors).index(generation.decode())
    return Position(epoch, partition, _number(offset, OFFSETS_MAX - 1))


def _number(text: bytes, most: int) -> int:
    """Raises: ValueError."""
    if not _DIGITS.fullmatch(text) or int(text) > most:
        raise ValueError(text)
    return int(text)


def _check_listed(listed: Sequence[str], ancestors: Sequence[str], at: Position) -> None:
    """Raises: StoreUnavailable."""
    if tuple(listed) != tuple(ancestors):
        raise StoreUnavailable(
            f"offset {at.offset} of partition {at.partition} says that this log was restored from "
            f"{', '.join(listed)}, which was not known when it was opened. Open it again, with an empty database; if "
            "that does not help, the restore was not finished: delete this log and restore once more."
        )
