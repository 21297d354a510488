"""A stack of layers as the database has it.

Layers are given topmost first. For a path the topmost layer that names it counts; within a layer, which may be a
draft's, its last row. A removal hides the path.
"""

from collections.abc import Collection, Sequence

from headwater_schemas.paths import range_of_folder

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import ENTRIES
from headwater_consumer.layers.path_conflicts import NO_EXCLUSIONS, Exclusions
from headwater_consumer.rows import REMOVED

ROWS_PER_PAGE = 1000  # of the paths under one folder
SEEKS_MAX = 8  # single look-ups before the rest is queried at once, which has a higher fixed cost


class StoredLayerStack:
    """A `LayerStack` in the database."""

    def __init__(self, adapter: DatabaseAdapter, connection: Connection, layers: Sequence[int]) -> None:
        self._adapter, self._connection = adapter, connection
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
            rows.sort(key=lambda row: (-self._depth[row[0]], row[1]))  # the row that counts comes last
            kinds.update({path: kind for _, _, path, kind in rows})
        return kinds

    def possible_folders(self, names: Collection[str]) -> set[str]:
        ranges = sorted((*range_of_folder(name), name) for name in names)
        return {name for layer in self.layers for name in self._with_rows(layer, ranges)}

    def first_under(self, folder: str, exclusions: Exclusions = NO_EXCLUSIONS) -> str | None:
        after, end = range_of_folder(folder)
        while True:
            pages = [self._paths_of(layer, after, end) for layer in self.layers]
            # Beyond the end of the shortest full page, not every layer was read.
            last = min((page[-1] for page in pages if len(page) == ROWS_PER_PAGE), default=None)
            named = sorted({path for page in pages for path in page if last is None or path <= last})
            kinds = self.kinds_at(named)
            for path in named:
                if kinds[path] != REMOVED and not exclusions.covers(path):
                    return path
            if last is None:
                return None
            after = last

    def _paths_of(self, layer: int, after: str, end: str) -> list[str]:
        rows = _paths_between().tuples(self._connection, layer=layer, after=after, end=end, limit=ROWS_PER_PAGE)
        return [path for (path,) in rows]

    def _with_rows(self, layer: int, ranges: Sequence[tuple[str, str, str]]) -> list[str]:
        """The names of those ranges, sorted by start, in which a layer has an entry.

        Where rows and ranges lie apart, as those of writers with a folder each, a few seeks over both suffice.
        """
        found: list[str] = []
        row, seeks = "", 0
        for i, (start, end, name) in enumerate(ranges):
            if row < start:
                if seeks == SEEKS_MAX:
                    left = [(start, end) for start, end, _ in ranges[i:]]
                    starts = self._adapter.ranges_with_entries(self._connection, layer, left)
                    return found + [start[:-1] for start in starts]
                seeks += 1
                next_row = _first_from().first(self._connection, layer=layer, start=start)
                if next_row is None:
                    return found
                row = next_row.path
            if row < end:
                found.append(name)
        return found


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _kinds(layers: int, paths: int) -> Statement:
    in_layers = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    columns = (ENTRIES.c.layer, ENTRIES.c.ordinal, ENTRIES.c.path, ENTRIES.c.kind)
    return select(*columns).where(in_layers, of_paths)


@compiled
def _paths_between() -> Statement:
    return (
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


@compiled
def _first_from() -> Statement:
    return (
        select(ENTRIES.c.path)
        .where(ENTRIES.c.layer == bindparam("layer"), ENTRIES.c.path >= bindparam("start"), ENTRIES.c.kind != REMOVED)
        .order_by(ENTRIES.c.path)
        .limit(1)
    )
