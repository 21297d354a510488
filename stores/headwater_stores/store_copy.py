"""Copy a whole store into a new one, and follow it: same log, same contents."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from headwater_consumer.copying.named import Withdrawn, objects_named
from headwater_consumer.copying.objects import Copied, ObjectCopier
from headwater_consumer.writing.log_copy import LogCopy
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import InvalidSettings, StoreMissing

from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.copy_targets import opened_target
from headwater_stores.parts import once_reachable, open_content, open_log
from headwater_stores.telling.progress import Progress, counted, format_bytes


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What one run of `copy_store` added."""

    source: str  # its URL
    target: str  # its URL
    log: str  # generation of the copy's log
    records: int
    copied: Copied

    @property
    def ok(self) -> bool:
        """Whether all contents are there."""
        return not self.copied.lost

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        copied = self.copied
        return {
            "from": self.source,
            "to": self.target,
            "log": self.log,
            "events": self.records,
            "objects": copied.objects,
            "bytes": copied.size,
            "lost": copied.lost,
            "problems": copied.problems,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        copied = self.copied
        yield from copied.problems
        if copied.lost:
            yield f"{counted(copied.lost, 'content')} could not be copied"
        if not self.records:
            yield f"nothing new; {self.target} has all that {self.source} has"
            return
        size = format_bytes(copied.size)
        yield (
            f"copied {counted(self.records, 'event')} and {counted(copied.objects, 'object')} ({size}) from "
            f"{self.source} to {self.target}"
        )


def copy_store(source_url: str, target_url: str, *, without_lost: bool = False) -> CopyReport:
    """Copy what the store at one URL has and its copy at the other lacks; begin a copy where there is no store.

    `without_lost`: go on where the source has lost content or has it damaged, instead of ending there. Raises:
    InvalidSettings, InvalidInput; StoreMissing, StoreUnavailable, StoreReadOnly, StoreFull, StoreNotOurs, FormatTooNew;
    RecordsGone; BlobMissing, BlobCorrupt.
    """
    source, target = _settings("--from", source_url), _settings("--to", target_url)
    with (
        closing(once_reachable(source, lambda: _open_source_log(source))) as log,
        closing(once_reachable(source, lambda: open_content(source))) as blobs,
        opened_target(target, log) as place,
    ):
        copy = LogCopy(log, place.log)
        with Progress("copying", total=copy.offsets, unit="", quiet=source.quiet) as progress:
            objects = ObjectCopier(
                blobs,
                place.blobs,
                Withdrawn(log),
                name=source.url,
                without_lost=without_lost,
                watch=lambda _: progress.show(),
            )
            records = copy.run(
                timeout_s=target.wait_s,
                watch=progress.advance,
                before_append=lambda records: objects.bring(objects_named(records)),
            )
        return CopyReport(source.url, target.url, place.log.generation, records, objects.copied)


def _open_source_log(source: Settings) -> EventLog:
    try:
        return open_log(source)
    except StoreMissing as error:
        raise StoreMissing(f"there is no headwater store at {source.url}. Check --from.") from error


def _settings(option: str, url: str) -> Settings:
    settings = read_settings(url=url)
    if settings.server is not None:
        raise InvalidSettings(
            f"{option} names a server ({settings.url}), through which no whole store can be copied. Copy where that "
            "server runs, from or to the store behind it; or copy projects with --project."
        )
    return settings
