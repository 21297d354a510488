"""Work on a whole store."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from headwater_consumer.database import Database
from headwater_consumer.queries.contents import contents
from headwater_consumer.replay import Replayed, replay
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import BlobCorrupt, BlobMissing, HeadwaterError

from headwater._config.profile import Profile
from headwater._config.settings import read_settings
from headwater._progress import Progress
from headwater._stores.folder import (
    check_store,
    point_to_projection,
    projection_file,
    projection_folder,
    remove_projection,
)
from headwater._stores.stores import Stores


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay found, for people and for programs."""

    replayed: Replayed
    trouble: str | None  # why the old projection could not be read
    replaced: bool

    @property
    def well(self) -> bool:
        """Whether nothing is left to be done."""
        return self.replayed.same or self.replaced

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.replayed.records:,} events replayed"
        yield f"new: {self.replayed.new}"
        if self.trouble is not None:
            yield f"old: cannot be read: {self.trouble}"
        else:
            yield f"old: {self.replayed.old}"
            yield "The two are the same." if self.replayed.same else f"They differ in {self._where()}."
        if self.replaced:
            yield "The new projection is in place. Processes that are running go on with the old one until they end."
        elif not self.well:
            yield "`headwater replay --replace` puts the new one in place of the old one."

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "records": self.replayed.records,
            "new": self.replayed.new,
            "old": self.replayed.old,
            "same": self.replayed.same,
            "differing": list(self.replayed.differing),
            "trouble": self.trouble,
            "replaced": self.replaced,
        }

    def _where(self) -> str:
        return ", ".join(self.replayed.differing)


def replay_store(*, replace: bool) -> ReplayReport:
    """Build the projection of the store that the settings name anew, and compare it; `replace` puts it in place.

    Raises: StoreUnavailable, StoreNotOurs, FormatTooNew, StoreReadOnly.
    """
    settings = read_settings()
    with contextlib.ExitStack() as opened:
        place = _of_servers(settings.profile) if settings.profile is not None else _InFolder(settings.store)
        log = place.open_log(opened)
        old, trouble = _old_projection(place, opened)
        kept = False
        try:
            new = place.open_new()
            with contextlib.closing(new):
                new.remember_log(log.generation, log.partitions)
                replayed = _replay_with_progress(log, new, old, quiet=settings.quiet)
            if replace:
                place.replace()
                kept = True
            return ReplayReport(replayed, trouble, replaced=replace)
        finally:
            if not kept:
                place.remove_new()


class _Place(Protocol):
    """Where a projection is, and another one can be built beside it."""

    def open_log(self, opened: contextlib.ExitStack) -> EventLog: ...

    def open_old(self) -> Database: ...

    def open_new(self) -> Database: ...

    def replace(self) -> None:
        """The new one takes the place of the old one."""
        ...

    def remove_new(self) -> None: ...


class _InFolder:
    def __init__(self, folder: Path) -> None:
        check_store(folder)
        self._folder = folder
        self._new_file = projection_folder(folder) / f"projection-{uuid.uuid4().hex}.db"

    def open_log(self, opened: contextlib.ExitStack) -> EventLog:
        read_only = not os.access(self._folder, os.W_OK)
        log = EmbeddedEventLog.open(self._folder / "log", create=False, read_only=read_only)
        opened.callback(log.close)
        return log

    def open_old(self) -> Database:
        return Database.open_sqlite(projection_file(self._folder), create=False)

    def open_new(self) -> Database:
        return Database.open_sqlite(self._new_file)

    def replace(self) -> None:
        point_to_projection(self._folder, self._new_file.name)

    def remove_new(self) -> None:
        remove_projection(self._new_file)


def _of_servers(profile: Profile) -> _Place:
    from headwater._stores.servers import ProjectionOnServers

    return ProjectionOnServers(profile)


def missing_objects(stores: Stores) -> list[str]:
    """Objects that versions name and that are not there, by name. Cost: reads every entry, looks for each object."""
    named = {place.object_name for page in contents(stores.database) for place, _ in page}
    return sorted(named - stores.blobs.have(named))


def damaged_objects(stores: Stores) -> list[str]:
    """Objects that hold other bytes than what was recorded, by name. Cost: reads all content."""
    damaged: set[str] = set()
    for page in contents(stores.database):
        for place, digest in page:
            try:
                for _ in stores.blobs.stream(place, digest):
                    pass
            except BlobMissing:
                continue  # told apart from what is damaged
            except BlobCorrupt:
                damaged.add(place.object_name)
    return sorted(damaged)


def _old_projection(place: _Place, opened: contextlib.ExitStack) -> tuple[Database | None, str | None]:
    try:
        old = place.open_old()
    except HeadwaterError as error:
        return None, str(error)
    opened.callback(old.close)
    return old, None


def _replay_with_progress(log: EventLog, new: Database, old: Database | None, *, quiet: bool) -> Replayed:
    with Progress("replaying", total=1, unit="", quiet=quiet) as progress:
        return replay(log, new, old, progress=progress.of)
