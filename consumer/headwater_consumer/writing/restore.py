"""Restore the records of a log into a new one, at other offsets: the same history, position by position.

Each record keeps its key, payload and headers, and gets headers that say where and when it was first written. Those are
what the projector goes by in a log that lists the old one among its ancestors, so the projection of both is the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headwater_eventlog.ancestry import ancestors_in, check_ancestors
from headwater_eventlog.port import RECORDS_PER_APPEND_MAX, EventLog, LogIdentity, NewRecord, Record
from headwater_schemas import headers
from headwater_schemas.errors import InvalidInput, StoreNotOurs
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_consumer.writing.decoding import FirstWritten, first_written

BYTES_PER_APPEND = 16 * 1024 * 1024  # of payloads


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition is restored."""

    offset: int  # in the source, of the last record that is
    time_us: int  # when that took effect


NOTHING = Reached(BEFORE_FIRST, 0)


def ancestors_after(source: EventLog) -> tuple[str, ...]:
    """The ancestors of a log into which `source` is restored. Raises: InvalidInput when they are too many."""
    ancestors = (*source.ancestors, source.generation)
    check_ancestors(ancestors)
    return ancestors


def check_target(source: EventLog, target: LogIdentity) -> None:
    """Raises: InvalidInput when the records of `source` would mean something else in `target`."""
    if target.partitions != source.partitions:
        raise InvalidInput(
            f"log {source.generation} has {source.partitions} partitions, and the new log {target.generation} has "
            f"{target.partitions}: keys would move to other partitions. Create one with {source.partitions}."
        )
    expected = ancestors_after(source)
    if target.ancestors != expected:
        raise InvalidInput(
            f"log {target.generation} was not created for the records of log {source.generation}: its ancestors are "
            f"{', '.join(target.ancestors) or 'none'}, not {', '.join(expected)}. Create another log with those."
        )


def as_restored(source: EventLog, records: Sequence[Record], after: Reached) -> tuple[list[NewRecord], Reached]:
    """The next records of a partition of `source`, as they are appended, and how far it is restored with them."""
    ancestors, time_us = ancestors_after(source), after.time_us
    restored = []
    for record in records:
        if ancestors_in(record) is None:
            first = first_written(record, source.ancestors)
            time_us = max(time_us, first.time_us)
            restored.append(_restored(record, first, time_us, ancestors))
    return restored, Reached(records[-1].position.offset if records else after.offset, time_us)


def reached_in(target: EventLog, source: EventLog, partition: int) -> Reached:
    """How far `target` has a partition of `source`, by its last record. `target` passes `check_target`.

    Raises: StoreNotOurs when that record is of another origin: somebody writes to `target`. Cost: one record, except
    where `source` was restored itself, and nothing that it got later is in `target`: then what was restored is read.
    """
    last = target.end(partition)
    record = None if last == BEFORE_FIRST else _record_at(target, partition, last)
    if record is None or ancestors_in(record) is not None:
        return NOTHING
    first = first_written(record, target.ancestors)
    if not first.credible or first.position.epoch == len(target.ancestors):
        raise StoreNotOurs(
            f"offset {last:,} of partition {partition} of log {target.generation} was not copied from log "
            f"{source.generation}: something was logged there. Nothing more is copied into it; what is new in the "
            "source since can be taken over with `headwater export` and `headwater import`."
        )
    if first.position.epoch == len(source.ancestors):
        return Reached(first.position.offset, first.time_us)
    return Reached(_offset_of(source, first.position), first.time_us)


def _record_at(log: EventLog, partition: int, offset: int) -> Record | None:
    return next(iter(log.read(partition, after=offset - 1, limit=1)), None)


def _offset_of(source: EventLog, position: Position) -> int:
    """Where `source` has a record that was restored into it. Raises: StoreNotOurs where it has not."""
    after = BEFORE_FIRST
    while records := source.read(position.partition, after=after):
        for record in records:
            if ancestors_in(record) is None and first_written(record, source.ancestors).position == position:
                return record.position.offset
        after = records[-1].position.offset
    raise StoreNotOurs(
        f"the copy has an event that log {source.generation} lacks, first written at {position}: an older copy of the "
        "source was put in its place. Nothing was copied; put the newer one back."
    )


def _restored(record: Record, first: FirstWritten, time_us: int, ancestors: tuple[str, ...]) -> NewRecord:
    position = first.position
    place = f"{ancestors[position.epoch]}/{position.partition}/{position.offset}"
    original = (
        (headers.ORIGINAL_POSITION, place.encode()),
        (headers.ORIGINAL_TIME, b"%d" % time_us),
        (headers.ORIGINAL_APPEND_TIME, b"%d" % first.append_us),
    )
    return NewRecord(record.key, record.payload, (*first.headers, *original), position.partition)


def in_batches(records: Iterable[NewRecord]) -> Iterator[list[NewRecord]]:
    """In portions that one append takes."""
    batch: list[NewRecord] = []
    size = 0
    for record in records:
        if batch and (len(batch) == RECORDS_PER_APPEND_MAX or size + len(record.payload) > BYTES_PER_APPEND):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.payload)
    if batch:
        yield batch
