"""What the projector knows about an event besides what it says, and how it refuses one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headwater_schemas.errors import HeadwaterError, Reason
from headwater_schemas.events import Event, Origin
from headwater_schemas.positions import Position

from headwater_consumer.rows import OutboxRow, Rejection
from headwater_consumer.state import Put

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where and when an event takes effect. All the time that exists for the projector is in here."""

    position: Position  # of the record itself; makes ids
    at: int  # the position from which facts count: a parked event counts from where it was let go on
    time_us: int  # append time, made never to go back within a partition
    key: str  # the record's key
    origin: Origin

    @property
    def number(self) -> int:
        """The record's position as one number."""
        return self.position.number


class Refused(HeadwaterError):
    """A rule refuses an event. Becomes a row in `rejections`, never an error of the projector."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def storable(text: str) -> str:
    """`text` as every database can hold it: some have no zero byte."""
    return text.replace("\x00", "\ufffd")


def time_text(time_us: int) -> str:
    """Microseconds since 1970 for people: "2025-01-02 03:04:05 UTC", whatever an event claims."""
    try:
        return f"{(_EPOCH + timedelta(microseconds=time_us)).isoformat(' ', 'seconds')} UTC"
    except OverflowError:
        return f"{time_us} µs after 1970"


def rejection(moment: Moment, event: Event, refused: Refused) -> Put:
    """The record of a refusal, by which the event's writer finds it."""
    position, origin = moment.position, moment.origin
    return Put(
        Rejection(
            partition=position.partition,
            offset=position.offset,
            key=moment.key,
            session=origin.session,
            sequence=origin.sequence,
            event=event.name,
            reason=refused.reason.value,
            message=storable(str(refused)),
            time_us=moment.time_us,
        )
    )


def announce(moment: Moment, n: int, kind: str, subject: str, body: Mapping[str, Any]) -> Put:
    """A row for subscribers; `n` counts from 0 within one event."""
    position = moment.position
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Put(OutboxRow(position.partition, position.offset, n, kind, subject, text, moment.time_us))
