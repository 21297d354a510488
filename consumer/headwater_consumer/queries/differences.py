"""The differences between two versions, found by the layers that they do not share.

Related versions share the lower end of their chains. Both contain the entries of those layers, unless a layer above
hides them, so only paths of the layers above can differ. The cost follows those layers, not the versions.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.queries.entries import Columns, entries_at, rows_of_layer
from headwater_consumer.rows import EXECUTABLE, REMOVED

PATHS_PER_PAGE = 5000  # bounds the memory of a page, and how long one snapshot is held

_path = itemgetter(0)


class EntryContent(NamedTuple):
    """The content of an entry, without its location."""

    size: int | None  # bytes; None for a reference of unknown size
    digest: bytes | None  # stored form; None for a reference
    uri: str | None  # None for a file
    checksum: str | None
    object_version: str | None
    executable: bool  # False for a reference


class EntryDifference(NamedTuple):
    """A path at which two versions differ."""

    path: str
    before: EntryContent | None  # None: there is no entry
    after: EntryContent | None


def diff_layers(database: Database, before: Sequence[int], after: Sequence[int]) -> Iterator[list[EntryDifference]]:
    """The paths at which two chains of layers have different content, by path and in pages. No page is empty.

    Content is compared by digest, so the same bytes under different algorithms differ, and by whether it is executable.
    Cost: the rows of the layers that the chains do not share, and one index look-up for most of them.
    """
    shared = _shared_end(before, after)
    own = before[: len(before) - len(shared)], after[: len(after) - len(shared)]
    paths = _named(database, *own)
    while named := list(islice(paths, PATHS_PER_PAGE)):
        below = _content_at(database, shared, [path for path, sides in named if len(sides) == 1])
        page = []
        for path, sides in named:
            old, new = sides.get(0, below.get(path)), sides.get(1, below.get(path))
            if old != new:
                page.append(EntryDifference(path, old, new))
        if page:
            yield page


def _shared_end(one: Sequence[int], other: Sequence[int]) -> Sequence[int]:
    """The layers that both chains, topmost first, end with."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return one[len(one) - count :]


def _named(
    database: Database, before: Sequence[int], after: Sequence[int]
) -> Iterator[tuple[str, dict[int, EntryContent | None]]]:
    """Each path that any of these layers names, with the topmost content of each side: 0 before, 1 after."""
    streams = [
        _rows(database, layer, side, depth)
        for side, layers in enumerate((before, after))
        for depth, layer in enumerate(layers)
    ]
    for path, rows in groupby(heapq.merge(*streams), key=_path):
        sides: dict[int, EntryContent | None] = {}
        for _, side, _, row in rows:  # topmost first
            sides.setdefault(side, None if row[1] == REMOVED else EntryContent._make((*row[2:], row[1] == EXECUTABLE)))
        yield path, sides


def _rows(database: Database, layer: int, side: int, depth: int) -> Iterator[tuple[str, int, int, Any]]:
    """(path, side, depth, row) of every row of one layer, which names a path once."""
    after, statement = "", rows_of_layer(Columns.DIFFERING, False)
    while True:
        with database.snapshot() as connection:
            rows = statement.tuples(connection, layer=layer, after=after, limit=PATHS_PER_PAGE)
        for row in rows:
            yield row[0], side, depth, row
        if len(rows) < PATHS_PER_PAGE:
            return
        after = rows[-1][0]


def _content_at(database: Database, layers: Sequence[int], paths: Sequence[str]) -> dict[str, EntryContent]:
    """The content of the chain at `paths`; missing ones are left out."""
    if not layers or not paths:
        return {}
    with database.snapshot() as connection:
        found = entries_at(connection, layers, paths)
    return {
        info.path: EntryContent(info.size, info.digest, info.uri, info.checksum, info.object_version, info.executable)
        for info in found
    }
