"""Plan a download: the entries to fetch, links resolved, all checked before anything is written.

A listing of moderate length is held in memory; a longer one is read again for each use.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas.errors import InvalidInput, InvalidPath, NotFound
from headwater_schemas.paths import find_invalid, normalize, normalize_folder

from headwater._download.link_resolver import EntryPage, LinkResolver
from headwater._references import schemes
from headwater._references.uris import redacted

ENTRIES_HELD_MAX = 100_000  # about 30 MB; a longer listing is read twice instead
NAMED_IN_ERROR_MAX = 3

_LISTED = "`artifact.files()` or `headwater ls NAME:vN` lists its entries."


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """The entries to fetch, checked. Each has a digest and a location, or a URI that can be fetched."""

    pages: Callable[[], Iterable[EntryPage]]  # sorted by path; held, or read again by each call
    size_bytes: int  # of the entries whose size is known
    count: int  # of entries


def plan_download(reads: Reads, layers: tuple[int, ...], prefix: str | PurePath = "") -> DownloadPlan:
    """Plan the entries in the folder `prefix`, or the one of that path; "" for all.

    Raises: NotFound for a prefix without entries, or a broken link; InvalidInput when an entry cannot be fetched;
    InvalidPath; ContentError.
    """
    folder = reads.stored_path(layers, normalize_folder(prefix))
    held: list[EntryPage] = []
    unfetchable = _Unfetchable()
    count = size_bytes = 0
    for page in resolved_entries(reads, layers, folder):
        unfetchable.add_from(page)
        count += len(page)
        size_bytes += sum(info.size or 0 for info in page)
        if count <= ENTRIES_HELD_MAX:
            held.append(page)
        else:
            held.clear()
    unfetchable.raise_if_any()
    if folder and not count:
        raise NotFound(f"this version has no file or folder {folder!r}. {_LISTED}")
    if count <= ENTRIES_HELD_MAX:
        return DownloadPlan(lambda: held, size_bytes, count)
    return DownloadPlan(lambda: resolved_entries(reads, layers, folder), size_bytes, count)


def plan_entry(reads: Reads, layers: tuple[int, ...], path: str | PurePath) -> DownloadPlan:
    """Plan the one entry `path`. Raises: NotFound when it is a folder or missing; else as `plan_download`."""
    page = [resolved_entry(reads, layers, path)]
    unfetchable = _Unfetchable()
    unfetchable.add_from(page)
    unfetchable.raise_if_any()
    return DownloadPlan(lambda: [page], page[0].size or 0, 1)


def resolved_entries(reads: Reads, layers: tuple[int, ...], prefix: str = "") -> Iterator[EntryPage]:
    """All entries in the folder `prefix`, or the one of that path, sorted by path; links resolved.

    Raises: InvalidPath for a name that could lead out of a folder; for links, as `resolved_entry`.
    """
    resolver = LinkResolver(reads)
    if prefix and (alone := reads.entry(layers, prefix)) is not None:
        yield resolver.resolve([alone])
        return
    for page in reads.all_entries(layers, prefix=prefix):
        # The writer of the events checked this already, but here it protects the reader's own disk.
        if (invalid := find_invalid([info.path for info in page])) is not None:
            raise InvalidPath(
                f"the version contains {invalid!r}, which could escape the target folder. Nothing was written."
            )
        yield resolver.resolve(page)


def resolved_entry(reads: Reads, layers: tuple[int, ...], path: str | PurePath) -> queries.EntryInfo:
    """The one entry `path`, resolved if it is a link.

    Raises: NotFound, also for a broken link; ContentError when a link names other content than it recorded.
    """
    name = reads.stored_path(layers, normalize(path))
    info = reads.entry(layers, name)
    if info is None:
        if reads.has_folder(layers, name):
            raise NotFound(f"{name!r} is a folder of this version. Name a file, or download it with `path_prefix`.")
        raise NotFound(f"this version has no entry {name!r}. {_LISTED}")
    return LinkResolver(reads).resolve([info])[0]


class _Unfetchable:
    """Collects entries that cannot be fetched."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self._count = 0

    def add_from(self, page: EntryPage) -> None:
        for info in page:
            if info.uri is None or schemes.can_fetch(info.uri):
                continue
            self._count += 1
            if len(self._named) < NAMED_IN_ERROR_MAX:
                self._named.append(f"{info.path!r} is a reference to {redacted(info.uri)}")

    def raise_if_any(self) -> None:
        """Raises: InvalidInput naming the first few, and the number of the others."""
        if not self._count:
            return
        others = f", and {self._count - len(self._named):,} more" if self._count > len(self._named) else ""
        raise InvalidInput(
            f"{'; '.join(self._named)}{others}: headwater records such references but cannot download them. Nothing "
            "was written. Fetch them yourself from `entry.ref()`, and download the rest with `path_prefix`."
        )
