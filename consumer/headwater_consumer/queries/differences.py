"""The differences between two versions, found by the layers that they do not share.

Related versions share the lower end of their chains. Both contain the entries of those layers, unless a layer above
hides them, so only paths of the layers above can differ. The cost follows those layers, not the versions.
"""

import heapq
import time
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.queries.entries import Columns, entries_at, rows_of_layer
from headwater_consumer.queries.results import EntryInfo
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

    @classmethod
    def of(cls, info: EntryInfo) -> "EntryContent":
        """That of an entry."""
        return cls(info.size, info.digest, info.uri, info.checksum, info.object_version, info.executable)


class EntryDifference(NamedTuple):
    """A path at which two versions differ."""

    path: str
    before: EntryContent | None  # None: there is no entry
    after: EntryContent | None


class Differences(NamedTuple):
    """Some of the paths at which two versions differ."""

    found: list[EntryDifference]
    reached: str | None  # the path up to which these are all; None: there are no others


def diff_layers(
    database: Database, before: Sequence[int], now: Sequence[int], *, after: str | None = None
) -> Iterator[list[EntryDifference]]:
    """The paths at which two chains of layers have different content, by path and in pages; those beyond `after`.

    No page is empty. Content is compared by digest, so the same bytes under different algorithms differ, and by whether
    it is executable. Cost: the rows of the layers that the chains do not share, and one index look-up for most of them.
    """
    return (page for page, _ in _compared(database, before, now, after) if page)


def differences_within(
    database: Database,
    before: Sequence[int],
    now: Sequence[int],
    *,
    after: str | None = None,
    limit: int,
    seconds_max: float,
) -> Differences:
    """As `diff_layers`, for who waits: at most about `limit` of them, and what is found in about this time."""
    deadline = time.monotonic() + seconds_max
    found: list[EntryDifference] = []
    for page, reached in _compared(database, before, now, after):
        found += page
        if len(found) >= limit or time.monotonic() > deadline:
            return Differences(found, reached)
    return Differences(found, None)


def _compared(
    database: Database, before: Sequence[int], now: Sequence[int], after: str | None
) -> Iterator[tuple[list[EntryDifference], str]]:
    """The differences in pages, each with the path up to which all is compared."""
    shared = _shared_end(before, now)
    own = before[: len(before) - len(shared)], now[: len(now) - len(shared)]
    paths = _named(database, *own, after or "")
    while named := list(islice(paths, PATHS_PER_PAGE)):
        below = _content_at(database, shared, [path for path, sides in named if len(sides) == 1])
        page = []
        for path, sides in named:
            old, new = sides.get(0, below.get(path)), sides.get(1, below.get(path))
            if old != new:
                page.append(EntryDifference(path, old, new))
        yield page, named[-1][0]


def _shared_end(one: Sequence[int], other: Sequence[int]) -> Sequence[int]:
    """The layers that both chains, topmost first, end with."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return one[len(one) - count :]


def _named(
    database: Database, before: Sequence[int], now: Sequence[int], after: str
) -> Iterator[tuple[str, dict[int, EntryContent | None]]]:
    """Each path beyond `after` that any of these layers names, with the topmost content by side: 0 before, 1 now."""
    streams = [
        _rows(database, layer, side, depth, after)
        for side, layers in enumerate((before, now))
        for depth, layer in enumerate(layers)
    ]
    for path, rows in groupby(heapq.merge(*streams), key=_path):
        sides: dict[int, EntryContent | None] = {}
        for _, side, _, row in rows:  # topmost first
            sides.setdefault(side, None if row[1] == REMOVED else EntryContent._make((*row[2:], row[1] == EXECUTABLE)))
        yield path, sides


def _rows(database: Database, layer: int, side: int, depth: int, after: str) -> Iterator[tuple[str, int, int, Any]]:
    """(path, side, depth, row) of every row beyond `after` of one layer, which names a path once."""
    statement = rows_of_layer(Columns.DIFFERING, False)
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
    return {info.path: EntryContent.of(info) for info in found}
