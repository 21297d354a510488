"""Open the stores that a URL names: on a laptop, one folder with the log, the projection and the blobs.

STORE/headwater.json      says that this is a headwater store, and in which format
STORE/log/                the events; the one thing that cannot be rebuilt
STORE/blobs/              the bytes
STORE/projection/         the database; `headwater replay --replace` builds it anew
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.embedded import EmbeddedProjection
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_schemas.errors import FormatTooNew, StoreNotOurs, StoreReadOnly, StoreUnavailable

FORMAT = 1
_MARKER = "headwater.json"
_KIND = "headwater"


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that one URL stands for."""

    folder: Path
    log: EmbeddedEventLog
    blobs: FolderBlobStore
    database: Database
    projection: EmbeddedProjection
    read_only: bool

    def close(self) -> None:
        """Let go of all files. Closing twice is fine."""
        self.database.close()
        self.blobs.close()
        self.log.close()


def open_stores(folder: Path, *, create: bool) -> Stores:
    """Open the store in `folder`, making it where it is missing and `create` is set.

    Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew.
    """
    _check_marker(folder, create=create)
    read_only = not os.access(folder, os.W_OK)
    create = create and not read_only
    log = EmbeddedEventLog.open(folder / "log", create=create, read_only=read_only)
    blobs = FolderBlobStore.open(folder / "blobs", create=create, read_only=read_only)
    if not read_only:  # also where it is only asked: the projection can be thrown away, and its maker killed before it
        _make_folder(projection_folder(folder))
    database = Database.open_sqlite(projection_file(folder), create=not read_only, read_only=read_only)
    return Stores(folder, log, blobs, database, EmbeddedProjection(log, database, lock_file(folder)), read_only)


def projection_folder(folder: Path) -> Path:
    """Where a store's projection lies."""
    return folder / "projection"


def projection_file(folder: Path) -> Path:
    """The database of a store's projection."""
    return projection_folder(folder) / "projection.db"


def lock_file(folder: Path) -> Path:
    """The file that those who project take turns at."""
    return projection_folder(folder) / "projection.lock"


def _check_marker(folder: Path, *, create: bool) -> None:
    marker = folder / _MARKER
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
        others = [name for name in os.listdir(folder) if not name.startswith(_MARKER)]
        if others and not marker.exists():
            raise StoreNotOurs(
                f"{folder} is not a headwater store, and is not empty: it holds {sorted(others)[0]!r}. "
                "It was left as it is; choose another folder."
            )
        temporary = folder / f"{_MARKER}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps({"store": _KIND, "format": FORMAT}) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a power cut that left it empty would make a store of ours look like none
        os.replace(temporary, marker)  # two processes that make one store at once write the same
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
