"""Restore the records of a log into a new one, at other offsets: the same history, position by position.

Each record keeps its key, payload and headers, and gets headers that say where and when it was first written. Those are
what the projector goes by in a log that lists the old one among its ancestors, so the projection of both is the same.
"""

from collections.abc import Iterator

from headwater_eventlog.ancestry import ancestors_in, check_ancestors
from headwater_eventlog.port import RECORDS_PER_APPEND_MAX, EventLog, NewRecord, Record
from headwater_schemas import headers
from headwater_schemas.errors import InvalidInput
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.writing.decoding import FirstWritten, first_written

BYTES_PER_APPEND = 16 * 1024 * 1024  # of payloads


def ancestors_after(source: EventLog) -> tuple[str, ...]:
    """The ancestors of a log into which `source` is restored. Raises: InvalidInput when they are too many."""
    ancestors = (*source.ancestors, source.generation)
    check_ancestors(ancestors)
    return ancestors


def restore(source: EventLog, target: EventLog, *, timeout_s: float) -> int:
    """Append all records of `source` to `target`, which must be new, and return how many; nobody else may write.

    `timeout_s` bounds each append. Raises: InvalidInput when `target` is not a log for them; as `EventLog.append`,
    after which `target` must be deleted: a record may be missing, or there twice.
    """
    check_target(source, target)
    restored = 0
    for partition in range(source.partitions):
        for batch in _batches(restored_records(source, partition)):
            target.append(batch, timeout_s=timeout_s)
            restored += len(batch)
    return restored


def check_target(source: EventLog, target: EventLog) -> None:
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


def restored_records(source: EventLog, partition: int) -> Iterator[NewRecord]:
    """The records of one partition as they are appended to a log with `ancestors_after(source)`, in order."""
    ancestors, time_us, after = ancestors_after(source), 0, BEFORE_FIRST
    while records := source.read(partition, after=after):
        for record in records:
            if ancestors_in(record) is None:
                first = first_written(record, source.ancestors)
                time_us = max(time_us, first.time_us)
                yield _restored(record, first, time_us, ancestors)
        after = records[-1].position.offset


def _restored(record: Record, first: FirstWritten, time_us: int, ancestors: tuple[str, ...]) -> NewRecord:
    position = first.position
    place = f"{ancestors[position.epoch]}/{position.partition}/{position.offset}"
    original = (
        (headers.ORIGINAL_POSITION, place.encode()),
        (headers.ORIGINAL_TIME, b"%d" % time_us),
        (headers.ORIGINAL_APPEND_TIME, b"%d" % first.append_us),
    )
    return NewRecord(record.key, record.payload, (*first.headers, *original), position.partition)


def _batches(records: Iterator[NewRecord]) -> Iterator[list[NewRecord]]:
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
