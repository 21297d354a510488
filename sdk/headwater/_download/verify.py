"""Verify that a folder holds exactly one version; all differences are in one error."""

import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas.errors import InvalidFile
from headwater_schemas.links import is_link
from headwater_stores.telling.progress import CHECKING, Progress

from headwater._download.compare import has_folder, pair_by_path
from headwater._download.folders import ItemKind, WalkItem, walk
from headwater._download.ignoring import Ignoring
from headwater._download.integrity import integrity_check, watched_check
from headwater._download.target import DownloadTarget, passes_check
from headwater._references import schemes
from headwater.errors import Differences


def verify(
    reads: Reads,
    version: queries.VersionInfo,
    root: Path,
    *,
    ignore: Sequence[str] = (),
    quiet: bool = False,
) -> None:
    """Compare `root` with a version, reading every file. Nothing is fetched or written.

    For a reference without a checksum of its content only the size is compared, if known. A reference that cannot be
    fetched may be missing. Empty folders are ignored: a version has none. So is what a scan of `root` would leave out
    by `ignore`, by ignore files or always, unless the version has it.
    Raises: Differences naming all files that are missing, changed, extra, or executable on one side only; InvalidFile
    when there is no such folder, or something cannot be read.
    """
    if not os.path.isdir(root):
        raise InvalidFile(f"{str(root)!r} is not a folder, so there is nothing to verify. Download the version first.")
    missing: list[str] = []
    changed: list[str] = []
    extra: list[str] = []
    executable: list[str] = []
    pages = reads.all_entries(version.layers)
    ignoring = Ignoring(ignore, partial(has_folder, reads, version.layers))
    with (
        DownloadTarget(os.fspath(root), create=False) as target,
        Progress(CHECKING, total=version.size_bytes, unit="B", files=version.entry_count, quiet=quiet) as progress,
    ):
        for info, found in pair_by_path(pages, walk(target.top, ignoring)):
            if found is None:
                assert info is not None
                if _is_downloaded(info):
                    missing.append(info.path)
            elif info is None:
                if found.kind is not ItemKind.LEFT and not found.ignored:
                    extra.append(found.path)
            elif not _is_unchanged(info, found, progress):
                changed.append(info.path)
            elif info.digest is not None and not target.is_as_executable(_stat(found), info.executable):
                executable.append(info.path)
    if missing or changed or extra or executable:
        raise Differences(os.fspath(root), missing, changed, extra, executable)


def _is_downloaded(info: queries.EntryInfo) -> bool:
    """Whether a download fetches this entry."""
    return info.uri is None or is_link(info.uri) or schemes.can_fetch(info.uri)


def _is_unchanged(info: queries.EntryInfo, found: WalkItem, progress: Progress) -> bool:
    """Raises: InvalidFile when it cannot be read."""
    try:
        there = _stat(found)
        if not stat.S_ISREG(there.st_mode) or info.size not in (None, there.st_size):
            return False
        check = integrity_check(info)
        with progress.file(info.path, info.size) as file:
            return check is None or passes_check(
                found.parent, found.name, there.st_size, watched_check(check, file.advance)
            )
    except OSError as error:
        raise InvalidFile(f"{found.location!r} cannot be read: {error.strerror}. Check its permissions.") from error


def _stat(found: WalkItem) -> os.stat_result:
    return os.stat(found.name, dir_fd=found.parent.descriptor, follow_symlinks=False)
