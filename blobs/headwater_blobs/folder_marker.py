"""The markers of a folder: that which makes it a blob store, and that which names its log, see `ownership`."""

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

from headwater_runtime.files import is_temporary, make_folders, sync_folder, write_atomically
from headwater_schemas.errors import FormatTooNew, StoreMissing, StoreNotOurs, StoreUnavailable

from headwater_blobs import ownership
from headwater_blobs.ownership import Owner

MARKER = "headwater-blobs.json"
FORMAT = 1

_KIND = "headwater blob store"


def read_identity(folder: str) -> str | None:
    """The identity of the store in `folder`, None without a marker.

    Raises: StoreNotOurs, FormatTooNew, StoreUnavailable.
    """
    try:
        with open(os.path.join(folder, MARKER), "rb") as file:
            return _parse_marker(file.read(ownership.MARKER_BYTES_MAX), folder)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise StoreNotOurs(f"{folder} is not a folder; nothing was changed. Give the path of a folder.") from None
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be read: {error.strerror}. Check its permissions.") from error


def _parse_marker(content: bytes, folder: str) -> str:
    try:
        marker = json.loads(content)
        kind, version, identity = marker["kind"], marker["format"], marker["identity"]
    except (ValueError, TypeError, KeyError, RecursionError):
        kind, version, identity = None, None, None
    if kind == _KIND and isinstance(version, int) and version > FORMAT:
        raise FormatTooNew(
            f"the blob store in {folder} has format {version}; this release reads up to {FORMAT}. Upgrade headwater."
        )
    if kind != _KIND or version != FORMAT or not isinstance(identity, str):
        raise StoreNotOurs(
            f"{os.path.join(folder, MARKER)} is not the marker of a blob store; nothing was changed. "
            "Give another folder, or restore that file from a copy."
        )
    return identity


def refuse_foreign(folder: str) -> None:
    """Raises: StoreNotOurs when `folder` has content."""
    # A process that was killed while it created the store left at most a temporary marker.
    foreign = sorted(name for name in names_in(folder) if not is_temporary(name, MARKER))
    # The marker is written first: if another process is creating the store, it exists by now.
    if foreign and not os.path.exists(os.path.join(folder, MARKER)):
        raise StoreNotOurs(
            f"{folder} holds {foreign[0]!r} and is no blob store; nothing was changed. Give another folder."
        )


def make_store(folder: str) -> None:
    """Make `folder` a store. Where several processes do so at once, the first marker wins."""
    make_folders(Path(folder))
    marker = json.dumps({"kind": _KIND, "format": FORMAT, "identity": uuid.uuid4().hex})
    write_atomically(Path(folder, MARKER), marker.encode(), overwrite=False)
    for parent in Path(folder).parents:
        with suppress(PermissionError):  # a folder that cannot be read here was not made here
            sync_folder(str(parent))


def is_claimed_by(folder: str, owner: Owner) -> bool:
    """Whether the store is marked as that of a log.

    Raises: StoreNotOurs when it is that of another; FormatTooNew, StoreUnavailable.
    """
    marker = _log_marker(folder)
    return marker is not None and owner.is_named_by(marker, folder)


def claim(folder: str, owner: Owner) -> None:
    """Mark the store as that of a log; of several at once, one wins. Raises: as `is_claimed_by`; OSError."""
    marker = _log_marker(folder)
    if marker is None or not owner.is_named_by(marker, folder):
        write_atomically(Path(folder, ownership.MARKER), owner.marker(), overwrite=marker is not None)
        is_claimed_by(folder, owner)


def _log_marker(folder: str) -> bytes | None:
    try:
        with open(os.path.join(folder, ownership.MARKER), "rb") as file:
            return file.read(ownership.MARKER_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be read: {error.strerror}. Check its permissions.") from error


def is_gone(folder: str) -> bool:
    """Whether there is no store in the folder any more."""
    return not os.path.exists(os.path.join(folder, MARKER))


def gone(folder: str) -> StoreMissing:
    """The error for that."""
    return StoreMissing.removed(f"the blob store in {folder}")


def names_in(folder: str) -> list[str]:
    """The names in a folder; none where there is none."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
