"""Make a folder hold a version and nothing else.

What the version has is fetched first; what it does not have is removed after that, so that an error on the way costs
nothing. Only what is in the way of a file, a folder of that name for one, goes at the moment in which the file is
complete. Folders that belong to somebody else by all appearance are refused before anything is touched.
"""

import os
from contextlib import suppress
from pathlib import Path

from headwater_blobs.folder import MARKER as BLOBS_MARKER
from headwater_blobs.port import BlobStore
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.errors import InvalidFile
from headwater_schemas.paths import find_invalid

from headwater._download.compare import side_by_side
from headwater._download.download import fill, folded
from headwater._download.folders import Folder, Found, Kind, remove_folder_if_empty, walk
from headwater._download.plan import Wanted, wanted
from headwater._download.target import Target
from headwater._ingest.stat_cache import StatCache
from headwater._stores.folder import MARKER as STORE_MARKER

# Where one of these is, somebody keeps what is nowhere else. A version may have them itself.
KEPT_BY_OTHERS = {".git": "a Git repository", STORE_MARKER: "a headwater store", BLOBS_MARKER: "a headwater store"}

_WHAT_NEXT = "Nothing was touched. Give a folder of its own, or use `download`, which removes nothing."


def checkout(
    database: Database,
    blobs: BlobStore,
    layers: tuple[int, ...],
    root: Path,
    *,
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> None:
    """Put all files of a version into `root`, as `download` does, and remove all else: files, links, empty folders.

    Raises: InvalidFile for a root that holds more than a download (a home folder, a file system's top, a Git
    repository, a headwater store), and nothing is touched; for what cannot be removed; else as `download`.
    """
    _refuse_place(os.path.realpath(root))
    listing = wanted(database, layers)
    if os.path.lexists(root):
        with Target(os.fspath(root), make=False) as target:
            _refuse_contents(target, database, layers)
    with Target(os.fspath(root), clears=True) as target:
        ignores_case = fill(blobs, target, listing, stat_cache=stat_cache, quiet=quiet)
        _remove_others(target, listing, ignores_case=ignores_case)


def _refuse_place(root: str) -> None:
    """Raises: InvalidFile when a folder must not be emptied because of where it is."""
    home = os.path.realpath(os.path.expanduser("~"))
    if os.path.dirname(root) == root:
        raise _refused(root, "is the top of the file system")
    if os.path.commonpath([root, home]) == root:
        raise _refused(root, "is your home folder" if root == home else f"contains your home folder {home!r}")
    if os.path.ismount(root):
        raise _refused(root, "is where a disk is mounted")
    for folder in (Path(root), *Path(root).parents):
        if folder.name == ".git":
            raise _refused(root, f"is part of a Git repository, {str(folder)!r}")
        if folder != Path(root) and any((folder / name).exists() for name in (STORE_MARKER, BLOBS_MARKER)):
            raise _refused(root, f"is part of a headwater store, {str(folder)!r}")


def _refuse_contents(target: Target, database: Database, layers: tuple[int, ...]) -> None:
    """Raises: InvalidFile when a folder must not be emptied because of what is in it."""
    device = _device_of(target.top)
    for found in walk(target.top):
        if found.folder is not None and _device_of(found.folder) != device:
            raise _refused(target.root, f"contains {found.path!r}, where another disk is mounted")
        if found.name in KEPT_BY_OTHERS and not _has(database, layers, found.path):
            raise _refused(target.root, f"contains {found.path!r}, which belongs to {KEPT_BY_OTHERS[found.name]}")


def _device_of(folder: Folder) -> int:
    return os.fstat(folder.descriptor).st_dev


def _has(database: Database, layers: tuple[int, ...], path: str) -> bool:
    """Whether the version has a file or folder there itself."""
    if find_invalid([path]) is not None:
        return False
    return queries.entry(database, layers, path) is not None or queries.has_folder(database, layers, path)


def _remove_others(target: Target, listing: Wanted, *, ignores_case: bool) -> None:
    """Remove what the version does not have. Raises: InvalidFile naming what cannot be removed."""
    # Such a disk may show a file of the version under the spelling of another that was there before.
    spellings = {folded(info.path) for page in listing.pages() for info in page} if ignores_case else set()
    last_kept = ""
    for info, found in side_by_side(listing.pages(), walk(target.top)):
        if found is None:
            continue
        if info is not None or (found.kind is not Kind.LEFT and folded(found.path) in spellings):
            last_kept = found.path
        elif not last_kept.startswith(f"{found.path}/"):  # else it is a folder with something of the version
            _remove(found)


def _remove(found: Found) -> None:
    try:
        if found.kind is Kind.LEFT:
            remove_folder_if_empty(found.parent, found.name)
        else:
            with suppress(FileNotFoundError):
                os.unlink(found.name, dir_fd=found.parent.descriptor)
    except OSError as error:
        raise InvalidFile(
            f"{found.location!r} cannot be removed: {error.strerror}. All that the version has is there; remove it "
            "yourself, or check out again."
        ) from error


def _refused(root: str, why: str) -> InvalidFile:
    return InvalidFile(f"a checkout removes what the version does not have, and {root!r} {why}. {_WHAT_NEXT}")
