"""The store in one folder: the log, the projection and the blobs.

STORE/headwater.json      says that this is a headwater store, and in which format
STORE/log/                the events; the one thing that cannot be rebuilt
STORE/blobs/              the bytes
STORE/projection/         the database; `headwater replay --replace` builds it anew
"""

import json
import os
from pathlib import Path

from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.embedded import EmbeddedProjection
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_runtime.files import is_temporary, write_atomically
from headwater_schemas.errors import FormatTooNew, StoreNotOurs, StoreReadOnly, StoreUnavailable

from headwater._stores.stores import Stores

FORMAT = 1
MARKER = "headwater.json"
_POINTER = "current"  # in the projection folder: names the database, once a replay has put another in place
_FIRST_PROJECTION = "projection.db"
_KIND = "headwater"


def open_folder(folder: Path, *, create: bool) -> Stores:
    """Open the store in `folder`, making it where it is missing and `create` is set.

    Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew.
    """
    check_store(folder, create=create)
    read_only = not os.access(folder, os.W_OK)
    create = create and not read_only
    log = EmbeddedEventLog.open(folder / "log", create=create, read_only=read_only)
    blobs = FolderBlobStore.open(folder / "blobs", create=create, read_only=read_only)
    if not read_only:  # also where it is only asked: the projection can be thrown away, and its maker killed before it
        _make_folder(projection_folder(folder))
    database = Database.open_sqlite(projection_file(folder), create=not read_only, read_only=read_only)
    projection = EmbeddedProjection(log, database, lock_file(folder))
    return Stores(str(folder), log, blobs, database, projection, read_only)


def projection_folder(folder: Path) -> Path:
    """Where a store's projection lies."""
    return folder / "projection"


def projection_file(folder: Path) -> Path:
    """The database of a store's projection: the first one, or the one that a replay put in its place."""
    return projection_folder(folder) / _pointed_to(folder)[0]


def point_to_projection(folder: Path, name: str) -> None:
    """From here on the projection is the file `name`; processes that have the one before open go on with it.

    The one before that is removed: a file that may be open must keep its name, since SQLite finds the rest by it.
    """
    previous, outdated = _pointed_to(folder)
    pointer = projection_folder(folder) / _POINTER
    write_atomically(pointer, f"{name}\n{previous}\n".encode())
    if outdated:
        remove_projection(projection_folder(folder) / outdated)


def remove_projection(file: Path) -> None:
    """Remove a projection and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _pointed_to(folder: Path) -> tuple[str, str]:
    """The file names of the projection, and of the one that was there before it ("" if there was none)."""
    try:
        current, previous = (projection_folder(folder) / _POINTER).read_text("utf-8").split("\n")[:2]
    except (OSError, ValueError):
        return _FIRST_PROJECTION, ""
    return current, previous


def lock_file(folder: Path) -> Path:
    """The file that those who project take turns at."""
    return projection_folder(folder) / "projection.lock"


def check_store(folder: Path, *, create: bool = False) -> None:
    """Make sure that a store is there, or make it. Raises: as `open_folder`."""
    marker = folder / MARKER
    try:
        text = marker.read_bytes()
    except FileNotFoundError:
        _make(folder, marker, create=create)
        return
    except OSError as error:
        raise StoreUnavailable(f"the store {folder} cannot be read: {error.strerror}. Check the path.") from error
    try:
        said = json.loads(text)
        format_number = int(said["format"])
        if said["store"] != _KIND:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise StoreNotOurs(f"{marker} is not a headwater store's marker. {folder} was left as it is.") from None
    if format_number > FORMAT:
        raise FormatTooNew(
            f"the store {folder} has format {format_number}; this release knows {FORMAT}. Upgrade headwater to use it."
        )


def _make(folder: Path, marker: Path, *, create: bool) -> None:
    if not create:
        raise StoreUnavailable(
            f"there is no headwater store at {folder}. Log something first, or set HEADWATER_URL to where it is."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [name for name in os.listdir(folder) if name != MARKER and not is_temporary(name, MARKER)]
        if others and not marker.exists():
            raise StoreNotOurs(
                f"{folder} is not a headwater store, and is not empty: it holds {sorted(others)[0]!r}. "
                "It was left as it is; choose another folder."
            )
        content = json.dumps({"store": _KIND, "format": FORMAT}) + "\n"
        write_atomically(marker, content.encode())  # two processes that make one store at once write the same
    except PermissionError as error:
        raise StoreReadOnly(f"no store can be made at {folder}: {error.strerror}. Choose another folder.") from error
    except OSError as error:
        raise StoreUnavailable(f"no store can be made at {folder}: {error.strerror}. Choose another folder.") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"{folder} cannot be made: {error.strerror}. Check its disk; nothing that was recorded is lost."
        ) from error
