"""What differs between two versions: found by the layers that they do not share.

Versions that came of each other share the lower end of their chains. What those layers say both versions show, unless a
layer above says otherwise, so only paths of the layers above can differ. The cost follows those, not the versions.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.queries.entries import rows_of_layer, shown_at
from headwater_consumer.rows import REMOVED

PATHS_PER_PAGE = 5000  # bounds the memory of a page, and how long one snapshot is held

_COLUMNS = ("path", "kind", "size", "digest", "uri", "checksum", "object_version")
_path = itemgetter(0)


class Held(NamedTuple):
    """What a version has at a path, wherever its bytes are."""

    size: int | None  # bytes; None for a reference of unknown size
    digest: bytes | None  # stored form; None for a reference
    uri: str | None  # None for a file
    checksum: str | None
    object_version: str | None


class Difference(NamedTuple):
    """A path at which two versions differ."""

    path: str
    before: Held | None  # None: it is not there
    after: Held | None


def difference(database: Database, before: Sequence[int], after: Sequence[int]) -> Iterator[list[Difference]]:
    """The paths at which two chains of layers show different things, by path and in pages. No page is empty.

    Content is compared by digest: the same bytes under different algorithms differ.
    Cost: the rows of the layers that the chains do not share, and one index look-up for most of them.
    """
    shared = _shared_end(before, after)
    own = before[: len(before) - len(shared)], after[: len(after) - len(shared)]
    paths = _named(database, *own)
    while named := list(islice(paths, PATHS_PER_PAGE)):
        below = _shown(database, shared, [path for path, said in named if len(said) == 1])
        page = []
        for path, said in named:
            old, new = said.get(0, below.get(path)), said.get(1, below.get(path))
            if old != new:
                page.append(Difference(path, old, new))
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
) -> Iterator[tuple[str, dict[int, Held | None]]]:
    """Each path that any of these layers names, with what the topmost of each side says: 0 before, 1 after."""
    streams = [
        _rows(database, layer, side, depth)
        for side, layers in enumerate((before, after))
        for depth, layer in enumerate(layers)
    ]
    for path, rows in groupby(heapq.merge(*streams), key=_path):
        said: dict[int, Held | None] = {}
        for _, side, _, row in rows:  # topmost first
            said.setdefault(side, None if row[1] == REMOVED else Held(*row[2:]))
        yield path, said


def _rows(database: Database, layer: int, side: int, depth: int) -> Iterator[tuple[str, int, int, Any]]:
    """(path, side, depth, row) of every row of one layer, which names a path once."""
    after, statement = "", rows_of_layer(_COLUMNS, False)
    while True:
        with database.snapshot() as connection:
            rows = statement.tuples(connection, layer=layer, after=after, limit=PATHS_PER_PAGE)
        for row in rows:
            yield row[0], side, depth, row
        if len(rows) < PATHS_PER_PAGE:
            return
        after = rows[-1][0]


def _shown(database: Database, layers: Sequence[int], paths: Sequence[str]) -> dict[str, Held]:
    """What the chain shows at `paths`; those that it does not have are left out."""
    if not layers or not paths:
        return {}
    with database.snapshot() as connection:
        found = shown_at(connection, layers, paths)
    return {info.path: Held(info.size, info.digest, info.uri, info.checksum, info.object_version) for info in found}
