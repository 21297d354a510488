"""The files of an embedded store's projection."""

from pathlib import Path

from headwater_runtime.files import write_atomically
from headwater_runtime.shared_databases import JOURNALS

_POINTER = "current"  # in the projection folder: names the database file, once a replay has replaced the first one
_FIRST_PROJECTION = "projection.db"


def projection_folder(folder: Path) -> Path:
    """The folder that holds a store's projection."""
    return folder / "projection"


def projection_file(folder: Path) -> Path:
    """The database file of a store's projection: the first one, or the replacement that a replay built."""
    return projection_folder(folder) / _projection_names(folder)[0]


def switch_projection(folder: Path, name: str) -> None:
    """Make the file `name` the projection. Processes that have the previous one open keep using it.

    So the previous file keeps its name, by which SQLite finds its journal; the one before that is removed.
    """
    previous, outdated = _projection_names(folder)
    pointer = projection_folder(folder) / _POINTER
    write_atomically(pointer, f"{name}\n{previous}\n".encode())
    if outdated:
        remove_projection(projection_folder(folder) / outdated)


def remove_projection(file: Path) -> None:
    """Remove a projection's database file and SQLite's files beside it."""
    for suffix in ("", *JOURNALS):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _projection_names(folder: Path) -> tuple[str, str]:
    """The file names of the current and of the previous projection ("" if there was none)."""
    try:
        current, previous = (projection_folder(folder) / _POINTER).read_text("utf-8").split("\n")[:2]
    except (OSError, ValueError):
        return _FIRST_PROJECTION, ""
    return current, previous


def lock_file(folder: Path) -> Path:
    """The lock file that orders the processes that project."""
    return projection_folder(folder) / "projection.lock"
