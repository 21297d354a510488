"""A log that does not exist yet, into which the records of another one are restored: that of a folder.

It is made beside its place, and put there when all records are in it: a restore that is killed leaves no log.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.packed_restore import restore_archive
from headwater_consumer.database import Database
from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.log_file import LOG_FILE, PARTITIONS
from headwater_eventlog.new_embedded import filled
from headwater_runtime.files import make_folders, sync_folder
from headwater_runtime.lock_files import hold_new
from headwater_schemas.errors import InvalidInput, StoreError, StoreNotOurs, StoreUnavailable

from headwater_stores.config.settings import Settings
from headwater_stores.folder import check_store
from headwater_stores.projection_files import projection_file, projection_folder
from headwater_stores.telling.progress import Progress
from headwater_stores.telling.waiting import telling

_LOG, _UNFINISHED = "log", "log-restoring"
LOCKS_MAX = 100  # that were removed while this process waited for them


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    generation: str  # of the log that has the records now
    records: int  # that it lacked


class NewLog(Protocol):
    """Where a log is restored to."""

    keeps_projection: bool  # whether a projection that is there stays in its place

    def check(self, source: ArchivedLog) -> None:
        """Raises: StoreNotOurs where there is a log; InvalidInput for too many partitions or ancestors."""
        ...

    def survivor(self) -> Database | None:
        """The projection that is there, if one is that can be read."""
        ...

    def restore(self, source: ArchivedLog) -> Restored:
        """Restore the records of an archive. Raises: as `check`; StoreUnavailable, StoreReadOnly, StoreFull."""
        ...


@dataclass(frozen=True)
class NewFolderLog:
    """A `NewLog`. A projection of the log before is put aside, so that a new one is made."""

    settings: Settings
    keeps_projection = False

    def check(self, source: ArchivedLog) -> None:
        """As `NewLog` says."""
        ancestors_after(source)  # which raises where they are too many
        if source.partitions != PARTITIONS:
            raise InvalidInput(
                f"the archived log has {source.partitions} partitions, and that of a folder has one: keys would lose "
                "their order. Set HEADWATER_URL to a profile, and restore it there."
            )
        if (self._folder / _LOG / LOG_FILE).exists():
            raise StoreNotOurs(
                f"{self._folder} has a log, and records are restored into a new one only. Nothing was changed; set "
                "HEADWATER_URL to another folder, or move STORE/log away if it is not needed any more."
            )

    def survivor(self) -> Database | None:
        """As `NewLog` says."""
        with suppress(StoreError):
            return Database.open_sqlite(projection_file(self._folder), create=False, read_only=True)
        return None

    def restore(self, source: ArchivedLog) -> Restored:
        """As `NewLog` says."""
        check_store(self._folder, create=True)
        unfinished = self._folder / _UNFINISHED
        with alone(self._folder / f"{_UNFINISHED}.lock"):
            self.check(source)  # again: another process may have restored it meanwhile
            with (
                filled(unfinished, ancestors=ancestors_after(source)) as log,  # in place of that of a killed restore
                Progress("restoring", total=source.records, unit="", quiet=self.settings.quiet) as progress,
            ):
                restored = Restored(log.identity.generation, restore_archive(source, log, progress=progress.advance))
            FolderBlobStore.open(self._folder / "blobs").close()  # with the log, the store has all that readers need
            self._put_in_place(unfinished, restored.generation)
        return restored

    @property
    def _folder(self) -> Path:
        return self.settings.store

    def _put_in_place(self, unfinished: Path, generation: str) -> None:
        place, projection = self._folder / _LOG, projection_folder(self._folder)
        try:
            if projection_file(self._folder).exists():
                os.rename(projection, projection.with_name(f"{projection.name}-before-{generation}"))
            make_folders(projection)
            os.rename(unfinished, place)  # also over a folder that is empty
            sync_folder(self._folder)
        except OSError as error:
            raise StoreNotOurs(
                f"the restored log cannot be put at {place}: {error.strerror}. Move what is there away, and restore "
                "again."
            ) from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for a block; another process that wants it waits. It is removed at the end."""
    with telling(lambda: f"the process that holds {path}"):
        lock = next((lock for _ in range(LOCKS_MAX) if (lock := hold_new(str(path))) is not None), None)
    if lock is None:
        raise StoreUnavailable(f"{path} is removed again and again. Does another process go on there? Try again.")
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
        lock.close()
