"""Open the embedded store, which keeps log, blobs and projection in one folder.

STORE/headwater.json      marks the folder as a headwater store, with its format number
STORE/log/                the events; the only part that cannot be rebuilt
STORE/blobs/              the bytes
STORE/projection/         the database; `headwater replay --replace` rebuilds it
STORE/reserve             room for what frees room on a full disk, see `reserve`
"""

import json
import os
from pathlib import Path

from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.queries.reads import DirectReads
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.log_file import LOG_FILE
from headwater_runtime.closing import closed_on_failure
from headwater_runtime.files import is_temporary, make_folders, write_atomically
from headwater_runtime.shared_files import stat_if_there
from headwater_schemas.errors import FormatTooNew, StoreMissing, StoreNotOurs, StoreReadOnly, StoreUnavailable

from headwater_stores.access import first_obstacle
from headwater_stores.config.store_folder import MARKER, STORE_KIND
from headwater_stores.nothing import nothing_in
from headwater_stores.owners import owner_of
from headwater_stores.projection_files import lock_file, projection_file, projection_folder
from headwater_stores.reserve import make_reserve, reserve_released
from headwater_stores.stores import Stores

FORMAT = 1


def open_folder(folder: Path, *, create: bool) -> Stores:
    """Open the store in `folder`; create it if it is missing and `create` is set.

    Raises: StoreMissing, StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew.
    """
    check_store(folder, create=create)
    if not create and not any((folder / part).exists() for part in ("log", "blobs")):
        raise _missing(folder)  # another process is creating it, or was killed then
    identity = _identity(folder)
    obstacle = first_obstacle(folder, databases_of(folder))
    read_only = obstacle is not None
    create = create and not read_only
    with (
        closed_on_failure(EmbeddedEventLog.open(folder / "log", create=create, read_only=read_only)) as log,
        closed_on_failure(
            FolderBlobStore.open(folder / "blobs", create=create, read_only=read_only, owner=owner_of(log))
        ) as blobs,
    ):
        if not read_only:  # even without `create`: its creator may have been killed, and a projection may be deleted
            _create_folder(projection_folder(folder))
        database = Database.open_sqlite(projection_file(folder), create=not read_only, read_only=read_only)
    projection = EmbeddedProjection(log, database, lock_file(folder))
    return Stores(
        str(folder),
        log,
        blobs,
        database,
        DirectReads(database),
        projection,
        read_only,
        is_current=lambda: _identity(folder) == identity,
        reserve_released=lambda: reserve_released(folder),
        obstacle=None if obstacle is None else str(obstacle),
    )


def nothing_yet(folder: Path, missing: StoreMissing) -> Stores:
    """What a reader finds before there is a store in `folder`."""
    return nothing_in(str(folder), missing, is_current=lambda: _identity(folder) is None)


def databases_of(folder: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps for a store: the log, and the projection."""
    return folder / "log" / LOG_FILE, projection_file(folder)


def _identity(folder: Path) -> tuple[int, ...] | None:
    """Tells the store in a folder from one that replaces it; None where there is none, or it cannot be asked."""
    found = stat_if_there(folder / MARKER)
    return None if found is None else (found.st_dev, found.st_ino, found.st_mtime_ns)


def check_store(folder: Path, *, create: bool = False) -> None:
    """Check that `folder` is a store, or create one. Raises: as `open_folder`."""
    marker = folder / MARKER
    try:
        text = marker.read_bytes()
    except FileNotFoundError:
        _create_store(folder, marker, create=create)
        return
    except OSError as error:
        raise StoreUnavailable(f"the store {folder} cannot be read: {error.strerror}. Check the path.") from error
    try:
        content = json.loads(text)
        format_number = int(content["format"])
        if content["store"] != STORE_KIND:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise StoreNotOurs(
            f"{marker} is not the marker file of a headwater store. {folder} was not changed; choose another folder."
        ) from None
    if format_number > FORMAT:
        raise FormatTooNew(
            f"the store {folder} has format {format_number}, but this release supports format {FORMAT}. Upgrade "
            "headwater."
        )


def _create_store(folder: Path, marker: Path, *, create: bool) -> None:
    try:
        if create:
            make_folders(folder)
        others = [name for name in _names_in(folder) if name != MARKER and not is_temporary(name, MARKER)]
        if others and not marker.exists():
            raise StoreNotOurs(
                f"{folder} is neither empty nor a headwater store: it contains {sorted(others)[0]!r}. It was not "
                "changed; choose another folder."
            )
        if not create:
            raise _missing(folder)
        content = json.dumps({"store": STORE_KIND, "format": FORMAT}) + "\n"
        # Of several processes that create a store at once, the first marker stays: a later one would be another store.
        write_atomically(marker, content.encode(), overwrite=False)
        make_reserve(folder)
    except PermissionError as error:
        raise StoreReadOnly(f"cannot create a store at {folder}: {error.strerror}. Choose another folder.") from error
    except OSError as error:
        raise StoreUnavailable(
            f"cannot create a store at {folder}: {error.strerror}. Choose another folder."
        ) from error


def _missing(folder: Path) -> StoreMissing:
    return StoreMissing(
        f"there is no headwater store at {folder}. Log something first, or set HEADWATER_URL to an existing store."
    )


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _create_folder(folder: Path) -> None:
    try:
        make_folders(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot create the folder {folder}: {error.strerror}. Check the disk; no recorded data is lost."
        ) from error
