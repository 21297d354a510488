"""Whether a folder holds a version and nothing else: every difference, in one error."""

import os
import stat
from pathlib import Path

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.errors import InvalidFile

from headwater import _references
from headwater._content.links import is_link
from headwater._download.compare import side_by_side
from headwater._download.folders import Found, Kind, walk
from headwater._download.integrity import proof_of
from headwater._download.target import Target, is_proven
from headwater.errors import Differences


def verify(database: Database, layers: tuple[int, ...], root: Path) -> None:
    """Compare `root` with a version, reading every file. Nothing is fetched or written.

    Of a reference without a checksum of content its size is compared, where that is known. One that cannot be fetched
    may be missing. Empty folders are no difference: a version has none to compare with.
    Raises: Differences naming all files that are missing, changed, or not the version's; InvalidFile when there is no
    such folder, or something cannot be read.
    """
    if not os.path.isdir(root):
        raise InvalidFile(f"{str(root)!r} is no folder, so there is nothing to verify. Download the version first.")
    missing: list[str] = []
    changed: list[str] = []
    extra: list[str] = []
    pages = queries.all_entries(database, layers)
    with Target(os.fspath(root), make=False) as target:
        for info, found in side_by_side(pages, walk(target.top)):
            if found is None:
                assert info is not None
                if _is_expected(info):
                    missing.append(info.path)
            elif info is None:
                if found.kind is not Kind.LEFT:
                    extra.append(found.path)
            elif not _is_right(info, found):
                changed.append(info.path)
    if missing or changed or extra:
        raise Differences(os.fspath(root), missing, changed, extra)


def _is_expected(info: queries.EntryInfo) -> bool:
    """Whether a download brings it."""
    return info.uri is None or is_link(info.uri) or _references.can_fetch(info.uri)


def _is_right(info: queries.EntryInfo, found: Found) -> bool:
    """Raises: InvalidFile when it cannot be read."""
    try:
        there = os.stat(found.name, dir_fd=found.parent.descriptor, follow_symlinks=False)
        if not stat.S_ISREG(there.st_mode) or info.size not in (None, there.st_size):
            return False
        proof = proof_of(info)
        return proof is None or is_proven(found.parent, found.name, there.st_size, proof)
    except OSError as error:
        raise InvalidFile(f"{found.location!r} cannot be read: {error.strerror}. Check its permissions.") from error
