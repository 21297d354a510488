"""Archive the log of a store, into its own blob store or to any other folder or bucket, and trim what is archived."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archiver import Archived, archive_log
from headwater_consumer.archive.checking import Checked, check_archive
from headwater_consumer.archive.survivors import projected_offsets
from headwater_consumer.archive.trimming import Trimmed, trim_log
from headwater_eventlog.port import EventLog, LogIdentity, identity_of
from headwater_runtime.durations import format_seconds
from headwater_runtime.garbage import OF_A_COMMAND, rare_collections
from headwater_schemas.errors import InvalidSettings, StoreNotAnswering

from headwater_stores.archive_places import note_archive, place_of
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.owners import owner_of
from headwater_stores.parts import once_reachable, open_content, open_log
from headwater_stores.telling.progress import Progress, counted, format_bytes, notify

LEFT_S = 24 * 3600.0  # far longer than it takes to put a file; what is older, a killed archiver left


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What one run of `archive_store` added, and deleted from the log."""

    archive: str  # its URL
    log: str  # the log's generation
    added: Archived
    trimmed: Trimmed | None = None  # None where nothing was to be

    @property
    def is_news(self) -> bool:
        """Whether anything was done."""
        return bool(self.added.records or (self.trimmed and self.trimmed.offsets))

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        added = self.added
        return {
            "archive": self.archive,
            "log": self.log,
            "files": added.files,
            "records": added.records,
            "bytes": added.size,
            "trimmed": None if self.trimmed is None else self.trimmed.offsets,
            "behind": [] if self.trimmed is None else self.trimmed.behind,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        added = self.added
        if added.records:
            what = f"{counted(added.records, 'event')} in {counted(added.files, 'file')}, {format_bytes(added.size)}"
            yield f"archived {what}, to {self.archive}"
        else:
            yield f"nothing new; everything up to now is in {self.archive}"
        if self.trimmed is not None:
            yield self._deleted(self.trimmed)
            if self.trimmed.behind:
                kept = ", ".join(map(str, self.trimmed.behind))
                yield f"kept more of partitions {kept}: it is not projected yet"

    def _deleted(self, trimmed: Trimmed) -> str:
        if not trimmed.offsets:
            return "nothing to delete from Kafka"
        events, files = counted(trimmed.offsets, "event"), counted(trimmed.files, "file")
        return (
            f"deleted {events} from Kafka, after {files} with them {'was' if trimmed.files == 1 else 'were'} read back"
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of an archive found."""

    archive: str  # its URL
    log: str  # the log's generation
    checked: Checked

    @property
    def ok(self) -> bool:
        """Whether the archive is what it should be; it may be behind the log."""
        return not self.checked.problems

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {"archive": self.archive, "log": self.log, **asdict(self.checked)}

    def lines(self) -> Iterator[str]:
        """For people."""
        checked = self.checked
        yield from checked.problems
        read = f"read {counted(checked.files, 'file')} with {counted(checked.records, 'event')} in {self.archive}"
        yield f"{read}: all are as they were archived" if self.ok and checked.files else read
        if checked.behind:
            yield f"{counted(checked.behind, 'event')} of the log not archived yet"


def archive_store(target: str | None, *, keep_s: float | None = None) -> ArchiveReport:
    """Archive what the log of the configured store has and its archive lacks.

    `target`: a folder or `s3://bucket/prefix`; None for the store's own blob store. With `keep_s`, what is older is
    deleted from the log, which must be on servers, once it is archived, verified and projected. Raises:
    InvalidSettings; StoreMissing, StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew; RecordsGone;
    ContentError.
    """
    with _opened(target, create=True, trims=keep_s is not None) as (settings, log, archive):
        _prepare(archive)
        return _archived(settings, log, archive, keep_s, _unwatched)


def follow_store(
    target: str | None,
    *,
    pause_s: float,
    stop: threading.Event,
    told: Callable[[ArchiveReport], None],
    keep_s: float | None = None,
) -> None:
    """As `archive_store`, again after each pause, until `stop` is set; then it ends after the file in hand.

    `told` gets what was done, where anything was. Servers that are away are waited for. Raises: as `archive_store`.
    """

    def check_stop() -> None:
        if stop.is_set():
            raise _Stopped

    opened = _opened(target, create=True, trims=keep_s is not None)
    with opened as (settings, log, archive), suppress(_Stopped):
        _prepare(archive)
        while not stop.is_set():
            try:
                report = _archived(settings, log, archive, keep_s, check_stop)
                if report.is_news:
                    told(report)
            except StoreNotAnswering as error:
                notify(f"{error} Archiving goes on in {format_seconds(pause_s)}.")
            stop.wait(pause_s)


def check_archive_of_store(target: str | None) -> CheckReport:
    """Read all that an archive has of the log of the configured store. Raises: as `archive_store`."""
    with (
        _opened(target, create=False) as (settings, log, archive),
        Progress("checking", total=1, unit="", quiet=settings.quiet) as progress,
    ):
        return CheckReport(archive.url, log.generation, check_archive(log, archive, progress=progress.report))


def _prepare(archive: Archive) -> None:
    archive.place.reclaim(idle_s=LEFT_S)
    archive.put_schemas()


class _Stopped(Exception):
    """Ends archiving after a file. Never leaves this module."""


def _unwatched() -> None:
    """For an archiver that ends by itself."""


def _archived(
    settings: Settings, log: EventLog, archive: Archive, keep_s: float | None, check_stop: Callable[[], None]
) -> ArchiveReport:
    with _reported(settings, "archiving", check_stop) as report, rare_collections(OF_A_COMMAND):
        added = archive_log(log, archive, progress=report)
    if keep_s is None:
        return ArchiveReport(archive.url, log.generation, added)
    assert settings.profile is not None
    with _reported(settings, "trimming", check_stop) as report:
        trimmed = _trim(settings.profile, identity_of(log), archive, keep_s, report)
    return ArchiveReport(archive.url, log.generation, added, trimmed)


def _trim(
    profile: Profile, identity: LogIdentity, archive: Archive, keep_s: float, report: Callable[[int, int], None]
) -> Trimmed:
    """Raises: as `trim_log`."""
    from headwater_stores.kafka_logs import open_kafka_log  # deferred: kafka
    from headwater_stores.servers import open_database  # deferred: kafka, psycopg

    with closing(open_database(profile, create=False)) as database:
        projected = projected_offsets(database, identity.generation)
    with closing(open_kafka_log(profile, create=False, expect=identity)) as log:
        return trim_log(
            log,
            archive,
            projected,
            before_us=time.time_ns() // 1000 - int(keep_s * 1_000_000),
            remember=partial(note_archive, profile, identity.generation, archive.url),
            progress=report,
        )


@contextmanager
def _reported(settings: Settings, what: str, check_stop: Callable[[], None]) -> Iterator[Callable[[int, int], None]]:
    with Progress(what, total=1, unit="", quiet=settings.quiet) as progress:

        def report(done: int, total: int) -> None:
            progress.report(done, total)
            check_stop()

        yield report


@contextmanager
def _opened(target: str | None, *, create: bool, trims: bool = False) -> Iterator[tuple[Settings, EventLog, Archive]]:
    """Raises: as `archive_store`."""
    settings = read_settings()
    if trims and settings.profile is None:
        raise InvalidSettings(
            f"{settings.store} has its log in one file, from which nothing is deleted: it is small beside the content, "
            "and read without an archive. --trim is for the log of servers; set HEADWATER_URL to a profile."
        )
    with (
        closing(once_reachable(settings, lambda: open_log(settings))) as log,
        closing(once_reachable(settings, lambda: place_of(settings, target))) as place,
    ):
        if target is None:  # the archive is to be among the content of this log
            once_reachable(settings, lambda: open_content(settings, owner=owner_of(log))).close()
        yield settings, log, Archive.open(place, create=create)
