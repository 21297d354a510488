"""Make a folder hold exactly one version.

All files are fetched before anything else is removed, so that a failed checkout loses nothing. Only what blocks a file,
such as a folder of the same name, is removed earlier: at the moment in which the file is complete. Folders that appear
to belong to something else are refused before anything is touched.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from headwater_blobs.folder import MARKER as BLOBS_MARKER
from headwater_blobs.port import ContentReads
from headwater_consumer.queries.reads import Reads
from headwater_schemas.errors import InvalidFile
from headwater_schemas.paths import find_invalid, folders_of
from headwater_stores.config.local_paths import absolute, home_folder
from headwater_stores.config.store_folder import MARKER as STORE_MARKER
from headwater_stores.telling.progress import notify

from headwater._download.compare import has_folder, pair_by_path
from headwater._download.download import fetch_all, fold_case
from headwater._download.folders import ItemKind, OpenFolder, WalkItem, remove_folder_if_empty, walk
from headwater._download.ignoring import Ignoring
from headwater._download.plan import DownloadPlan, plan_download
from headwater._download.target import DownloadTarget
from headwater._ingest.stat_cache import StatCache

# A folder with one of these holds data of another tool. A version may contain them itself.
FOREIGN_MARKERS = {".git": "a Git repository", STORE_MARKER: "a headwater store", BLOBS_MARKER: "a headwater store"}

_NEXT_STEP = "Nothing was changed. Choose a dedicated folder, or use `download`, which removes nothing."


def checkout(
    reads: Reads,
    blobs: ContentReads,
    layers: tuple[int, ...],
    root: Path,
    *,
    ignore: Sequence[str] = (),
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> None:
    """Download all files of a version into `root`, and remove everything else: files, links, empty folders.

    What `ignore` or ignore files say, those of `root` or of the version, is left alone.
    Raises: InvalidFile, before anything is touched, for a root that holds more than a download (a home folder, the root
    of a file system, a Git repository, a headwater store), and for what cannot be removed; else as `download`.
    """
    check_location(os.path.realpath(absolute(os.fspath(root))))
    plan = plan_download(reads, layers)
    in_version = partial(has_folder, reads, layers)
    before = Ignoring(ignore, in_version, own=False)
    if os.path.lexists(root):
        with DownloadTarget(os.fspath(root), create=False) as target:
            _check_contents(target, reads, layers, before)
    with DownloadTarget(os.fspath(root), force=True) as target:
        fetched = fetch_all(blobs, target, plan, stat_cache=stat_cache, quiet=quiet)
        ignoring = Ignoring(ignore, in_version, earlier=before.files)
        _remove_extra(target, plan, ignoring, case_insensitive=fetched.case_insensitive)
    if not quiet:
        notify(fetched.summary(root))


def check_location(root: str) -> None:
    """Raises: InvalidFile for a folder whose location rules out a checkout."""
    if os.path.dirname(root) == root:
        raise _refusal(root, "is the root of the file system")
    home = None if (found := home_folder()) is None else os.path.realpath(found)
    if home is not None and os.path.commonpath([root, home]) == root:
        raise _refusal(root, "is your home folder" if root == home else f"contains your home folder {home!r}")
    if os.path.ismount(root):
        raise _refusal(root, "is a mount point")
    for folder in (Path(root), *Path(root).parents):
        if folder.name == ".git":
            raise _refusal(root, f"is part of a Git repository, {str(folder)!r}")
        if folder != Path(root) and any((folder / name).exists() for name in (STORE_MARKER, BLOBS_MARKER)):
            raise _refusal(root, f"is part of a headwater store, {str(folder)!r}")


def _check_contents(target: DownloadTarget, reads: Reads, layers: tuple[int, ...], ignoring: Ignoring) -> None:
    """Raises: InvalidFile for a folder whose contents rule out a checkout."""
    device, has_entry = _device_of(target.top), cache(partial(_has_entry, reads, layers))
    for found in walk(target.top, ignoring):
        folders = [*folders_of(found.path), found.path][: None if found.kind is ItemKind.ENTERED else -1]
        if found.ignored and any(map(has_entry, folders)):
            raise _refusal(target.root, f"contains {found.path!r}, which is ignored, where the version has a file")
        if found.folder is not None and _device_of(found.folder) != device:
            raise _refusal(target.root, f"contains {found.path!r}, which is a mount point")
        if found.name in FOREIGN_MARKERS and not _has_path(reads, layers, found.path):
            raise _refusal(target.root, f"contains {found.path!r}, which belongs to {FOREIGN_MARKERS[found.name]}")


def _device_of(folder: OpenFolder) -> int:
    return os.fstat(folder.descriptor).st_dev


def _has_path(reads: Reads, layers: tuple[int, ...], path: str) -> bool:
    """Whether the version itself has a file or folder of this path."""
    return _has_entry(reads, layers, path) or has_folder(reads, layers, path)


def _has_entry(reads: Reads, layers: tuple[int, ...], path: str) -> bool:
    return find_invalid([path]) is None and reads.entry(layers, path) is not None


def _remove_extra(target: DownloadTarget, plan: DownloadPlan, ignoring: Ignoring, *, case_insensitive: bool) -> None:
    """Remove what the version does not have. Raises: InvalidFile naming what cannot be removed."""
    # A case-insensitive disk may list a file of the version under the spelling of a file that it replaced.
    spellings = {fold_case(info.path) for page in plan.pages() for info in page} if case_insensitive else set()
    last_kept = ""
    for info, found in pair_by_path(plan.pages(), walk(target.top, ignoring)):
        if found is None or (info is None and found.ignored):
            continue
        if info is not None or (found.kind is not ItemKind.LEFT and fold_case(found.path) in spellings):
            last_kept = found.path
        elif not last_kept.startswith(f"{found.path}/"):  # otherwise it is a folder that contains a file of the version
            _remove(found)


def _remove(found: WalkItem) -> None:
    try:
        if found.kind is ItemKind.LEFT:
            remove_folder_if_empty(found.parent, found.name)
        else:
            with suppress(FileNotFoundError):
                os.unlink(found.name, dir_fd=found.parent.descriptor)
    except OSError as error:
        raise InvalidFile(
            f"{found.location!r} cannot be removed: {error.strerror}. All files of the version are in place; remove "
            "it manually or check out again."
        ) from error


def _refusal(root: str, why: str) -> InvalidFile:
    return InvalidFile(f"a checkout removes files that are not in the version, and {root!r} {why}. {_NEXT_STEP}")
