"""What a chain of layers shows at some paths and under some folders, and what therefore cannot join it.

A chain is given topmost first. For a path the topmost layer that names it counts; within a layer, which may be a
draft's, its last row. A mark of removal shows nothing.

No path is a file and a folder at once, and none looks like another one to a reader. Of the many spellings that Unicode
allows for a text the two are looked for that people's machines make: all composed (NFC) and all decomposed (NFD).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Protocol

from headwater_schemas.paths import folders_of, other_spellings, range_of_folder
from sqlalchemy import Connection, bindparam, select

from headwater_consumer.asking import Statement
from headwater_consumer.bulk import KEYS_PER_STATEMENT_MAX, padded, starts_of_ranges_with
from headwater_consumer.rows import REMOVED, EntryRow

ENTRIES = EntryRow.table
ROWS_PER_LOOK = 1000  # under one folder, looked at in one go
LEAPS_MAX = 8  # single look-ups before all that is left is asked for together, which costs more to begin with


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What goes at the same time, and so is in nobody's way."""

    paths: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, paths: Collection[str], folders: Collection[str]) -> "TakenOut":
        return cls(frozenset(paths), frozenset(folders))

    def has(self, path: str) -> bool:
        """Whether `path` goes."""
        return path in self.paths or self._is_within(path)

    def has_all_under(self, folder: str) -> bool:
        """Whether `folder` goes as a whole."""
        return folder in self.folders or self._is_within(folder)

    def _is_within(self, path: str) -> bool:
        return bool(self.folders) and not self.folders.isdisjoint(folders_of(path))


NOTHING_TAKEN_OUT = TakenOut()


class Chain(Protocol):
    """Layers laid over each other."""

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        """`rows.kind` of what counts at those of `paths` that any layer names."""
        ...

    def perhaps_folders(self, names: Collection[str]) -> set[str]:
        """Those of `names` under which a layer has an entry, be it hidden by the layers above."""
        ...

    def first_under(self, folder: str, taken_out: TakenOut = NOTHING_TAKEN_OUT) -> str | None:
        """The first path under `folder` that is shown and stays."""
        ...


def first_conflict(
    chain_: Chain, paths: Sequence[str], taken_out: TakenOut = NOTHING_TAKEN_OUT
) -> tuple[str, str] | None:
    """The first of `paths` that cannot join what a chain shows, and the path there that is in its way."""
    alike = {path: _look_alikes(path) for path in paths if not path.isascii()}
    looking_alike = set(chain.from_iterable(alike.values()))
    entries = _entries_among(chain_, _folders(paths) | looking_alike, taken_out)
    folders = _folders_among(chain_, looking_alike.union(paths), taken_out)
    if not entries and not folders:
        return None
    for path in paths:
        others = alike.get(path, ())
        if entry := next((name for name in (*folders_of(path), *others) if name in entries), None):
            return path, entry
        if folder := next((name for name in (path, *others) if name in folders), None):
            return path, folders[folder]
    return None


def _look_alikes(path: str) -> list[str]:
    """Other spellings of `path` and of its folders."""
    return [other for name in (*folders_of(path), path) for other in other_spellings(name)]


def _folders(paths: Iterable[str]) -> set[str]:
    direct = {path.rpartition("/")[0] for path in paths}
    direct.discard("")
    return direct.union(*map(folders_of, direct))


def _entries_among(chain_: Chain, names: Collection[str], taken_out: TakenOut) -> set[str]:
    kinds = chain_.kinds_at(names)
    return {name for name, kind in kinds.items() if kind != REMOVED and not taken_out.has(name)}


def _folders_among(chain_: Chain, names: Collection[str], taken_out: TakenOut) -> dict[str, str]:
    """Those of `names` that are folders: the first path under each."""
    found: dict[str, str] = {}
    for folder in chain_.perhaps_folders(names):
        first = None if taken_out.has_all_under(folder) else chain_.first_under(folder, taken_out)
        if first is not None:
            found[folder] = first
    return found


