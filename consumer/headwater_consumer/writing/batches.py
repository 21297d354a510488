"""Batches: records of one partition each, and how many of them one transaction takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headwater_eventlog.port import Record
from headwater_schemas.errors import HeadwaterError, UnknownSchema

from headwater_consumer.projector import DecodedRecord
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing.decoding import decode_records
from headwater_consumer.writing.log_check import record_hash

BYTES_PER_BATCH_MAX = 8 * 1024 * 1024  # of payloads, of all partitions; decoded they take some ten times as much


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition that follow its cursor."""

    cursor: LogPositionRow
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch."""

    cursor: LogPositionRow  # the projection's now, as far as this projector knows
    count: int = 0  # how many records were applied, from the first one on
    stopped: HeadwaterError | None = None  # why the record after these cannot be applied


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """The first records of a batch, as far as they can be decoded."""

    cursor: LogPositionRow
    records: Sequence[DecodedRecord]
    count: int  # of records on the log
    after: LogPositionRow  # the cursor once they are applied
    unknown: UnknownSchema | None  # why they end before the batch does

    @property
    def partition(self) -> int:
        return self.cursor.partition


def bounded(batches: Sequence[Batch]) -> list[Batch]:
    """The first records of `batches`, as many as one transaction should hold, and one at least.

    Small batches come first, so that a small commit does not wait for a large one of another partition.
    """
    found: list[Batch] = []
    room = BYTES_PER_BATCH_MAX
    for batch in sorted(batches, key=lambda one: _size(one.records)):
        records = _within(batch.records, room) or batch.records[: 0 if found else 1]
        if records or not batch.records:
            found.append(replace(batch, records=records))
        room -= _size(records)
    return found


def _within(records: Sequence[Record], room: int) -> Sequence[Record]:
    for i, record in enumerate(records):
        room -= len(record.payload)
        if room < 0:
            return records[:i]
    return records


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.payload) for record in records)


def decoded(batch: Batch, ancestors: Sequence[str]) -> DecodedBatch:
    """Raises: as `decode_records`."""
    cursor = batch.cursor
    found = decode_records(batch.records, cursor.time_us, ancestors)
    after = cursor
    if found.read:
        last = batch.records[found.read - 1]
        time_us = found.records[-1].time_us if found.records else cursor.time_us
        after = replace(cursor, offset=last.position.offset, time_us=time_us, record=record_hash(last))
    return DecodedBatch(cursor, found.records, found.read, after, found.unknown)
