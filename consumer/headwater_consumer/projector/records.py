"""One record in, changes out: events, what cannot be decoded, and what waits behind that.

A record that cannot be decoded becomes a dead letter and parks its key: later records of the key wait, in this
partition, until an operator resolves the dead letter. All other keys continue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from headwater_schemas import codec
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import DeadLetterResolved, Stamped
from headwater_schemas.positions import Position

from headwater_consumer.projector.dispatch import apply
from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.prefetch import RowKey, first_prefetch, second_prefetch
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.rows import DeadLetterRow, OutboxRow, ParkedKeyRow, ParkedRecordRow


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """A record of the log with its event, or with the reason why that cannot be decoded."""

    key: str
    payload: bytes
    position: Position  # where it was first written: restored records carry that in a header
    time_us: int  # when, monotonic within a partition
    content: Stamped | UndecodableEvent

    def context(self, stamped: Stamped) -> EventContext:
        """The context of its event."""
        return EventContext(self.position, self.position.number, self.time_us, self.key, stamped.origin)


def apply_record(record: DecodedRecord, state: State) -> Iterator[list[Change]]:
    """The changes that one record makes, in steps: each must be in `state` before the next is asked for."""
    content, partition, offset = record.content, record.position.partition, record.position.offset
    resolves = isinstance(content, Stamped) and isinstance(content.event, DeadLetterResolved)
    parked = state.get(ParkedKeyRow, partition, record.key)
    if parked is not None and parked.offset is not None and not resolves:
        yield [Put(ParkedRecordRow(partition, offset, record.key, record.payload, record.time_us, None))]
    elif isinstance(content, UndecodableEvent):
        letter = DeadLetterRow(partition, offset, record.key, record.payload, str(content), record.time_us, None, None)
        yield [Put(letter), Put(ParkedKeyRow(partition, record.key, offset))]
    else:
        context = record.context(content)
        changes = apply(context, content.event, state)
        yield changes
        if resolves and any(isinstance(change, Put) and isinstance(change.row, DeadLetterRow) for change in changes):
            yield from resume_parked(context, state)


def resume_parked(resolved: EventContext, state: State) -> Iterator[list[Change]]:
    """Apply the records that waited behind a dead letter, in order; their facts count from where it was `resolved`.

    In steps, as `apply_record`. If a record cannot be decoded either, it becomes the next dead letter and the rest
    stays parked.
    """
    partition, key = resolved.position.partition, resolved.key
    record_index = count()
    for parked in state.parked_records(partition, key):
        applied = Put(replace(parked, applied_position=resolved.effective_position))
        try:
            stamped = codec.decode(parked.payload)
        except UndecodableEvent as error:
            letter = DeadLetterRow(
                parked.partition, parked.offset, key, parked.payload, str(error), parked.time_us, None, None
            )
            yield [applied, Put(letter), Put(ParkedKeyRow(parked.partition, key, parked.offset))]
            return
        position = Position(resolved.position.generation, parked.partition, parked.offset)
        context = EventContext(position, resolved.effective_position, parked.time_us, key, stamped.origin)
        yield [applied, *_moved_to(resolved, apply(context, stamped.event, state), record_index)]
    yield [Put(ParkedKeyRow(partition, key, None))]


def _moved_to(resolved: EventContext, changes: list[Change], record_index: Iterator[int]) -> list[Change]:
    """Notifications move to where the dead letter was resolved: subscribers are past the parked record's position."""
    partition, offset = resolved.position.partition, resolved.position.offset
    return [
        Put(replace(change.row, partition=partition, offset=offset, record_index=next(record_index)))
        if isinstance(change, Put) and isinstance(change.row, OutboxRow)
        else change
        for change in changes
    ]


def first_keys(records: Sequence[DecodedRecord]) -> Iterator[RowKey]:
    """The rows that a batch will most likely read, so that they can be loaded together."""
    for record in records:
        yield ParkedKeyRow, (record.position.partition, record.key)
        if isinstance(record.content, Stamped):
            yield from first_prefetch(record.context(record.content), record.content.event)


def second_keys(records: Sequence[DecodedRecord], state: State) -> Iterator[RowKey]:
    """The rows that depend on those of `first_keys`, which are in `state` now."""
    for record in records:
        if isinstance(record.content, Stamped):
            yield from second_prefetch(record.content.event, state)
