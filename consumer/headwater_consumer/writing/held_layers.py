"""Layers whose rows a transaction added and has not written yet, and a draft's layers with them on top."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from headwater_schemas.paths import folders_of_all

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.layers.path_conflicts import NO_EXCLUSIONS, Exclusions
from headwater_consumer.layers.stored import StoredLayerStack
from headwater_consumer.rows import REMOVED, FileRows

Row = tuple[Any, ...]  # in the order of EntryRow's fields
LAYER, PATH, ORDINAL, KIND = 0, 1, 2, 4


class HeldLayer:
    """Rows of one layer. They are indexed by path only when something is asked about them."""

    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole  # the database has no rows of this layer
        self.count = 0
        self.batches: list[Collection[Row]] = []  # the rows of one event each, by ordinal
        self._indexed = 0  # batches
        self._by_path: dict[str, Row] = {}
        self._folders: set[str] = set()

    def add(self, rows: Collection[Row]) -> None:
        """Add the rows of one event."""
        self.batches.append(rows)
        self.count += len(rows)
        if len(self.batches) > 1 and _ordinal(rows) < _ordinal(self.batches[-2]):
            # One key in two partitions: whoever comes first here, the higher ordinal counts.
            self.batches.sort(key=_ordinal)
            self._indexed = 0

    def rows(self) -> Iterator[Row]:
        """By ordinal."""
        return chain.from_iterable(self.batches)

    def by_path(self) -> Mapping[str, Row]:
        """The row that counts, by path."""
        for rows in self.batches[self._indexed :]:
            self._by_path.update(zip(_paths(rows), rows, strict=True))
            added = (row[PATH] for row in rows if row[KIND] != REMOVED)
            self._folders |= folders_of_all(added, known=self._folders)
        self._indexed = len(self.batches)
        return self._by_path

    def folders(self) -> Collection[str]:
        """The folders that something was added to, even if that was removed again."""
        self.by_path()
        return self._folders

    def duplicates(self) -> list[Row]:
        """All rows of each path that has several, by path and ordinal."""
        if len(set(chain.from_iterable(map(_paths, self.batches)))) == self.count:
            return []
        counts: dict[str, int] = {}
        for row in self.rows():
            counts[row[PATH]] = counts.get(row[PATH], 0) + 1
        return sorted((row for row in self.rows() if counts[row[PATH]] > 1), key=itemgetter(PATH, ORDINAL))

    def remove_duplicates(self) -> None:
        """Keep only the rows that count."""
        self.batches = [sorted(self.by_path().values(), key=itemgetter(ORDINAL))]
        self._indexed = 1
        self.count = len(self._by_path)


class DraftLayerStack:
    """A `LayerStack`: layers that are held, on top of those that are stored."""

    def __init__(
        self, adapter: DatabaseAdapter, connection: Connection, held: Sequence[HeldLayer], stored: Sequence[int]
    ) -> None:
        """Topmost first."""
        self._held = held
        self._stored = StoredLayerStack(adapter, connection, stored)

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        known = self._held_kinds(paths)
        return self._stored.kinds_at([path for path in paths if path not in known]) | known

    def possible_folders(self, names: Collection[str]) -> set[str]:
        found = {name for name in names if any(name in layer.folders() for layer in self._held)}
        return found | self._stored.possible_folders([name for name in names if name not in found])

    def first_under(self, folder: str, exclusions: Exclusions = NO_EXCLUSIONS) -> str | None:
        named = {path for layer in self._held for path in layer.by_path() if path.startswith(f"{folder}/")}
        kinds = self._held_kinds(named)
        own = [path for path, kind in kinds.items() if kind != REMOVED and not exclusions.covers(path)]
        below = self._stored.first_under(folder, Exclusions(exclusions.paths.union(named), exclusions.folders))
        return min([*own, *([] if below is None else [below])], default=None)

    def _held_kinds(self, paths: Collection[str]) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for layer in reversed(self._held):
            rows = layer.by_path()
            kinds.update((path, rows[path][KIND]) for path in paths if path in rows)
        return kinds


def _ordinal(rows: Collection[Row]) -> int:
    """That of a batch."""
    ordinal: int = next(iter(rows))[ORDINAL]
    return ordinal


def _paths(rows: Collection[Row]) -> Iterable[str]:
    return rows.paths if isinstance(rows, FileRows) else map(itemgetter(PATH), rows)
