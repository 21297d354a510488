"""What a download is to fetch: the entries of a version, with links followed, checked before use.

Nothing here writes. A listing that is not too long is held, a longer one is read again for each use.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.errors import InvalidInput, InvalidPath, NotFound
from headwater_schemas.paths import find_invalid, normalize, normalize_folder

from headwater import _references
from headwater._download.link_resolver import Links, Page
from headwater._references.uris import shown

ENTRIES_HELD_MAX = 100_000  # about 30 MB; a longer listing is read twice instead of held
NAMED_IN_ERROR_MAX = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched, checked. An entry has a digest and a place, or a URI that can be fetched from."""

    pages: Callable[[], Iterable[Page]]  # by path; read anew, or held
    size_bytes: int  # as far as it is known


def wanted(database: Database, layers: tuple[int, ...], prefix: str | PurePath = "") -> Wanted:
    """The entries in the folder `prefix`, or the one of that path; "" for all.

    Raises: NotFound when there is nothing of that name, or where a link leads; InvalidInput when an entry cannot be
    fetched; InvalidPath; ContentError.
    """
    folder = normalize_folder(prefix)
    held: list[Page] = []
    refused = _Refused()
    count = size_bytes = 0
    for page in entries_of(database, layers, folder):
        refused.look_at(page)
        count += len(page)
        size_bytes += sum(info.size or 0 for info in page)
        if count <= ENTRIES_HELD_MAX:
            held.append(page)
        else:
            held.clear()
    refused.raise_if_any()
    if folder and not count:
        raise NotFound(f"this version has no file or folder {folder!r}. Its `manifest.entries` list what it has.")
    if count <= ENTRIES_HELD_MAX:
        return Wanted(lambda: held, size_bytes)
    return Wanted(lambda: entries_of(database, layers, folder), size_bytes)


def wanted_entry(database: Database, layers: tuple[int, ...], path: str | PurePath) -> Wanted:
    """The one entry `path`. Raises: NotFound when it is a folder, or not there; else as `wanted`."""
    page = [info_of(database, layers, path)]
    refused = _Refused()
    refused.look_at(page)
    refused.raise_if_any()
    return Wanted(lambda: [page], page[0].size or 0)


def entries_of(database: Database, layers: tuple[int, ...], prefix: str = "") -> Iterator[Page]:
    """All entries in the folder, or of the path, `prefix`, by path; links followed.

    Raises: InvalidPath for a name that could lead out of a folder; for links, as `info_of`.
    """
    links = Links(database)
    if prefix and (alone := queries.entry(database, layers, prefix)) is not None:
        yield links.followed([alone])
        return
    for page in queries.all_entries(database, layers, prefix=prefix):
        # Whoever wrote the events checked this; but what it keeps is the reader's own disk.
        if (invalid := find_invalid([info.path for info in page])) is not None:
            raise InvalidPath(
                f"the version names {invalid!r}, which could lead out of the folder. Nothing was written."
            )
        yield links.followed(page)


def info_of(database: Database, layers: tuple[int, ...], path: str | PurePath) -> queries.EntryInfo:
    """The one entry `path`, a link followed.

    Raises: NotFound, also where a link leads nowhere; ContentError when a link leads to other content than recorded.
    """
    name = normalize(path)
    info = queries.entry(database, layers, name)
    if info is None:
        if queries.has_folder(database, layers, name):
            raise NotFound(f"{name!r} is a folder of this version. Name a file, or download it with `path_prefix`.")
        raise NotFound(f"this version has no entry {name!r}. Its `manifest.entries` list what it has.")
    return Links(database).followed([info])[0]


class _Refused:
    """Collects entries that nobody here can fetch."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self._count = 0

    def look_at(self, page: Page) -> None:
        for info in page:
            if info.uri is None or _references.can_fetch(info.uri):
                continue
            self._count += 1
            if len(self._named) < NAMED_IN_ERROR_MAX:
                self._named.append(f"{info.path!r} is a reference to {shown(info.uri)}")

    def raise_if_any(self) -> None:
        """Raises: InvalidInput naming the first few, and the number of the others."""
        if not self._count:
            return
        others = f", and {self._count - len(self._named):,} more like it" if self._count > len(self._named) else ""
        raise InvalidInput(
            f"{'; '.join(self._named)}{others}: headwater cannot fetch from there, and keeps such references as they "
            "are. Nothing was written. Fetch them yourself from what `entry.ref()` says, or download the rest with "
            "`path_prefix`."
        )
