"""Maintenance of a whole store: rebuild its projection by a replay."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from headwater_consumer.database import Database
from headwater_consumer.maintenance.collected import note_seen
from headwater_consumer.writing.replay import ReplayResult, replay
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import EventLog, identity_of
from headwater_schemas.archive_files import COLLECTIONS_PREFIX
from headwater_schemas.errors import HeadwaterError

from headwater_stores.access import first_obstacle
from headwater_stores.archive_places import place_beside_content
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.folder import check_store, databases_of
from headwater_stores.projection_files import projection_file, projection_folder, remove_projection, switch_projection
from headwater_stores.telling.progress import Progress


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result of a replay, as text and as JSON."""

    replayed: ReplayResult
    old_error: str | None  # why the old projection could not be read
    replaced: bool

    @property
    def ok(self) -> bool:
        """Whether the projection in use is now what the log says."""
        return self.replayed.same or self.replaced

    def lines(self) -> Iterator[str]:
        """The lines to print."""
        yield f"{self.replayed.records:,} events replayed"
        yield f"new: {self.replayed.new}"
        if self.old_error is not None:
            yield f"old: cannot be read: {self.old_error}"
        else:
            yield f"old: {self.replayed.old}"
            yield "The two are the same." if self.replayed.same else f"They differ in {self._where()}."
        if self.replaced:
            yield "The new projection is in place. Running processes keep using the old one until they end."
        elif not self.ok:
            yield "`headwater replay --replace` replaces the old projection with the new one."

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "records": self.replayed.records,
            "new": self.replayed.new,
            "old": self.replayed.old,
            "same": self.replayed.same,
            "differing": list(self.replayed.differing),
            "old_error": self.old_error,
            "replaced": self.replaced,
        }

    def _where(self) -> str:
        return ", ".join(self.replayed.differing)


def replay_store(*, replace: bool) -> ReplayReport:
    """Rebuild the projection of the configured store from its log, and compare it; `replace` puts it in use.

    Raises: StoreUnavailable, StoreNotOurs, FormatTooNew, StoreReadOnly.
    """
    settings = read_settings()
    with contextlib.ExitStack() as opened:
        swap = _server_swap(settings.profile) if settings.profile is not None else _FolderProjectionSwap(settings.store)
        log = swap.open_log(opened)
        old, old_error = _old_projection(swap, opened)
        replaced = False
        try:
            new = swap.open_new()
            with contextlib.closing(new):
                new.bind_to_log(identity_of(log))
                replayed = _replay_with_progress(log, new, old, quiet=settings.quiet)
            if replace:
                _note_seen(settings, old)
                swap.replace()
                replaced = True
            return ReplayReport(replayed, old_error, replaced=replaced)
        finally:
            if not replaced:
                swap.remove_new()


def _note_seen(settings: Settings, old: Database | None) -> None:
    """What the old projection has of the log: it may be more than the log that takes its place."""
    if old is not None:
        with contextlib.closing(place_beside_content(settings, COLLECTIONS_PREFIX)) as place:
            note_seen(place, old)


class _ProjectionSwap(Protocol):
    """Builds a new projection beside the current one, and puts it in its place."""

    def open_log(self, opened: contextlib.ExitStack) -> EventLog: ...

    def open_old(self) -> Database: ...

    def open_new(self) -> Database: ...

    def replace(self) -> None:
        """Make the new projection the current one."""
        ...

    def remove_new(self) -> None: ...


class _FolderProjectionSwap:
    def __init__(self, folder: Path) -> None:
        check_store(folder)
        self._folder = folder
        self._new_file = projection_folder(folder) / f"projection-{uuid.uuid4().hex}.db"

    def open_log(self, opened: contextlib.ExitStack) -> EventLog:
        read_only = first_obstacle(self._folder, databases_of(self._folder)) is not None
        log = EmbeddedEventLog.open(self._folder / "log", create=False, read_only=read_only)
        opened.callback(log.close)
        return log

    def open_old(self) -> Database:
        return Database.open_sqlite(projection_file(self._folder), create=False)

    def open_new(self) -> Database:
        return Database.open_sqlite(self._new_file)

    def replace(self) -> None:
        switch_projection(self._folder, self._new_file.name)

    def remove_new(self) -> None:
        remove_projection(self._new_file)


def _server_swap(profile: Profile) -> _ProjectionSwap:
    from headwater_stores.servers import ServerProjectionSwap  # deferred: kafka, minio

    return ServerProjectionSwap(profile)


def _old_projection(swap: _ProjectionSwap, opened: contextlib.ExitStack) -> tuple[Database | None, str | None]:
    try:
        old = swap.open_old()
    except HeadwaterError as error:
        return None, str(error)
    opened.callback(old.close)
    return old, None


def _replay_with_progress(log: EventLog, new: Database, old: Database | None, *, quiet: bool) -> ReplayResult:
    with Progress("replaying", total=1, unit="", quiet=quiet) as progress:
        return replay(log, new, old, progress=progress.report)
