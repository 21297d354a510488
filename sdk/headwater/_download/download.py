"""Download a version: fetch the files that are missing or differ, and leave the others alone.

Complete files stay, so an interrupted download continues where it stopped; an interrupted large file starts over.
"""

import os
import time
import unicodedata
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePath

from headwater_blobs.port import ContentReads
from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_runtime.durations import format_seconds
from headwater_schemas.errors import InvalidInput, InvalidPath
from headwater_schemas.paths import folders_of, normalize
from headwater_stores.telling.progress import DOWNLOADING, SHOW_AFTER_S, Progress, counted, format_bytes, notify

from headwater._download.etag_cache import EtagCache
from headwater._download.fetch import Fetcher, location_of
from headwater._download.integrity import reference_of
from headwater._download.link_resolver import EntryPage
from headwater._download.plan import DownloadPlan, plan_download, plan_entry, resolved_entry
from headwater._download.target import DownloadTarget
from headwater._ingest.stat_cache import StatCache
from headwater._references import schemes

SECONDS_MIN = 0.001  # below that a rate says nothing
READ_ENTRY_BYTES_MAX = 1536 * 1024 * 1024  # held in memory; larger than any table that can be added


def download(
    reads: Reads,
    blobs: ContentReads,
    layers: tuple[int, ...],
    root: Path,
    *,
    prefix: str | PurePath = "",
    hard_links: bool = False,
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> None:
    """Download the files of a version into `root` under their own paths: all, or those under `prefix`.

    An existing file is kept when it has the recorded content, and replaced otherwise; files that the version does not
    have are left alone. `hard_links` is as of `Fetcher`; `stat_cache` remembers the ETags of references. Raises, before
    anything is written: NotFound for a prefix without entries and for a broken link, InvalidInput for a reference that
    cannot be fetched, InvalidPath. Later: InvalidFile for a file that cannot be written; BlobMissing, BlobCorrupt;
    ContentError for a reference that has changed.
    """
    plan = plan_download(reads, layers, prefix)
    with DownloadTarget(os.fspath(root)) as target:
        fetched = fetch_all(blobs, target, plan, stat_cache=stat_cache, hard_links=hard_links, quiet=quiet)
    if not quiet:
        notify(fetched.summary(root))


def download_entry(
    reads: Reads,
    blobs: ContentReads,
    layers: tuple[int, ...],
    path: str | PurePath,
    root: Path,
    *,
    stat_cache: StatCache | None = None,
    quiet: bool = False,
) -> Path:
    """Download the one entry `path` into `root` under its own path, touch nothing else, and return its location.

    Raises: NotFound when the version has no such entry; else as `download`.
    """
    plan = plan_entry(reads, layers, path)
    with DownloadTarget(os.fspath(root)) as target:
        fetched = fetch_all(blobs, target, plan, stat_cache=stat_cache, quiet=quiet)
    location = Path(root, normalize(path))
    if fetched.seconds >= SHOW_AFTER_S and not quiet:  # a loop over small entries would say it for each
        notify(fetched.summary(location))
    return location


def read_entry(reads: Reads, blobs: ContentReads, layers: tuple[int, ...], path: str | PurePath) -> bytes:
    """The bytes of an entry, for small ones such as tables.

    Raises: NotFound when the version has no such entry; InvalidInput for more than READ_ENTRY_BYTES_MAX; else as
    `download`.
    """
    info = resolved_entry(reads, layers, path)
    if info.digest is not None:
        _check_small(info, info.size or 0)
        return blobs.read(location_of(info), info.digest)
    _check_small(info, info.size or 0)
    content = bytearray()
    for piece in schemes.fetch(reference_of(info)):
        content += piece
        _check_small(info, len(content))
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download did."""

    files: int  # that were fetched; the target had the others
    size_bytes: int  # of these
    plan: DownloadPlan
    seconds: float
    case_insensitive: bool  # the disk of the target

    def summary(self, location: Path) -> str:
        """How much, how fast and where, on one line."""
        if not self.files:
            there = f"{counted(self.plan.count, 'file')}, {format_bytes(self.plan.size_bytes)}"
            return f"nothing to download: {there}, already in {location}"
        rate = format_bytes(round(self.size_bytes / max(self.seconds, SECONDS_MIN)))
        kept = self.plan.count - self.files
        return (
            f"downloaded {counted(self.files, 'file')}, {format_bytes(self.size_bytes)} in "
            f"{format_seconds(self.seconds)} ({rate}/s) to {location}{f', {kept:,} already there' if kept else ''}"
        )


def fetch_all(
    blobs: ContentReads,
    target: DownloadTarget,
    plan: DownloadPlan,
    *,
    stat_cache: StatCache | None = None,
    hard_links: bool = False,
    quiet: bool = False,
) -> Fetched:
    """Fetch a plan into `target`."""
    started_s = time.monotonic()
    with (
        Progress(DOWNLOADING, total=plan.size_bytes, unit="B", files=plan.count, quiet=quiet) as progress,
        closing(EtagCache(stat_cache)) as etag_cache,
    ):
        fetcher = Fetcher(blobs, target, progress, etag_cache, hard_links=hard_links)
        case_insensitive = _detect_case_insensitive(fetcher, target, plan)
        if case_insensitive:
            _refuse_collisions(plan.pages(), target.root)
        for page in plan.pages():
            fetcher.fetch(page)
    seconds = time.monotonic() - started_s
    return Fetched(fetcher.fetched_files, fetcher.fetched_bytes, plan, seconds, case_insensitive)


def _check_small(info: queries.EntryInfo, size: int) -> None:
    if size > READ_ENTRY_BYTES_MAX:
        raise InvalidInput(
            f"{info.path!r} is larger than the {format_bytes(READ_ENTRY_BYTES_MAX)} that can be read into memory. "
            "Download it and open the file."
        )


# --- case-insensitive disks -----------------------------------------------------------------------------------------


def fold_case(path: str) -> str:
    """The same text for all paths that a case-insensitive disk treats as one."""
    return unicodedata.normalize("NFC", path.casefold())


def _detect_case_insensitive(fetcher: Fetcher, target: DownloadTarget, plan: DownloadPlan) -> bool:
    """Whether the disk treats names as equal that differ only in case.

    Only an existing name can tell. A file or folder of the version is created first, so that a killed process leaves no
    probe file behind.
    """
    candidates = next(filter(None, map(_probe_candidates, plan.pages())), [])
    if not candidates:
        return False
    info, part = min(candidates, key=_probe_cost)
    if part == info.path:
        fetcher.fetch_ahead(info)
    else:
        target.create_folder(part)
    return target.is_found_as(part, part.rpartition("/")[2].swapcase())


def _probe_candidates(page: EntryPage) -> list[tuple[queries.EntryInfo, str]]:
    return [(info, part) for info in page if (part := _case_sensitive_part(info.path))]


def _probe_cost(candidate: tuple[queries.EntryInfo, str]) -> tuple[bool, bool, int]:
    """Sort key: a folder costs least, then a small file."""
    info, part = candidate
    return part == info.path, info.digest is None, info.size or 0


def _case_sensitive_part(path: str) -> str | None:
    """`path` or one of its folders whose name changes with its case, at the same length; folders first."""
    for part in (*folders_of(path), path):
        name = part.rpartition("/")[2]
        other = name.swapcase()
        if other != name and len(other.encode()) == len(name.encode()):
            return part
    return None


def _refuse_collisions(pages: Iterable[EntryPage], root: str) -> None:
    """Raises: InvalidPath naming two paths that are the same on a case-insensitive disk."""
    spelled: dict[str, str] = {}
    for page in pages:
        for info in page:
            for part in (*folders_of(info.path), info.path):
                other = spelled.setdefault(fold_case(part), part)
                if other != part:
                    raise InvalidPath(
                        f"{other!r} and {part!r} would be the same file or folder on the case-insensitive file system "
                        f"of {root!r}. Download to a case-sensitive one."
                    )
