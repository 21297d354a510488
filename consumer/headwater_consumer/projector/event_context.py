"""The context of an event: where and when it takes effect, and who sent it. Also how an event is rejected."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater_schemas.errors import HeadwaterError, Reason
from headwater_schemas.events import Event, Origin
from headwater_schemas.keys import event_id
from headwater_schemas.positions import Position

from headwater_consumer.projector.state import Put
from headwater_consumer.rows import RejectionRow

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class EventContext:
    """Where and when an event takes effect. The projector knows no other time."""

    position: Position  # of the record itself; ids are derived from it
    effective_position: int  # from which facts count: a parked event counts from the position that resumed it
    time_us: int  # append time, monotonic within a partition
    append_us: int  # append time by the log's clock, which may go back
    key: str  # the record's key
    payload: bytes  # the event as it came
    origin: Origin

    @property
    def position_number(self) -> int:
        """The record's position as one number."""
        return self.position.number

    @property
    def event_id(self) -> str:
        """The event's id, which is the same every time it is sent."""
        return event_id(self.origin.session, self.key, self.origin.sequence)


class RuleViolation(HeadwaterError):
    """An event breaks a rule. Becomes a row in `rejections`, never an error of the projector."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def without_nul(text: str) -> str:
    """`text` as every database can store it: some refuse NUL."""
    return text.replace("\x00", "\ufffd")


def time_text(time_us: int) -> str:
    """Microseconds since 1970 for people: "2025-01-02 03:04:05 UTC", for any number that an event may carry."""
    try:
        return f"{(_EPOCH + timedelta(microseconds=time_us)).isoformat(' ', 'seconds')} UTC"
    except OverflowError:
        return f"{time_us} µs after 1970"


def rejection(context: EventContext, event: Event, violation: RuleViolation) -> Put:
    """The record of a rejection, by which the event's writer finds it."""
    origin = context.origin
    return Put(
        RejectionRow(
            position=context.position_number,
            partition=context.position.partition,
            key=context.key,
            session=origin.session,
            sequence=origin.sequence,
            event=event.name,
            reason=violation.reason.value,
            message=without_nul(str(violation)),
            time_us=context.time_us,
        )
    )
