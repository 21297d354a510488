"""Download a version: fetch what is missing or damaged, leave alone what is there and right.

What landed stays, so a download that was cut off goes on where it was; a large file that was cut off begins anew.
"""

import os
import unicodedata
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path, PurePath

from headwater_blobs.port import BlobStore
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.errors import InvalidInput, InvalidPath
from headwater_schemas.paths import folders_of, normalize

from headwater import _references
from headwater._download.etag_cache import Fetched
from headwater._download.fetch import Fetching, place_of
from headwater._download.integrity import reference_of
from headwater._download.link_resolver import Page
from headwater._download.plan import Wanted, info_of, wanted, wanted_entry
from headwater._download.target import Target
from headwater._ingest.stat_cache import StatCache
from headwater._progress import Progress, bytes_text

READ_ENTRY_BYTES_MAX = 1536 * 1024 * 1024  # held in memory; more than the largest table that can be added takes up


def download(
    database: Database,
    blobs: BlobStore,
    layers: tuple[int, ...],
    root: Path,
    *,
    prefix: str | PurePath = "",
    hard_links: bool = False,
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> None:
    """Put the files of a version into `root` under their own paths: all, or those of the folder or path `prefix`.

    A file that is there is kept when it has the recorded content, else replaced; files that the version does not have
    are left alone. `hard_links` is as of `Fetching`; `stat_cache` is for the ETags of references. Raises: NotFound for
    a prefix that names nothing, or a link that leads nowhere; InvalidInput for a reference that cannot be fetched, and
    InvalidPath, before anything is written; InvalidFile for what cannot be written; BlobMissing, BlobCorrupt;
    ContentError for a reference that has changed.
    """
    listing = wanted(database, layers, prefix)
    with Target(os.fspath(root)) as target:
        fill(blobs, target, listing, stat_cache=stat_cache, hard_links=hard_links, quiet=quiet)


def download_entry(
    database: Database,
    blobs: BlobStore,
    layers: tuple[int, ...],
    path: str | PurePath,
    root: Path,
    *,
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> Path:
    """Put the one entry `path` into `root` under its own path, touch nothing else, and return where it is.

    Raises: NotFound when the version has no such entry; else as `download`.
    """
    listing = wanted_entry(database, layers, path)
    with Target(os.fspath(root)) as target:
        fill(blobs, target, listing, stat_cache=stat_cache, quiet=quiet)
    return Path(root, normalize(path))


def read_entry(database: Database, blobs: BlobStore, layers: tuple[int, ...], path: str | PurePath) -> bytes:
    """The bytes of an entry, for small ones such as tables.

    Raises: NotFound when the version has no such entry; InvalidInput for more than READ_ENTRY_BYTES_MAX; else as
    `download`.
    """
    info = info_of(database, layers, path)
    if info.digest is not None:
        _check_small(info, info.size or 0)
        return blobs.read(place_of(info), info.digest)
    _check_small(info, info.size or 0)
    content = bytearray()
    for piece in _references.fetch(reference_of(info)):
        content += piece
        _check_small(info, len(content))
    return bytes(content)


def fill(
    blobs: BlobStore,
    target: Target,
    listing: Wanted,
    *,
    stat_cache: StatCache | None = None,
    hard_links: bool = False,
    quiet: bool = False,
) -> bool:
    """Fetch what is wanted into `target`. Whether its disk takes names for equal that differ in case."""
    with (
        Progress("downloading", total=listing.size_bytes, unit="B", quiet=quiet) as progress,
        closing(Fetched(stat_cache)) as fetched,
    ):
        fetching = Fetching(blobs, target, progress, fetched, hard_links=hard_links)
        ignores_case = _ignores_case(fetching, target, listing)
        if ignores_case:
            _refuse_collisions(listing.pages(), target.root)
        for page in listing.pages():
            fetching.fetch(page)
    return ignores_case


def _check_small(info: queries.EntryInfo, size: int) -> None:
    if size > READ_ENTRY_BYTES_MAX:
        raise InvalidInput(
            f"{info.path!r} has more than the {bytes_text(READ_ENTRY_BYTES_MAX)} that are read into memory. "
            "Download it, and open the file."
        )


# --- disks that do not tell README from readme --------------------------------------------------------------------


def folded(path: str) -> str:
    """One spelling for all paths that such a disk takes for one."""
    return unicodedata.normalize("NFC", path.casefold())


def _ignores_case(fetching: Fetching, target: Target, listing: Wanted) -> bool:
    """Whether the disk takes names for equal that differ in case.

    Only a name that is there can tell. It is one of the version's own, so that a killed process leaves nothing else.
    """
    cased = next(filter(None, map(_cased, listing.pages())), [])
    if not cased:
        return False
    info, part = min(cased, key=_effort)
    if part == info.path:
        fetching.fetch_ahead(info)
    else:
        target.make_folder(part)
    return target.is_found_as(part, part.rpartition("/")[2].swapcase())


def _cased(page: Page) -> list[tuple[queries.EntryInfo, str]]:
    return [(info, part) for info in page if (part := _cased_part(info.path))]


def _effort(candidate: tuple[queries.EntryInfo, str]) -> tuple[bool, bool, int]:
    """A folder costs least, then a small file."""
    info, part = candidate
    return part == info.path, info.digest is None, info.size or 0


def _cased_part(path: str) -> str | None:
    """`path`, or a folder on its way, whose name has another spelling of the same length; folders first."""
    for part in (*folders_of(path), path):
        name = part.rpartition("/")[2]
        other = name.swapcase()
        if other != name and len(other.encode()) == len(name.encode()):
            return part
    return None


def _refuse_collisions(pages: Iterable[Page], root: str) -> None:
    """Raises: InvalidPath naming two files or folders that would be one."""
    spelled: dict[str, str] = {}
    for page in pages:
        for info in page:
            for part in (*folders_of(info.path), info.path):
                other = spelled.setdefault(folded(part), part)
                if other != part:
                    raise InvalidPath(
                        f"{other!r} and {part!r} would be one on the disk of {root!r}, which does not tell upper from "
                        "lower case. Download to a disk that does."
                    )
