"""The rows that a batch of events reads and writes, held in memory until the batch is written at once.

Single rows are cached by their lookup key, loaded in bulk by `prefetch`, and written back together by `flush`; only
queries that range over many rows go to the database, after a flush. A batch of a thousand commits costs a few
dozen statements this way.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from headwater_schemas.paths import range_of_folder
from sqlalchemy import Connection

from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.layers.path_conflicts import first_path_conflict
from headwater_consumer.projector.state import (
    AddEntries,
    Change,
    Delete,
    DropLayer,
    DropWriters,
    MergeLayers,
    Put,
    RemoveDuplicates,
    RetireSessions,
)
from headwater_consumer.rows import (
    REMOVED,
    AliasRow,
    DraftWriterRow,
    EntryRow,
    LayerRow,
    ParkedRecordRow,
    ProjectionRow,
)
from headwater_consumer.writing import statements
from headwater_consumer.writing.statements import ALL_PATHS, PathRange
from headwater_consumer.writing.unflushed_entries import DraftLayerStack, UnflushedEntries

R = TypeVar("R", bound=ProjectionRow)
Key = tuple[Any, ...]

ENTRIES_PER_FLUSH_MAX = 50_000  # bounds the memory of a batch; about 30 MB
HIDDEN_PATHS_PER_QUERY = 5_000
ROWS_PER_STATEMENT = 50_000  # of the entries of a layer; seconds at most, where a statement has minutes


class WorkingSet:
    """The `State` of one transaction. See `projector.state.State` for what each query means."""

    def __init__(
        self, adapter: DatabaseAdapter, connection: Connection, progress: Callable[[], None] | None = None
    ) -> None:
        """`progress` is called before each statement."""
        self._adapter = adapter
        self._given = connection
        self._progress = progress
        self.written: Counter[type[ProjectionRow]] = Counter()  # rows that were flushed
        self._rows: dict[type[ProjectionRow], dict[Key, ProjectionRow | None]] = defaultdict(dict)
        self._changed: dict[type[ProjectionRow], dict[Key, ProjectionRow]] = defaultdict(dict)
        self._deleted: dict[type[ProjectionRow], dict[Key, None]] = defaultdict(dict)
        self._entries: list[tuple[object, ...]] = []
        self._unflushed = UnflushedEntries()  # the same, by layer and path

    @property
    def _connection(self) -> Connection:
        """For the next statement."""
        if self._progress is not None:
            self._progress()
        return self._given

    # --- reading

    def prefetch(self, keys: Iterable[tuple[type[ProjectionRow], Key]]) -> None:
        """Load these rows, given as (type, lookup key), with as few statements as there are tables."""
        wanted: dict[type[ProjectionRow], dict[Key, None]] = defaultdict(dict)
        for row_type, key in keys:
            if key not in self._rows[row_type]:
                wanted[row_type][key] = None
        for row_type, of_type in wanted.items():
            found = self._adapter.load_rows(self._connection, row_type, list(of_type))
            self._rows[row_type].update(dict.fromkeys(of_type))
            self._rows[row_type].update((row_type.lookup(row), row) for row in found)

    def get(self, row_type: type[R], *key: object) -> R | None:
        cached = self._rows[row_type]
        if key not in cached:
            found = self._adapter.load_rows(self._connection, row_type, [key])
            cached[key] = found[0] if found else None
        return cached[key]  # type: ignore[return-value]

    def duplicates(self, layer: int) -> Iterator[EntryRow]:
        self.flush()
        for paths in self._path_ranges(layer):
            yield from statements.duplicates(self._connection, layer, paths)

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterator[EntryRow]:
        self.flush()
        for paths in statements.path_ranges(self._connection, layer, HIDDEN_PATHS_PER_QUERY):
            rows = statements.rows_below(self._connection, layer, below, paths)
            depth = {number: i for i, number in enumerate(below)}
            rows.sort(key=lambda row: (row.path, depth[row.layer]))
            for _, of_path in groupby(rows, key=lambda row: row.path):
                topmost = next(of_path)
                if topmost.kind != REMOVED:
                    yield topmost

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        self.flush()
        present: dict[str, bool] = {}
        for layer in reversed(layers):
            # Within a layer later rows come later, so that the last one counts.
            for path, kind in statements.kinds_in_range(self._connection, layer, *range_of_folder(folder)):
                present[path] = kind != REMOVED
        return sorted(path for path, is_present in present.items() if is_present)

    def path_conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        # Without a flush for the draft's own rows, which for every event of a shared draft would cost more than the
        # query. A base that was sealed in this batch may have such rows too, and they are few.
        if self._unflushed.holds(layers[1:]):
            self.flush()
        own = self.get(LayerRow, layers[0])
        row_count = 0 if own is None else own.row_count
        stack = DraftLayerStack(self._adapter, self._connection, layers, self._unflushed, row_count=row_count)
        return first_path_conflict(stack, paths)

    def open_aliases(self, collection: str, version: int) -> list[AliasRow]:
        self.flush()
        return statements.open_aliases(self._connection, collection, version)

    def newest_live_version(self, collection: str, *, other_than: int) -> int | None:
        self.flush()
        return statements.newest_live_version(self._connection, collection, other_than)

    def lowest_live_version_with(self, collection: str, digest: str, *, other_than: int) -> int | None:
        self.flush()
        return statements.lowest_live_version_with(self._connection, collection, digest, other_than)

    def waiting_commits(self, collection: str, draft: str) -> list[DraftWriterRow]:
        self.flush()
        return statements.waiting_commits(self._connection, collection, draft)

    def parked_records(self, partition: int, key: str) -> list[ParkedRecordRow]:
        self.flush()
        return statements.parked_records(self._connection, partition, key)

    # --- writing

    def write(self, changes: Iterable[Change]) -> None:
        """Apply changes to the working set; they reach the database with the next flush."""
        for change in changes:
            match change:
                case Put(row):
                    self._put(row)
                case AddEntries(rows):
                    self._entries.extend(rows)
                    self._unflushed.add(rows)
                    if len(self._entries) >= ENTRIES_PER_FLUSH_MAX:
                        self.flush()
                case RemoveDuplicates(layer):
                    self._remove_duplicates(layer)
                case MergeLayers(layer, layers, bottom):
                    self._merge(layer, layers, bottom=bottom)
                case DropLayer(layer):
                    self._drop_layer(layer)
                case Delete(row):
                    self._delete(row)
                case DropWriters(collection, draft):
                    self._drop_writers(collection, draft)
                case RetireSessions():
                    self._retire(change)

    def flush(self) -> None:
        """Write everything that changed to the database, in bulk."""
        if self._entries:
            self._adapter.insert_entries(self._connection, self._entries)
            self._entries = []
            self._unflushed.clear()
        # In the order of their keys: transactions that share rows lock them in one order, and none waits in a circle.
        for row_type, keys in self._deleted.items():
            if keys:
                self._adapter.delete_rows(self._connection, row_type, sorted(keys))
                keys.clear()
        for row_type, rows in self._changed.items():
            if rows:
                self._adapter.upsert_rows(self._connection, row_type, [row for _, row in sorted(rows.items())])
                self.written[row_type] += len(rows)
                rows.clear()

    def _put(self, row: ProjectionRow) -> None:
        row_type = type(row)
        primary = _primary_key(row)
        self._changed[row_type][primary] = row
        self._deleted[row_type].pop(primary, None)
        closed = row_type.is_fact and row.to_position is not None  # type: ignore[attr-defined]
        self._rows[row_type][row_type.lookup(row)] = None if closed else row

    def _delete(self, row: ProjectionRow) -> None:
        row_type = type(row)
        primary = _primary_key(row)
        self._changed[row_type].pop(primary, None)
        self._deleted[row_type][primary] = None
        self._rows[row_type][row_type.lookup(row)] = None

    def _remove_duplicates(self, layer: int) -> None:
        self.flush()
        for paths in self._path_ranges(layer):
            statements.remove_duplicates(self._connection, layer, paths)

    def _merge(self, layer: int, layers: Sequence[int], *, bottom: bool) -> None:
        """At the bottom, removals are not kept: there is nothing below that they would hide."""
        self.flush()
        ranges = [(source, paths) for source in layers for paths in self._path_ranges(source)]
        rows = sum(statements.copy_unnamed(self._connection, source, layer, paths) for source, paths in ranges)
        merges = 1 + max(row.merges for source in layers if (row := self.get(LayerRow, source)) is not None)
        self._put(LayerRow(layer, rows, merges))
        if bottom:
            ranges_of_all = self._path_ranges(layer)
            rows -= sum(statements.remove_removals(self._connection, layer, paths) for paths in ranges_of_all)
            self._put(LayerRow(layer, rows, merges))

    def _drop_layer(self, layer: int) -> None:
        self.flush()
        for paths in self._path_ranges(layer):
            statements.remove_entries(self._connection, layer, paths)
        statements.drop_layer(self._connection, layer)
        self._rows[LayerRow][(layer,)] = None

    def _path_ranges(self, layer: int) -> Iterable[PathRange]:
        """All paths of a layer, in as few ranges as a statement each allows."""
        row = self.get(LayerRow, layer)
        if row is not None and row.row_count <= ROWS_PER_STATEMENT:
            return (ALL_PATHS,)
        return statements.path_ranges(self._connection, layer, ROWS_PER_STATEMENT)

    def _retire(self, change: RetireSessions) -> None:
        self.flush()
        for table, ended in statements.ended_by_retirement(change.partition, change.before_ms, change.condemned_ms):
            while statements.delete_some(self._connection, table, ended, ROWS_PER_STATEMENT):
                pass
        self._rows.clear()

    def _drop_writers(self, collection: str, draft: str) -> None:
        self.flush()
        statements.drop_writers(self._connection, collection, draft)
        for key in [key for key in self._rows[DraftWriterRow] if key[:2] == (collection, draft)]:
            del self._rows[DraftWriterRow][key]


def _primary_key(row: ProjectionRow) -> Key:
    return tuple([getattr(row, name) for name in type(row).primary_key])
