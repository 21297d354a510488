"""What an archive has of one log, read as a log, so that it can be restored into a new one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from headwater_eventlog.checks import check_partition
from headwater_eventlog.port import RECORDS_PER_READ_MAX, NewRecord, Record
from headwater_schemas.errors import BlobCorrupt, InvalidInput, StoreMissing, StoreReadOnly, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_consumer.archive.archive import Archive, in_sequence
from headwater_consumer.archive.manifests import RESTORE, Manifest
from headwater_consumer.archive.records import ReadingOn, fields_of, records_after

if TYPE_CHECKING:  # deferred: fastavro
    from headwater_consumer.archive.avro_records import Fields

GAPS_NAMED_MAX = 10  # in a message


class ArchivedLog:
    """An `EventLog` to which nothing can be appended. Open it with `open`. For one thread."""

    def __init__(self, archive: Archive, files: Mapping[int, Sequence[Manifest]]) -> None:
        """`files`: by partition, in order, without gaps; of one log."""
        first = next(manifest for manifests in files.values() for manifest in manifests)
        self.generation, self.partitions, self.ancestors = first.generation, first.partitions, first.ancestors
        self._archive = archive
        self._files = files
        self._reading = ReadingOn()

    @classmethod
    def open(cls, archive: Archive, generation: str | None) -> "ArchivedLog":
        """The log `generation`, which may be left out where there is one. Cost: reads all its manifests.

        Raises: StoreMissing, InvalidInput; StoreUnavailable naming the records that are missing; BlobCorrupt.
        """
        generation = _one_of(archive, generation)
        names = archive.names(generation)
        if gaps := archive.gaps(names):
            more = f" and {len(gaps) - GAPS_NAMED_MAX:,} more" if len(gaps) > GAPS_NAMED_MAX else ""
            raise StoreUnavailable(
                f"{archive.url} lacks {', '.join(map(str, gaps[:GAPS_NAMED_MAX]))}{more} of log {generation}. Nothing "
                "was restored. Put the files with them back from another copy; or run `headwater archive` again, if "
                "the log still has them."
            )
        manifests = [archive.manifest(name) for name in in_sequence(names)]
        other = next((one for one in manifests if one.log != manifests[0].log), None)
        if other is not None:
            raise BlobCorrupt(f"{other.name.path} in {archive.url} contradicts other manifests of its log. {RESTORE}")
        return cls(archive, {n: list(found) for n, found in groupby(manifests, key=lambda one: one.partition)})

    @property
    def records(self) -> int:
        """How many there are; those that are in two files count twice."""
        return sum(manifest.records for manifest in self._manifests())

    def verify(self, progress: Callable[[int], None]) -> None:
        """Read every file; `progress` gets the records of each. Raises: BlobMissing, BlobCorrupt, StoreUnavailable."""
        for manifest in self._manifests():
            self._archive.records_of(manifest)
            progress(manifest.records)

    def partition_of(self, key: str) -> int:
        """Not known: the log that it was decides."""
        raise AssertionError(f"an archive gives {key!r} no partition")

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:  # noqa: ARG002 - the port's
        """As the port says. Raises: StoreReadOnly."""
        raise StoreReadOnly(f"{len(records):,} records cannot be appended to the archive {self._archive.url}.")

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        """As the port says; reading on where the last read ended costs least. Raises: BlobMissing, BlobCorrupt."""
        check_partition(partition, self.partitions)
        files = self._files.get(partition, ())
        return self._reading.read(partition, after, limit, lambda: records_after(self._archive, files, after))

    def fields(self, partition: int) -> "Iterator[Sequence[Fields]]":
        """All records of a partition, some at a time, not as objects. Raises: as `read`."""
        return fields_of(self._archive, self._files.get(partition, ()))

    def end(self, partition: int) -> int:
        """As the port says."""
        check_partition(partition, self.partitions)
        files = self._files.get(partition)
        return files[-1].last_offset if files else BEFORE_FIRST

    def ends(self) -> Mapping[int, int]:
        """As the port says."""
        return {partition: self.end(partition) for partition in range(self.partitions)}

    def close(self) -> None:
        """The place is closed by its owner."""

    def _manifests(self) -> Iterator[Manifest]:
        return (manifest for manifests in self._files.values() for manifest in manifests)


def _one_of(archive: Archive, generation: str | None) -> str:
    """Raises: StoreMissing, InvalidInput."""
    found = archive.generations()
    if generation is None and len(found) == 1:
        return found[0]
    if not found:
        raise StoreMissing(f"the archive {archive.url} has no events yet.")
    if generation is None:
        raise InvalidInput(
            f"{archive.url} has {len(found)} logs: {', '.join(found)}. Say which one with --log; the manifests say "
            "when each was written."
        )
    if generation not in found:
        raise InvalidInput(f"{archive.url} has no log {generation!r}. It has {', '.join(found)}.")
    return generation
