"""The records of one partition in an archive, file after file, read in portions."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from headwater_eventlog.port import BYTES_PER_READ_MAX, RECORDS_PER_READ_MAX, Record, RecordsGone
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.manifests import Manifest

if TYPE_CHECKING:  # deferred: fastavro
    from headwater_consumer.archive.avro_records import Fields


def records_after(archive: Archive, manifests: Iterable[Manifest], after: int) -> Iterator[Record]:
    """The records with a greater offset, each once, up to the first that is missing. `manifests` are in order.

    Memory: one file. Raises: BlobMissing, BlobCorrupt, StoreUnavailable.
    """
    from headwater_consumer.archive.containers import read_container  # deferred: fastavro

    for manifest in manifests:
        if manifest.after > after:
            return
        if manifest.last_offset > after:
            for record in read_container(archive.records_of(manifest), manifest, archive.url):
                if record.position.offset > after:  # else another file had it, too
                    after = record.position.offset
                    yield record


def fields_of(archive: Archive, manifests: Iterable[Manifest]) -> "Iterator[Sequence[Fields]]":
    """All records, each once, some at a time, not as objects. `manifests` are in order, without gaps. Else as above."""
    from headwater_consumer.archive.containers import read_blocks  # deferred: fastavro

    after = BEFORE_FIRST
    for manifest in manifests:
        is_new = manifest.first_offset > after
        for block in read_blocks(archive.records_of(manifest), manifest, archive.url):
            yield block if is_new else [fields for fields in block if fields[0] > after]
        after = max(after, manifest.last_offset)


class ReadingOn:
    """Reads a portion at a time: at no cost where the last one ended, else from the beginning of a file."""

    def __init__(self) -> None:
        self._stream: Iterator[Record] = iter(())
        self._next: tuple[Hashable, int] | None = None  # what the stream is of, and the offset after which it goes on

    def read(self, what: Hashable, after: int, limit: int, begin: Callable[[], Iterator[Record]]) -> list[Record]:
        """As `EventLog.read`, of the stream that `begin` gives for `what`. Raises: what that raises; RecordsGone only
        where no record comes before it.
        """
        if self._next != (what, after):
            self._stream = begin()
        self._next = None  # if this fails
        records: list[Record] = []
        try:
            self._take(records, max(0, min(limit, RECORDS_PER_READ_MAX)))
        except RecordsGone:
            if not records:
                raise
            return records
        self._next = what, records[-1].position.offset if records else after
        return records

    def _take(self, records: list[Record], limit: int) -> None:
        size = 0
        for record in islice(self._stream, limit):
            records.append(record)
            size += len(record.payload)
            if size >= BYTES_PER_READ_MAX:
                return
