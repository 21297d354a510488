"""Check an archive: its files against their manifests, and these against the log."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headwater_eventlog.port import EventLog, RecordsGone, identity_of
from headwater_schemas.errors import ContentError

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.containers import has_last_record, read_container
from headwater_consumer.archive.manifests import Manifest

PROBLEMS_MAX = 1000  # that are kept; the archive is no good then


@dataclass(slots=True)
class Checked:
    """What was found."""

    files: int = 0
    records: int = 0
    behind: int = 0  # offsets of the log that are not archived yet
    problems: list[str] = field(default_factory=list)  # for people, each naming its file


def check_archive(log: EventLog, archive: Archive, *, progress: Callable[[int, int], None]) -> Checked:
    """Read every file that an archive has of `log`. Raises: StoreUnavailable."""
    names, ends, checked = archive.names(log.generation), dict(log.ends()), Checked()
    last = dict.fromkeys(ends, -1)
    for n, name in enumerate(names, 1):
        try:
            manifest = archive.manifest(name)
            check_file(log, archive, manifest, ends[name.partition])
            checked.records += manifest.records
        except ContentError as error:
            checked.problems.append(str(error))
        checked.files += 1
        last[name.partition] = max(last.get(name.partition, -1), name.last)
        progress(n, len(names))
        if len(checked.problems) >= PROBLEMS_MAX:
            break
    if not checked.problems:  # else it is not known what the manifests say
        checked.problems += [f"{gap} are missing" for gap in archive.gaps(names)]
    checked.behind = sum(max(0, end - last[partition]) for partition, end in ends.items())
    return checked


def check_file(log: EventLog, archive: Archive, manifest: Manifest, end: int) -> None:
    """Read a file back, verify it by its manifest, and compare its last record with that of the log.

    `end`: of the log's partition. Raises: ContentError naming the file; StoreUnavailable.
    """
    for _ in read_container(archive.records_of(manifest), manifest, archive.url):
        pass  # its end verifies
    if manifest.log != identity_of(log):
        raise ContentError(
            f"{manifest.name.path} in {archive.url} says that its log is {manifest.log}, which it is not."
        )
    offset = manifest.last_offset
    try:
        is_there = offset <= end and has_last_record(log, manifest)
    except RecordsGone:  # they were deleted from the log's beginning: that is what an archive is for
        return
    if not is_there:
        raise ContentError(
            f"{manifest.name.path} in {archive.url} ends with another record than the log has at offset {offset} of "
            f"partition {manifest.partition}: an older copy of the log was put in its place."
        )
