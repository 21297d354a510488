"""One level of an entry listing: the files and folders right below a folder, and how much is in those."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from headwater_schemas.limits import PATH_BYTES_MAX

from headwater_consumer.database import Database
from headwater_consumer.queries.entries import ROWS_PER_PAGE, Columns, entries_page, pages
from headwater_consumer.queries.results import EntryInfo

# Entries that are read at once: the fewest where folders have many, of which the others are stepped over.
READ_AT_ONCE_MIN, READ_AT_ONCE_MAX = 32, 512
COUNTED_MAX = 10_000  # entries: some 30 ms
_BEYOND_ANY = chr(0x10FFFF) * (PATH_BYTES_MAX // 4 + 1)  # sorts after every path, as such a character has four bytes


class LevelItem(NamedTuple):
    """A file or reference, or a folder."""

    path: str
    entry: EntryInfo | None  # None: a folder


class FolderTotal(NamedTuple):
    """What is in a folder, at any depth."""

    entries: int
    size_bytes: int  # of those whose size is known


def level(
    database: Database, layers: Sequence[int], *, prefix: str = "", after: str | None = None, limit: int = 100
) -> list[LevelItem]:
    """What is right below the folder `prefix` ("" for the top), by path, a folder where its first entry would be.

    The next page: `after` = `level_key` the last item. Cost: READ_AT_ONCE_MIN entries for each folder that has many.
    """
    depth = prefix.count("/") + 1 if prefix else 0
    found: list[LevelItem] = []
    beyond, at_once = after or "", READ_AT_ONCE_MIN
    while len(found) < limit:
        before = len(found)
        page = entries_page(database, layers, prefix=prefix, after=beyond or None, limit=at_once)
        for info in page:
            if info.path <= beyond:
                continue
            names = info.path.split("/", depth + 1)
            item = LevelItem(info.path, info) if len(names) == depth + 1 else LevelItem("/".join(names[:-1]), None)
            found.append(item)
            beyond = level_key(item)
        if len(page) < at_once:
            break
        beyond = max(beyond, page[-1].path)
        at_once = min(2 * at_once, READ_AT_ONCE_MAX) if len(found) > before + 1 else READ_AT_ONCE_MIN
    return found[:limit]


def level_totals(
    database: Database, layers: Sequence[int], *, prefix: str = "", counted: int = COUNTED_MAX
) -> dict[str, FolderTotal] | None:
    """What is in each of the folders right below `prefix`, by path; None where there are more entries than `counted`.

    Cost: the entries below `prefix`, so many at most.
    """
    start = len(prefix) + 1 if prefix else 0
    counts: defaultdict[str, int] = defaultdict(int)
    sizes: defaultdict[str, int] = defaultdict(int)
    seen = 0
    for page in pages(database, layers, Columns.SIZED, prefix, None, min(counted + 1, ROWS_PER_PAGE)):
        seen += len(page)
        if seen > counted:
            return None
        for path, _, _, size in page:
            end = path.find("/", start)
            if end > 0:
                counts[path[:end]] += 1
                sizes[path[:end]] += size or 0
    return {folder: FolderTotal(count, sizes[folder]) for folder, count in counts.items()}


def level_key(item: LevelItem) -> str:
    """A text between all that belongs to the item and what comes after it."""
    return item.path if item.entry is not None else f"{item.path}/{_BEYOND_ANY}"