class StoredChain:
    """A chain as it is in the database."""

    def __init__(self, connection: Connection, layers: Sequence[int]) -> None:
        self._connection = connection
        self.layers = list(layers)
        self._depth = {layer: depth for depth, layer in enumerate(layers)}

    def kinds_at(self, paths: Collection[str]) -> dict[str, int]:
        if not self.layers:
            return {}
        numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(self.layers))}
        wanted, kinds = list(paths), {}
        for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
            chunk = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
            texts = {f"path_{i}": path for i, path in enumerate(chunk)}
            rows = _kinds(len(numbers), len(chunk)).tuples(self._connection, **numbers, **texts)
            rows.sort(key=lambda row: (-self._depth[row[0]], row[1]))  # what counts comes last
            kinds.update({path: kind for _, _, path, kind in rows})
        return kinds

    def perhaps_folders(self, names: Collection[str]) -> set[str]:
        ranges = sorted((*range_of_folder(name), name) for name in names)
        return {name for layer in self.layers for name in self._with_rows(layer, ranges)}

    def first_under(self, folder: str, taken_out: TakenOut = NOTHING_TAKEN_OUT) -> str | None:
        after, end = range_of_folder(folder)
        while True:
            pages = [self._paths_of(layer, after, end) for layer in self.layers]
            # Beyond the shortest page that is full nobody knows yet what a layer says.
            last = min((page[-1] for page in pages if len(page) == ROWS_PER_LOOK), default=None)
            named = sorted({path for page in pages for path in page if last is None or path <= last})
            kinds = self.kinds_at(named)
            for path in named:
                if kinds[path] != REMOVED and not taken_out.has(path):
                    return path
            if last is None:
                return None
            after = last

    def _paths_of(self, layer: int, after: str, end: str) -> list[str]:
        rows = _paths_between().tuples(self._connection, layer=layer, after=after, end=end, limit=ROWS_PER_LOOK)
        return [path for (path,) in rows]

    def _with_rows(self, layer: int, ranges: Sequence[tuple[str, str, str]]) -> list[str]:
        """The names of those ranges, by start, in which a layer has an entry.

        Where rows and ranges lie apart, as those of writers with a folder each, a few leaps over both tell.
        """
        found: list[str] = []
        row, leaps = "", 0
        for i, (start, end, name) in enumerate(ranges):
            if row < start:
                if leaps == LEAPS_MAX:
                    left = [(start, end) for start, end, _ in ranges[i:]]
                    return found + [start[:-1] for start in starts_of_ranges_with(self._connection, layer, left)]
                leaps += 1
                answer = _first_from().first(self._connection, layer=layer, start=start)
                if answer is None:
                    return found
                row = answer.path
            if row < end:
                found.append(name)
        return found


# --- statements -------------------------------------------------------------------------------------------------


@cache
def _kinds(layers: int, paths: int) -> Statement:
    in_layers = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    columns = (ENTRIES.c.layer, ENTRIES.c.ordinal, ENTRIES.c.path, ENTRIES.c.kind)
    return Statement(select(*columns).where(in_layers, of_paths))


@cache
def _paths_between() -> Statement:
    return Statement(
        select(ENTRIES.c.path)
        .where(
            ENTRIES.c.layer == bindparam("layer"),
            ENTRIES.c.path > bindparam("after"),
            ENTRIES.c.path < bindparam("end"),
            ENTRIES.c.kind != REMOVED,
        )
        .order_by(ENTRIES.c.path)
        .limit(bindparam("limit"))
    )


@cache
def _first_from() -> Statement:
    return Statement(
        select(ENTRIES.c.path)
        .where(ENTRIES.c.layer == bindparam("layer"), ENTRIES.c.path >= bindparam("start"), ENTRIES.c.kind != REMOVED)
        .order_by(ENTRIES.c.path)
        .limit(1)
    )
