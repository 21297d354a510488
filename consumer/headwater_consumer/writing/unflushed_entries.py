"""Entries that a batch of events added and the database does not have yet, and a draft's layers with them on top."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from headwater_schemas.paths import folders_of_all
from sqlalchemy import Connection

from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.layers.path_conflicts import NO_EXCLUSIONS, Exclusions
from headwater_consumer.layers.stored import StoredLayerStack
from headwater_consumer.rows import REMOVED

Rows = Sequence[tuple[Any, ...]]  # in the order of EntryRow's fields
_LAYER, _PATH, _KIND = 0, 1, 4


class UnflushedEntries:
    """Rows by layer; a layer's rows are indexed by path only when something is asked about it."""

    def __init__(self) -> None:
        self._pending: dict[int, list[Rows]] = defaultdict(list)  # not indexed yet
        self._kinds: dict[int, dict[str, int]] = defaultdict(dict)
        # These two include what was flushed: to the end of the transaction.
        self._folders: dict[int, set[str]] = defaultdict(set)
        self._counts: Counter[int] = Counter()  # rows that were indexed
        self._flushed: set[int] = set()  # layers of which some rows were

    def add(self, rows: Rows) -> None:
        """Add rows of one layer; later ones count."""
        if rows:
            self._pending[rows[0][_LAYER]].append(rows)

    def clear(self) -> None:
        """Forget the rows: they were flushed."""
        for layer in [layer for layer in self._pending if layer in self._folders]:
            self._index(layer)
        self._flushed.update(self._folders)
        self._pending.clear()
        self._kinds.clear()

    def holds(self, layers: Iterable[int]) -> bool:
        """Whether any of `layers` has rows that the database does not have."""
        return any(self._pending.get(layer) or self._kinds.get(layer) for layer in layers)

    def kinds(self, layer: int) -> Mapping[str, int]:
        """`EntryRow.kind` of the row that counts, by path, of what is unflushed."""
        self._index(layer)
        return self._kinds[layer]

    def folders(self, layer: int) -> Collection[str]:
        """The folders that this transaction added something to, even if that was removed again."""
        self._index(layer)
        return self._folders[layer]

    def knows_all_folders(self, layer: int, row_count: int) -> bool:
        """Whether all of the layer's rows were added by this transaction, so that `folders` has every folder."""
        self._index(layer)
        return self._counts[layer] == row_count

    def has_all_rows(self, layer: int, row_count: int) -> bool:
        """Whether all of the layer's rows are here, so that the database has none."""
        return self.knows_all_folders(layer, row_count) and layer not in self._flushed

    def _index(self, layer: int) -> None:
        kinds, folders = self._kinds[layer], self._folders[layer]
        for rows in self._pending.pop(layer, ()):
            self._counts[layer] += len(rows)
            kinds.update([(row[_PATH], row[_KIND]) for row in rows])
            folders |= folders_of_all((row[_PATH] for row in rows if row[_KIND] != REMOVED), known=folders)


class DraftLayerStack:
    """A `LayerStack`: a draft's layer, with its unflushed rows, on top of its base."""

    def __init__(
        self,
        adapter: DatabaseAdapter,
        connection: Connection,
        layers: Sequence[int],
        unflushed: UnflushedEntries,
        *,
        row_count: int,
    ) -> None:
        """`row_count`: how many rows the draft's layer has, flushed or not."""
        own, *base = layers
        self._kinds, self._folders = unflushed.kinds(own), unflushed.folders(own)
        has_all, knows_all = unflushed.has_all_rows(own, row_count), unflushed.knows_all_folders(own, row_count)
        self._stored = StoredLayerStack(adapter, connection, base if has_all else layers)
        self._with_unknown_folders = StoredLayerStack(adapter, connection, base if knows_all else layers)

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        known = {path: self._kinds[path] for path in paths if path in self._kinds}
        return self._stored.kinds_at([path for path in paths if path not in known]) | known

    def possible_folders(self, names: Collection[str]) -> set[str]:
        found = {name for name in names if name in self._folders}
        return found | self._with_unknown_folders.possible_folders([name for name in names if name not in found])

    def first_under(self, folder: str, exclusions: Exclusions = NO_EXCLUSIONS) -> str | None:
        within = {path: kind for path, kind in self._kinds.items() if path.startswith(f"{folder}/")}
        own = [path for path, kind in within.items() if kind != REMOVED and not exclusions.covers(path)]
        below = self._stored.first_under(folder, Exclusions(exclusions.paths.union(within), exclusions.folders))
        return min([*own, *([] if below is None else [below])], default=None)
