"""Restore an archive into a new log: that of a folder, or the topic of a profile."""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.survivors import Missing, missing_after, projected_logs
from headwater_runtime.garbage import OF_A_COMMAND, rare_collections

from headwater_stores.archive_places import place_of
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.new_logs import NewFolderLog, NewLog
from headwater_stores.parts import once_reachable
from headwater_stores.telling.progress import Progress, counted


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored."""

    archive: str  # its URL
    log: str  # generation of the log that was archived
    new_log: str  # generation of the log that has its records now
    records: int
    replay: bool  # whether the projection of the log before is in the place of that of this one
    missing: tuple[Missing, ...]  # what that projection knows and the archive lacks

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"restored {counted(self.records, 'event')} of log {self.log} from {self.archive}, as log {self.new_log}"
        yield from map(str, self.missing)
        if self.replay:
            yield "The projection still is of the log before: run `headwater replay --replace` before anything else."


def restore_log(target: str, generation: str | None) -> RestoreReport:
    """Restore the records of an archive into the configured store, which must have no log, or part of this one.

    `generation`: of the log, where the archive has several. All is verified before anything is written. Raises:
    InvalidSettings, InvalidInput; StoreMissing, StoreUnavailable, StoreReadOnly; StoreNotOurs where there is a log;
    BlobMissing, BlobCorrupt.
    """
    settings = read_settings()
    new_log = _new_log(settings)
    with closing(once_reachable(settings, lambda: place_of(settings, target))) as place:
        source = ArchivedLog.open(Archive.open(place, create=False), generation)
        new_log.check(source)
        with Progress("verifying", total=source.records, unit="", quiet=settings.quiet) as progress:
            source.verify(progress.advance)
        projected, missing = _known_of(new_log, source)
        with rare_collections(OF_A_COMMAND):
            restored = new_log.restore(source)
        replay = new_log.keeps_projection and bool(projected) and restored.generation not in projected
        return RestoreReport(place.url, source.generation, restored.generation, restored.records, replay, missing)


def _new_log(settings: Settings) -> NewLog:
    if settings.profile is None:
        return NewFolderLog(settings)
    from headwater_stores.new_topic import NewTopic  # deferred: kafka

    return NewTopic(settings, settings.profile)


def _known_of(new_log: NewLog, source: ArchivedLog) -> tuple[Collection[str], tuple[Missing, ...]]:
    """The logs that a projection which is there is of, and what it knows that is missing."""
    survivor = new_log.survivor()
    if survivor is None:
        return (), ()
    with closing(survivor):
        return projected_logs(survivor), tuple(missing_after(source, survivor))
