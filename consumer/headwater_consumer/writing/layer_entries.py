"""The entries of layers, as one transaction reads and writes them.

What it adds is held in memory and written once, when it ends: a draft that it opens and seals is compared with its base
and merged in memory. Layers that the database has are asked about together, before the first event is applied, as far
as that is foreseen. Layers that are held lie above all that are stored, since they are newer.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from headwater_schemas.paths import range_of_folder

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.layers.path_conflicts import first_path_conflict
from headwater_consumer.rows import REMOVED, EntryRow
from headwater_consumer.writing import statements
from headwater_consumer.writing.held_layers import KIND, LAYER, PATH, DraftLayerStack, HeldLayer, Row
from headwater_consumer.writing.layer_objects import LayerObjects
from headwater_consumer.writing.statements import ALL_PATHS, PathRange

ENTRIES_HELD_MAX = 50_000  # bounds the memory of a transaction; about 30 MB
PATHS_PER_QUERY = 5_000
ROWS_PER_STATEMENT = 50_000  # of the entries of a layer; seconds at most, where a statement has minutes
MERGED_IN_MEMORY_MAX = 5_000  # rows of stored layers; larger ones are merged where they are
ENTRIES_LOADED_MAX = 100_000  # that are remembered of stored layers
_NOTHING = HeldLayer(is_whole=True)


class LayerEntries:
    """The part of a `WorkingSet` that is about entries. See `projector.state` for what each query and change means."""

    def __init__(
        self, adapter: DatabaseAdapter, connect: Callable[[], Connection], row_count: Callable[[int], int]
    ) -> None:
        """`connect` gives the connection for the next statement, `row_count` how many rows a layer has."""
        self._adapter, self._connect, self._row_count = adapter, connect, row_count
        self._objects = LayerObjects(adapter, connect)
        self._held: dict[int, HeldLayer] = {}
        self._held_rows = 0
        self._loaded: dict[int, Mapping[str, Row]] = {}  # all rows of sealed layers that are stored, by path
        self._looked_up: dict[int, dict[str, Row | None]] = defaultdict(dict)  # some rows of such layers
        self._remembered = 0  # rows of both

    # --- writing

    def add(self, rows: Collection[Row]) -> None:
        """Add the rows of one event; all are of one layer."""
        if not rows:
            return
        layer = next(iter(rows))[LAYER]
        if layer not in self._held:
            self._held[layer] = HeldLayer(is_whole=self._row_count(layer) == 0)
        self._held[layer].add(rows)
        self._held_rows += len(rows)
        if self._held_rows >= ENTRIES_HELD_MAX:
            self.write()

    def write(self) -> None:
        """Write all that is held."""
        self._write(self._held)

    def remove_duplicates(self, layer: int) -> None:
        """Of each path's rows keep only the one that counts."""
        if (held := self._whole(layer)) is not None:
            self._held_rows -= held.count
            held.remove_duplicates()
            self._held_rows += held.count
            return
        self._write([layer])
        ranges = list(self._path_ranges(layer))
        for paths in ranges:
            statements.remove_duplicates(self._connect(), layer, paths)
        self._objects.removed(layer, ranges)

    def merge(self, layer: int, sources: Sequence[int], *, bottom: bool) -> int:
        """Write `sources`, topmost first, into the new `layer`; returns how many rows it then has.

        At the bottom, removals are not kept: there is nothing below that they would hide.
        """
        self._forget_if_many()
        self._load_if_small([source for source in sources if not self._is_in_memory(source)])
        in_memory = list(takewhile(self._is_in_memory, sources))
        stored = sources[len(in_memory) :]
        merged: dict[str, Row] = {}
        for source in reversed(in_memory):
            merged.update(self._rows_of(source))
        keeps_removals = bool(stored) or not bottom
        rows = [(layer, *row[1:]) for row in merged.values() if keeps_removals or row[KIND] != REMOVED]
        self._held[layer] = HeldLayer(is_whole=True)
        self.add(rows)
        return self._merge_stored(layer, len(rows), stored, bottom=bottom) if stored else len(rows)

    def drop(self, layer: int) -> None:
        """Delete all rows."""
        was_whole = self._whole(layer) is not None
        held = self._held.pop(layer, _NOTHING)
        self._held_rows -= held.count
        if not was_whole:
            for paths in self._path_ranges(layer):
                statements.remove_entries(self._connect(), layer, paths)
            self._objects.dropped(layer)

    # --- reading

    def prefetch(self, layers: Collection[int], keys: Iterable[tuple[int, str]]) -> None:
        """Load all of these sealed layers, and the rows with these (layer, path) of others. All of them are stored."""
        self._load([layer for layer in layers if layer not in self._loaded])
        self._look_up(keys)

    def duplicates(self, layer: int) -> Iterator[EntryRow]:
        if (held := self._whole(layer)) is not None:
            yield from (EntryRow(*row) for row in held.duplicates())
            return
        self._write([layer])
        for paths in self._path_ranges(layer):
            yield from statements.duplicates(self._connect(), layer, paths)

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterator[EntryRow]:
        for paths in self._pages_of_paths(layer):
            yield from (EntryRow(*row) for row in self._topmost(below, paths) if row[KIND] != REMOVED)

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        present: dict[str, bool] = {}
        for layer in reversed(layers):
            present.update((path, kind != REMOVED) for path, kind in self._kinds_in(layer, *range_of_folder(folder)))
        return sorted(path for path, is_present in present.items() if is_present)

    def path_conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        held = [self._held[layer] for layer in layers if layer in self._held]
        stored = [layer for layer in layers if layer not in self._held or not self._held[layer].is_whole]
        stack = DraftLayerStack(self._adapter, self._connect(), held, stored)
        return first_path_conflict(stack, paths)

    # --- what is in memory

    def _whole(self, layer: int) -> HeldLayer | None:
        """The layer, if the database has no rows of it."""
        if layer in self._held:
            held = self._held[layer]
            return held if held.is_whole else None
        return _NOTHING if self._row_count(layer) == 0 else None

    def _is_in_memory(self, layer: int) -> bool:
        """Whether all its rows are."""
        return layer in self._loaded or self._whole(layer) is not None

    def _rows_of(self, layer: int) -> Mapping[str, Row]:
        """Of a layer in memory, by path."""
        return self._loaded[layer] if layer in self._loaded else (self._whole(layer) or _NOTHING).by_path()

    def _topmost(self, layers: Sequence[int], paths: Sequence[str]) -> Iterator[Row]:
        """For each path the row that counts."""
        self._forget_if_many()
        stored = [layer for layer in layers if not self._is_in_memory(layer)]
        self._look_up((layer, path) for layer in stored for path in paths if path not in self._looked_up[layer])
        tables = [self._looked_up[n] if n in stored else self._rows_of(n) for n in layers]
        for path in paths:
            row = next(filter(None, (table.get(path) for table in tables)), None)
            if row is not None:
                yield row

    def _pages_of_paths(self, layer: int) -> Iterator[Sequence[str]]:
        """The paths of a layer, in order."""
        if (held := self._whole(layer)) is not None:
            paths = iter(sorted(held.by_path()))
            while page := list(islice(paths, PATHS_PER_QUERY)):
                yield page
            return
        self._write([layer])
        for paths_of_page in statements.path_ranges(self._connect(), layer, PATHS_PER_QUERY):
            yield statements.paths_between(self._connect(), layer, paths_of_page)

    def _kinds_in(self, layer: int, start: str, end: str) -> Iterator[tuple[str, int]]:
        """(path, kind) of the rows in `[start, end)`. Of several for a path, the one that counts is the last."""
        if layer not in self._loaded and self._whole(layer) is None:
            yield from statements.kinds_in_range(self._connect(), layer, start, end)
        rows = self._loaded[layer] if layer in self._loaded else self._held.get(layer, _NOTHING).by_path()
        yield from ((path, row[KIND]) for path, row in rows.items() if start <= path < end)

    # --- what is stored

    def _write(self, layers: Iterable[int]) -> None:
        """Write what is held of `layers`, which are then stored."""
        written = [self._held.pop(layer) for layer in list(layers) if layer in self._held]
        batches = [batch for held in written for batch in held.batches]
        if batches:
            self._adapter.insert_entries(self._connect(), batches)
            self._objects.written(batches)
        self._held_rows -= sum(map(len, batches))

    def _load_if_small(self, layers: Sequence[int]) -> None:
        """Load these layers, if they are small together."""
        if sum(map(self._row_count, layers)) <= MERGED_IN_MEMORY_MAX:
            self._load(layers)

    def _load(self, layers: Sequence[int]) -> None:
        self._write(layers)
        found: dict[int, dict[str, Row]] = {layer: {} for layer in layers}
        for row in self._adapter.load_layers(self._connect(), layers) if layers else ():
            found[row[LAYER]][row[PATH]] = row
        self._loaded.update(found)
        self._remembered += sum(map(len, found.values()))

    def _look_up(self, keys: Iterable[tuple[int, str]]) -> None:
        wanted = list(keys)
        self._write({layer for layer, _ in wanted})
        for layer, path in wanted:
            self._looked_up[layer][path] = None
        for row in self._adapter.load_entries(self._connect(), wanted) if wanted else ():
            self._looked_up[row[LAYER]][row[PATH]] = row
        self._remembered += len(wanted)

    def _forget_if_many(self) -> None:
        if self._remembered > ENTRIES_LOADED_MAX:
            self._loaded.clear()
            self._looked_up.clear()
            self._remembered = 0

    def _merge_stored(self, layer: int, rows: int, stored: Sequence[int], *, bottom: bool) -> int:
        """Add to `layer`, which has `rows`, what it does not name of layers that are stored."""
        self._write([layer, *stored])
        for source in stored:
            for paths in self._path_ranges(source):
                rows += statements.copy_unnamed(self._connect(), source, layer, paths)
        if bottom:
            for paths in self._ranges(layer, rows):
                rows -= statements.remove_removals(self._connect(), layer, paths)
        self._objects.copied(layer, self._ranges(layer, rows))
        return rows

    def _path_ranges(self, layer: int) -> Iterable[PathRange]:
        """All paths of a stored layer, in as few ranges as a statement each allows."""
        return self._ranges(layer, self._row_count(layer))

    def _ranges(self, layer: int, rows: int) -> Iterable[PathRange]:
        if rows <= ROWS_PER_STATEMENT:
            return (ALL_PATHS,)
        return statements.path_ranges(self._connect(), layer, ROWS_PER_STATEMENT)
