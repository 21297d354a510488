"""The rows that a transaction reads and writes, held in memory until all of them are written at once.

Single rows are cached by their lookup key, loaded in bulk by `prefetch`, and written back together by `flush`; entries
are in `layer_entries`. Only queries that range over many rows go to the database, after what they are about was
written. A transaction of a thousand commits costs a few dozen statements this way.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.projector.base_prefetch import BaseEntries
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
    AliasRow,
    DraftWriterRow,
    EntryRow,
    LayerRow,
    ParkedRecordRow,
    ProjectionRow,
    RunInputRow,
    VersionAttributeRow,
    VersionRow,
)
from headwater_consumer.writing import statements
from headwater_consumer.writing.layer_entries import LayerEntries

R = TypeVar("R", bound=ProjectionRow)
Key = tuple[Any, ...]

ROWS_DELETED_AT_ONCE = 50_000  # by one statement


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
        self._entries = LayerEntries(adapter, lambda: self._connection, self._row_count)
        self._stored_layers: set[Key] = set()  # keys of layers that have a row in the database

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
        if wanted:
            keys_of = {row_type: list(of_type) for row_type, of_type in wanted.items()}
            for row_type, found in self._adapter.load_rows_of(self._connection, keys_of).items():
                self._loaded(row_type, keys_of[row_type], found)

    def prefetch_entries(self, entries: BaseEntries) -> None:
        """Load these entries, with two statements at most."""
        self._entries.prefetch(entries.layers, entries.keys)

    def get(self, row_type: type[R], *key: object) -> R | None:
        cached = self._rows[row_type]
        if key not in cached:
            self._loaded(row_type, [key], self._adapter.load_rows(self._connection, row_type, [key]))
        return cached[key]  # type: ignore[return-value]

    def _loaded(self, row_type: type[ProjectionRow], keys: list[Key], rows: Iterable[ProjectionRow]) -> None:
        found = {row_type.lookup(row): row for row in rows}
        self._rows[row_type].update(dict.fromkeys(keys))
        self._rows[row_type].update(found)
        if row_type is LayerRow:
            self._stored_layers.update(found)

    def duplicates(self, layer: int) -> Iterator[EntryRow]:
        return self._entries.duplicates(layer)

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterator[EntryRow]:
        return self._entries.hidden_by(layer, below)

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        return self._entries.paths_under(layers, folder)

    def path_conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        return self._entries.path_conflict(layers, paths)

    def open_aliases(self, collection: str, version: int) -> list[AliasRow]:
        self._flush_rows(AliasRow)
        return statements.open_aliases(self._connection, collection, version)

    def newest_live_version(self, collection: str, *, other_than: int) -> int | None:
        self._flush_rows(VersionRow, VersionAttributeRow)
        return statements.newest_live_version(self._connection, collection, other_than)

    def newer_live_versions(self, collection: str, version: int, *, at_most: int) -> int:
        self._flush_rows(VersionRow, VersionAttributeRow)
        return statements.newer_live_versions(self._connection, collection, version, at_most)

    def times_restored(self, collection: str, version: int) -> int:
        self._flush_rows(VersionAttributeRow)
        return statements.times_restored(self._connection, collection, version)

    def is_used(self, collection: str, version: int) -> bool:
        self._flush_rows(RunInputRow)
        return statements.is_used(self._connection, collection, version)

    def lowest_live_version_with(self, collection: str, digest: str, *, other_than: int) -> int | None:
        self._flush_rows(VersionRow, VersionAttributeRow)
        return statements.lowest_live_version_with(self._connection, collection, digest, other_than)

    def waiting_commits(self, collection: str, draft: str) -> list[DraftWriterRow]:
        self._flush_rows(DraftWriterRow)
        return statements.waiting_commits(self._connection, collection, draft)

    def parked_records(self, partition: int, key: str) -> list[ParkedRecordRow]:
        self._flush_rows(ParkedRecordRow)
        return statements.parked_records(self._connection, partition, key)

    def _row_count(self, layer: int) -> int:
        row = self.get(LayerRow, layer)
        return 0 if row is None else row.row_count

    # --- writing

    def write(self, changes: Iterable[Change]) -> None:
        """Apply changes to the working set; they reach the database with the next flush."""
        for change in changes:
            match change:
                case Put(row):
                    self._put(row)
                case AddEntries(rows):
                    self._entries.add(rows)
                case RemoveDuplicates(layer):
                    self._entries.remove_duplicates(layer)
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
        self._entries.write()
        with self._adapter.together(self._connection):
            self._flush_rows(*self._deleted, *self._changed)

    def _flush_rows(self, *row_types: type[ProjectionRow]) -> None:
        # In the order of their keys: transactions that share rows lock them in one order, and none waits in a circle.
        for row_type in row_types:
            if deleted := self._deleted.pop(row_type, None):
                self._adapter.delete_rows(self._connection, row_type, sorted(deleted))
            if changed := self._changed.pop(row_type, None):
                rows = sorted(changed.values(), key=_written_after if row_type.is_fact else row_type.primary)
                self._adapter.upsert_rows(self._connection, row_type, rows)
                self.written[row_type] += len(changed)
                if row_type is LayerRow:
                    self._stored_layers.update(changed)

    def _put(self, row: ProjectionRow) -> None:
        row_type = type(row)
        primary = row_type.primary(row)
        self._changed[row_type][primary] = row
        self._deleted[row_type].pop(primary, None)
        closed = row_type.is_fact and row.to_position is not None  # type: ignore[attr-defined]
        self._rows[row_type][row_type.lookup(row)] = None if closed else row

    def _delete(self, row: ProjectionRow) -> None:
        row_type = type(row)
        primary = row_type.primary(row)
        self._changed[row_type].pop(primary, None)
        self._deleted[row_type][primary] = None
        self._rows[row_type][row_type.lookup(row)] = None

    def _merge(self, layer: int, sources: Sequence[int], *, bottom: bool) -> None:
        merges = 1 + max(row.merges for source in sources if (row := self.get(LayerRow, source)) is not None)
        self._put(LayerRow(layer, self._entries.merge(layer, sources, bottom=bottom), merges))

    def _drop_layer(self, layer: int) -> None:
        self._entries.drop(layer)
        self._changed[LayerRow].pop((layer,), None)
        if (layer,) in self._stored_layers:
            self._deleted[LayerRow][layer,] = None
        self._rows[LayerRow][layer,] = None

    def _retire(self, change: RetireSessions) -> None:
        self.flush()
        values = (change.partition, change.before_ms, change.condemned_ms, ROWS_DELETED_AT_ONCE)
        for kind in statements.Ended:
            while statements.delete_ended(self._connection, kind, *values):
                pass
        self._rows.clear()

    def _drop_writers(self, collection: str, draft: str) -> None:
        self._flush_rows(DraftWriterRow)
        statements.drop_writers(self._connection, collection, draft)
        for key in [key for key in self._rows[DraftWriterRow] if key[:2] == (collection, draft)]:
            del self._rows[DraftWriterRow][key]


def _written_after(row: Any) -> tuple[Any, ...]:
    """The order of facts: of one fact those that are closed come first, since one may be open at a time, and in a log
    that a restore made, one that opens later can have an earlier position."""
    return (*type(row).lookup(row), row.to_position is None, row.from_position)
