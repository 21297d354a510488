"""Delete from a log what an archive has for certain.

A record is deleted only when the file that has it was read back and verified in the same run, all before it is in the
same archive, it is projected, and it is older than what is kept. The last record of a partition always stays. Between
runs nothing is remembered but where the log begins: what was before that was verified when it was deleted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headwater_eventlog.port import TrimmableLog
from headwater_schemas.archive_files import ManifestName
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.archive.archive import Archive, in_sequence
from headwater_consumer.archive.checking import check_file

TrimProgress = Callable[[int, int], None]  # partitions done, and in all


@dataclass(slots=True)
class Trimmed:
    """What one run deleted."""

    offsets: int = 0  # numbers that the log does not have any more; about as many records
    files: int = 0  # of the archive that were read back for it
    behind: list[int] = field(default_factory=list)  # partitions that keep more because it is not projected


def trim_log(
    log: TrimmableLog,
    archive: Archive,
    projected: Mapping[int, int],
    *,
    before_us: int,
    remember: Callable[[], None],
    progress: TrimProgress,
) -> Trimmed:
    """Delete the records of all files that are older than `before_us`, microseconds since 1970 by the log's clock.

    `projected`: partition → offset of the last record that was. `remember` is called before anything is deleted: it
    lets readers of the log find the archive. Cost: reads every file with records that are deleted. Raises:
    StoreUnavailable naming what the archive lacks, after which nothing was deleted; ContentError naming a file that is
    damaged, after which nothing of its partition was; StoreReadOnly.
    """
    names = archive.names(log.generation)
    if gaps := archive.gaps(names):
        raise StoreUnavailable(
            f"{archive.url} lacks {gaps[0]} of log {log.generation}. Nothing was deleted. Put the file with them back "
            "from another copy of the archive."
        )
    begins, ends, trimmed = log.beginnings(), log.ends(), Trimmed()
    for n, (partition, end) in enumerate(sorted(ends.items()), 1):
        found = [name for name in names if name.partition == partition and name.last >= begins[partition]]
        stays = min(projected.get(partition, BEFORE_FIRST), end)  # the first that may not be deleted
        verified = _verified(log, archive, in_sequence(found), before_us=before_us, stays=stays, end=end)
        trimmed.files += verified.files
        if (begin := min(verified.begin, stays)) > begins[partition]:
            if not trimmed.offsets:
                remember()
            log.delete_before({partition: begin})
            trimmed.offsets += begin - begins[partition]
        if stays < min(verified.begin, end):
            trimmed.behind.append(partition)
        progress(n, len(ends))
    return trimmed


@dataclass(frozen=True, slots=True)
class _Verified:
    files: int
    begin: int  # the offset after the last record in them


def _verified(
    log: TrimmableLog, archive: Archive, names: list[ManifestName], *, before_us: int, stays: int, end: int
) -> _Verified:
    """The first files of a partition whose records all may go, read back. Raises: ContentError, StoreUnavailable."""
    files, begin = 0, BEFORE_FIRST
    for name in names:
        manifest = archive.manifest(name)
        if manifest.last_time_us >= before_us:
            break
        begin = name.last + 1
        if name.first >= stays:  # nothing of it may go; that it is old enough says what holds it up
            break
        check_file(log, archive, manifest, end)
        files += 1
    return _Verified(files, begin)
