"""Archive what a log has and its archive lacks. Interrupted and started again, it goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headwater_eventlog.port import EventLog, Record, RecordsGone, identity_of
from headwater_schemas.archive_files import ManifestName
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.containers import Portion, has_last_record, manifest_of, write_container
from headwater_consumer.archive.manifests import Manifest

ArchiveProgress = Callable[[int, int], None]  # distances in offsets: done, and in all


@dataclass(slots=True)
class Archived:
    """What one run added to an archive."""

    files: int = 0
    records: int = 0
    size: int = 0  # bytes of the files

    def add(self, manifest: Manifest) -> None:
        """Count a file."""
        self.files += 1
        self.records += manifest.records
        self.size += manifest.size


def archive_log(log: EventLog, archive: Archive, *, progress: ArchiveProgress) -> Archived:
    """Archive the records that `log` has now, and `archive` does not.

    Memory: one file, and what the log reads at once. Raises: RecordsGone when the log lacks records that the archive
    has, or has others; StoreUnavailable, StoreReadOnly. All that was archived until then stays.
    """
    names = archive.names(log.generation)
    last: dict[int, ManifestName] = {}
    for name in names:
        last[name.partition] = max(name, last.get(name.partition, name), key=lambda one: one.last)
    ends = log.ends()
    for name in last.values():
        _check_same(log, archive.manifest(name), ends[name.partition], archive)
    starts = {n: last[n].last if n in last else BEFORE_FIRST for n in ends}
    # What is missing in between, such as a damaged file that was deleted, comes last: the log may not have it any more.
    gaps = [(gap.partition, gap.first - 1, gap.last) for gap in archive.gaps(names)]
    ranges = [*((n, starts[n], end) for n, end in sorted(ends.items())), *gaps]
    done, total = 0, sum(end - after for _, after, end in ranges)
    archived = Archived()
    for partition, after, end in ranges:
        for manifest in _files(log, archive, partition, after=after, end=end):
            archived.add(manifest)
            done += manifest.last_offset - manifest.after
            progress(done, total)
    return archived


def _files(log: EventLog, archive: Archive, partition: int, *, after: int, end: int) -> Iterator[Manifest]:
    """Write one file after the other; each counts with its manifest."""
    identity = identity_of(log)
    records = _records(log, partition, after=after, end=end)
    while (first := next(records, None)) is not None:
        portion = Portion(first, records)
        content = write_container(portion, identity)
        manifest = manifest_of(portion, content, identity, after=after)
        archive.place.put(manifest.file, content)
        archive.place.put(manifest.name.path, manifest.to_json())
        yield manifest
        after = manifest.last_offset


def _records(log: EventLog, partition: int, *, after: int, end: int) -> Iterator[Record]:
    while after < end and (found := log.read(partition, after=after)):
        for record in found:
            if record.position.offset > end:
                return
            yield record
        after = found[-1].position.offset


def _check_same(log: EventLog, last: Manifest, end: int, archive: Archive) -> None:
    """Raises: RecordsGone when the log has lost the last record that was archived, or has another in its place."""
    offset = last.last_offset
    if end < offset:
        raise _lost(last, archive, f"ends at offset {end}, and was archived up to offset {offset}")
    if not has_last_record(log, last):
        raise _lost(last, archive, f"has another record at offset {offset} than the one that was archived")


def _lost(last: Manifest, archive: Archive, found: str) -> RecordsGone:
    return RecordsGone(
        f"partition {last.partition} of log {last.generation} {found}: an older copy of the log was put in its place. "
        f"Nothing was archived. Put the newer copy back, or `headwater restore-log {archive.url}` into a new store.",
        partition=last.partition,
    )
