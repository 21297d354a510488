"""Restore an archive into a log of a folder without making an object of each record, which would take most of the time.

What becomes of a record is what `writing.restore` says; a test holds both to the same.
"""

from collections.abc import Callable, Iterator

from headwater_eventlog.ancestry import KEY
from headwater_eventlog.new_embedded import NewEmbeddedLog, PackedRecord
from headwater_eventlog.port import RECORDS_PER_APPEND_MAX, Record
from headwater_schemas import header_block, headers
from headwater_schemas.positions import Position

from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.writing.restore import BYTES_PER_APPEND, NOTHING, as_restored, check_target


def restore_archive(source: ArchivedLog, target: NewEmbeddedLog, *, progress: Callable[[int], None]) -> int:
    """Append all records of `source` to `target`, and return how many; `progress` gets those of each append.

    Raises: InvalidInput when `target` is not a log for them; as `ArchivedLog.read` and `NewEmbeddedLog.append_packed`.
    """
    check_target(source, target.identity)
    packed = _packed_of_restored if source.ancestors else _packed
    restored = 0
    for partition in range(source.partitions):
        for batch in _batches(packed(source, partition)):
            target.append_packed(batch)
            restored += len(batch)
            progress(len(batch))
    return restored


def _packed(source: ArchivedLog, partition: int) -> Iterator[list[PackedRecord]]:
    """Of a log that was not restored itself: each record was first written where it is."""
    place, time_us, added = f"{source.generation}/{partition}/".encode(), 0, headers.ORIGINAL
    for block in source.fields(partition):
        packed: list[PackedRecord] = []
        for offset, append_us, key, payload, names, values in block:
            if key == KEY and headers.ANCESTORS in names:  # no event
                continue
            time_us = max(time_us, append_us)
            original = b"%s%d" % (place, offset), b"%d" % time_us, b"%d" % append_us
            packed.append((key, header_block.pack_columns((*names, *added), (*values, *original)), payload))
        yield packed


def _packed_of_restored(source: ArchivedLog, partition: int) -> Iterator[list[PackedRecord]]:
    """Of a log that was restored: where a record was first written is for `as_restored` to find out."""
    reached, epoch = NOTHING, len(source.ancestors)
    for block in source.fields(partition):
        records = [
            Record(Position(epoch, partition, offset), append_us, key, payload, tuple(zip(names, values, strict=True)))
            for offset, append_us, key, payload, names, values in block
        ]
        restored, reached = as_restored(source, records, reached)
        yield [(new.key, header_block.pack(new.headers), new.payload) for new in restored]


def _batches(blocks: Iterator[list[PackedRecord]]) -> Iterator[list[PackedRecord]]:
    """Blocks, together as much as one append takes."""
    batch: list[PackedRecord] = []
    size = 0
    for block in blocks:
        block_size = sum([len(payload) for _, _, payload in block])
        if batch and (len(batch) + len(block) > RECORDS_PER_APPEND_MAX or size + block_size > BYTES_PER_APPEND):
            yield batch
            batch, size = [], 0
        batch += block
        size += block_size
    if batch:
        yield batch
