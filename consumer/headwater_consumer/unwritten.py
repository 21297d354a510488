"""Entries that a batch of events brought and the database does not have yet: what a draft shows with them on top."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headwater_schemas.paths import folders_of
from sqlalchemy import Connection

from headwater_consumer.rows import REMOVED
from headwater_consumer.shown import NOTHING_TAKEN_OUT, StoredChain, TakenOut

Rows = Sequence[tuple[Any, ...]]  # in the order of EntryRow's fields
_LAYER, _PATH, _KIND = 0, 1, 4


class Unwritten:
    """Rows by layer; what is asked about is looked at path by path only then."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Rows]] = defaultdict(list)  # not looked at yet
        self._kinds: dict[int, dict[str, int]] = defaultdict(dict)
        # Of what is written by now as well: to the end of the transaction.
        self._folders: dict[int, set[str]] = defaultdict(set)
        self._counts: Counter[int] = Counter()  # rows that were looked at
        self._written: set[int] = set()  # layers of which some rows are

    def add(self, rows: Rows) -> None:
        """Take rows of one layer in; later ones count."""
        if rows:
            self._waiting[rows[0][_LAYER]].append(rows)

    def clear(self) -> None:
        """They are written."""
        for layer in [layer for layer in self._waiting if layer in self._folders]:
            self._look_at(layer)
        self._written.update(self._folders)
        self._waiting.clear()
        self._kinds.clear()

    def kinds(self, layer: int) -> Mapping[str, int]:
        """`rows.kind` of what counts, by path, of what is unwritten."""
        self._look_at(layer)
        return self._kinds[layer]

    def folders(self, layer: int) -> Collection[str]:
        """The folders that this transaction put something into; it may be gone again."""
        self._look_at(layer)
        return self._folders[layer]

    def brought(self, layer: int, rows: int) -> bool:
        """Whether all of the layer's `rows` came in this transaction, so that `folders` knows every folder."""
        self._look_at(layer)
        return self._counts[layer] == rows

    def holds_all(self, layer: int, rows: int) -> bool:
        """Whether all of the layer's `rows` are here, so that the database has none."""
        return self.brought(layer, rows) and layer not in self._written

    def _look_at(self, layer: int) -> None:
        kinds, folders = self._kinds[layer], self._folders[layer]
        for rows in self._waiting.pop(layer, ()):
            self._counts[layer] += len(rows)
            kinds.update([(row[_PATH], row[_KIND]) for row in rows])
            direct = {row[_PATH].rpartition("/")[0] for row in rows if row[_KIND] != REMOVED} - folders - {""}
            folders.update(direct, *map(folders_of, direct))


class DraftChain:
    """A `shown.Chain`: a draft's layer with what is unwritten of it, on top of its base."""

    def __init__(
        self, connection: Connection, layers: Sequence[int], unwritten: Unwritten, *, rows_in_all: int
    ) -> None:
        """`rows_in_all`: how many rows the draft's layer has, written or not."""
        own, *base = layers
        self._kinds, self._folders = unwritten.kinds(own), unwritten.folders(own)
        self._stored = StoredChain(connection, base if unwritten.holds_all(own, rows_in_all) else layers)
        self._with_unknown_folders = StoredChain(connection, base if unwritten.brought(own, rows_in_all) else layers)

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        known = {path: self._kinds[path] for path in paths if path in self._kinds}
        return self._stored.kinds_at([path for path in paths if path not in known]) | known

    def perhaps_folders(self, names: Collection[str]) -> set[str]:
        found = {name for name in names if name in self._folders}
        return found | self._with_unknown_folders.perhaps_folders([name for name in names if name not in found])

    def first_under(self, folder: str, taken_out: TakenOut = NOTHING_TAKEN_OUT) -> str | None:
        within = {path: kind for path, kind in self._kinds.items() if path.startswith(f"{folder}/")}
        there = [path for path, kind in within.items() if kind != REMOVED and not taken_out.has(path)]
        below = self._stored.first_under(folder, TakenOut(taken_out.paths.union(within), taken_out.folders))
        return min([*there, *([] if below is None else [below])], default=None)
