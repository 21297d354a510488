"""One record in, changes out: events, what cannot be decoded, and what waits behind that.

A record that cannot be decoded becomes a dead letter and parks its key: later records of the key wait, in this
partition, until an operator resolves the dead letter. All other keys continue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from headwater_schemas import codec, header_block
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import DeadLetterResolved, Event, Stamped
from headwater_schemas.headers import Headers, sequence_of, session_of
from headwater_schemas.positions import Position, position_of

from headwater_consumer.projector.base_prefetch import BaseEntries, base_entries, base_layer_keys
from headwater_consumer.projector.dispatch import apply
from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.prefetch import RowKey, first_prefetch, second_prefetch
from headwater_consumer.projector.state import Change, Delete, Put, State
from headwater_consumer.rows import DeadLetterRow, ParkedKeyRow, ParkedRecordRow, VersionEventRow, changed


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """A record of the log with its event, or with the reason why that cannot be decoded."""

    key: str
    payload: bytes
    headers: Headers
    position: Position  # where it was first written: restored records carry that in a header
    time_us: int  # when, monotonic within a partition
    append_us: int  # when, by the clock of the log that it was first written to
    content: Stamped | UndecodableEvent

    def context(self, stamped: Stamped) -> EventContext:
        """The context of its event."""
        number = self.position.number
        times = (self.time_us, self.append_us)
        return EventContext(self.position, number, *times, self.key, self.payload, stamped.origin)

    def parked(self) -> ParkedRecordRow:
        """The row of this record while it waits."""
        number, partition = self.position.number, self.position.partition
        kept = header_block.pack(self.headers)
        origin = (session_of(self.headers), sequence_of(self.headers))
        times = (self.time_us, self.append_us)
        return ParkedRecordRow(number, partition, self.key, self.payload, kept, *origin, *times)


def apply_record(record: DecodedRecord, state: State) -> Iterator[list[Change]]:
    """The changes that one record makes, in steps: each must be in `state` before the next is asked for."""
    content, partition = record.content, record.position.partition
    resolves = isinstance(content, Stamped) and isinstance(content.event, DeadLetterResolved)
    parked = state.get(ParkedKeyRow, partition, record.key)
    if parked is not None and not resolves:
        yield [Put(record.parked())]
    elif isinstance(content, UndecodableEvent):
        letter = dead_letter(record.parked(), str(content))
        yield [Put(letter), Put(ParkedKeyRow(partition, record.key, letter.position))]
    else:
        context = record.context(content)
        changes = apply(context, content.event, state)
        yield changes
        if resolves and any(isinstance(change, Delete) and isinstance(change.row, DeadLetterRow) for change in changes):
            yield from resume_parked(context, state)


def resume_parked(resolved: EventContext, state: State) -> Iterator[list[Change]]:
    """Apply the records that waited behind a dead letter, in order; their facts count from where it was `resolved`.

    In steps, as `apply_record`. If a record cannot be decoded either, it becomes the next dead letter and the rest
    stays parked.
    """
    partition, key = resolved.position.partition, resolved.key
    record_index = count()
    for parked in state.parked_records(partition, key):
        applied = Delete(parked)
        try:
            stamped = codec.decode(parked.payload)
        except UndecodableEvent as error:
            letter = dead_letter(parked, str(error))
            yield [applied, Put(letter), Put(ParkedKeyRow(partition, key, letter.position))]
            return
        position, effective = position_of(parked.position), resolved.effective_position
        times = (parked.time_us, parked.append_us)
        context = EventContext(position, effective, *times, key, parked.payload, stamped.origin)
        yield [applied, *_renumbered(apply(context, stamped.event, state), record_index)]
    open_key = state.get(ParkedKeyRow, partition, key)
    assert open_key is not None, "a dead letter was resolved, so its key was parked"
    yield [Delete(open_key)]


def dead_letter(parked: ParkedRecordRow, error: str) -> DeadLetterRow:
    """The dead letter that a record becomes."""
    content = (parked.key, parked.payload, parked.headers, parked.session, parked.sequence)
    return DeadLetterRow(parked.position, parked.partition, *content, error, parked.time_us, parked.append_us)


def _renumbered(changes: list[Change], record_index: Iterator[int]) -> list[Change]:
    """Version events of several records count from one position, where the dead letter was resolved."""
    return [
        Put(changed(change.row, record_index=next(record_index)))
        if isinstance(change, Put) and isinstance(change.row, VersionEventRow)
        else change
        for change in changes
    ]


def first_keys(records: Sequence[DecodedRecord]) -> Iterator[RowKey]:
    """The rows that a batch will most likely read, so that they can be loaded together."""
    for record in records:
        yield ParkedKeyRow, (record.position.partition, record.key)
        if isinstance(record.content, Stamped):
            yield from first_prefetch(record.position, record.key, record.content)


def second_keys(records: Sequence[DecodedRecord], state: State) -> Iterator[RowKey]:
    """The rows that depend on those of `first_keys`, which are in `state` now."""
    for event in _events(records):
        yield from second_prefetch(event, state)


def third_keys(records: Sequence[DecodedRecord], state: State) -> Iterator[RowKey]:
    """The rows that depend on those of `second_keys`, which are in `state` now."""
    return base_layer_keys(_events(records), state)


def entries_of_bases(records: Sequence[DecodedRecord], state: State) -> BaseEntries:
    """The entries that a batch will most likely read; the rows of `third_keys` are in `state` now."""
    return base_entries(_events(records), state)


def _events(records: Sequence[DecodedRecord]) -> Iterator[Event]:
    return (record.content.event for record in records if isinstance(record.content, Stamped))
