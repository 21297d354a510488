"""The rows that a batch of events reads and writes, held in memory until the batch is written in one go.

Single rows are cached by their lookup key, loaded in bulk by `prefetch`, and written back together by `flush`; only
the questions that range over many rows go to the database, after a flush. A batch of a thousand commits costs a few
dozen statements this way.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from headwater_schemas.paths import range_of_folder
from sqlalchemy import Connection

from headwater_consumer import bulk, statements
from headwater_consumer.declaring import Row
from headwater_consumer.rows import (
    REMOVED,
    Alias,
    EntryRow,
    Layer,
    ParkedRecord,
)
from headwater_consumer.shown import first_conflict
from headwater_consumer.state import AddEntries, Change, DropLayer, MergeLayers, Put, SettleDoubles
from headwater_consumer.unwritten import DraftChain, Unwritten

R = TypeVar("R", bound=Row)
Key = tuple[Any, ...]

ENTRIES_PER_FLUSH_MAX = 50_000  # bounds the memory of a batch; about 30 MB
HIDDEN_PATHS_PER_QUERY = 5_000


class WorkingSet:
    """The `State` of one transaction. See `state.State` for what each question means."""

    def __init__(self, connection: Connection, progress: Callable[[], None] | None = None) -> None:
        """`progress` is called before each statement."""
        self._given = connection
        self._progress = progress
        self.written: Counter[type[Row]] = Counter()  # rows that were flushed
        self._rows: dict[type[Row], dict[Key, Row | None]] = defaultdict(dict)
        self._changed: dict[type[Row], dict[Key, Row]] = defaultdict(dict)
        self._entries: list[tuple[object, ...]] = []
        self._unwritten = Unwritten()  # the same, by layer and path

    @property
    def _connection(self) -> Connection:
        """For the next statement."""
        if self._progress is not None:
            self._progress()
        return self._given

    # --- reading

    def prefetch(self, needs: Iterable[tuple[type[Row], Key]]) -> None:
        """Load these rows with as few statements as there are tables."""
        wanted: dict[type[Row], dict[Key, None]] = defaultdict(dict)
        for row_type, key in needs:
            if key not in self._rows[row_type]:
                wanted[row_type][key] = None
        for row_type, keys in wanted.items():
            found = bulk.load(self._connection, row_type, list(keys))
            self._rows[row_type].update(dict.fromkeys(keys))
            self._rows[row_type].update((row_type.lookup(row), row) for row in found)

    def get(self, row_type: type[R], *key: object) -> R | None:
        cached = self._rows[row_type]
        if key not in cached:
            found = bulk.load(self._connection, row_type, [key])
            cached[key] = found[0] if found else None
        return cached[key]  # type: ignore[return-value]

    def doubles(self, layer: int) -> Iterator[EntryRow]:
        self.flush()
        return statements.doubles(self._connection, layer)

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterator[EntryRow]:
        self.flush()
        for first, last in statements.path_ranges(self._connection, layer, HIDDEN_PATHS_PER_QUERY):
            rows = statements.rows_below(self._connection, layer, below, first, last)
            depth = {number: i for i, number in enumerate(below)}
            rows.sort(key=lambda row: (row.path, depth[row.layer]))
            for _, of_path in groupby(rows, key=lambda row: row.path):
                topmost = next(of_path)
                if topmost.kind != REMOVED:
                    yield topmost

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        self.flush()
        shown: dict[str, bool] = {}
        for layer in reversed(layers):
            # Within a layer later rows come later, so that the last one counts.
            for path, kind in statements.kinds_in_range(self._connection, layer, *range_of_folder(folder)):
                shown[path] = kind != REMOVED
        return sorted(path for path, there in shown.items() if there)

    def conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        # Without a flush, which for every event of a shared draft would cost more than the answer.
        own = self.get(Layer, layers[0])
        chain = DraftChain(self._connection, layers, self._unwritten, rows_in_all=0 if own is None else own.rows)
        return first_conflict(chain, paths)

    def open_aliases(self, collection: str, version: int) -> list[Alias]:
        self.flush()
        return statements.open_aliases(self._connection, collection, version)

    def newest_live_version(self, collection: str, *, other_than: int) -> int | None:
        self.flush()
        return statements.newest_live_version(self._connection, collection, other_than)

    def lowest_live_version_with(self, collection: str, digest: str, *, other_than: int) -> int | None:
        self.flush()
        return statements.lowest_live_version_with(self._connection, collection, digest, other_than)

    def parked_records(self, partition: int, key: str) -> list[ParkedRecord]:
        self.flush()
        return statements.parked_records(self._connection, partition, key)

    # --- writing

    def write(self, changes: Iterable[Change]) -> None:
        """Take changes into the working set; they reach the database with the next flush."""
        for change in changes:
            match change:
                case Put(row):
                    self._put(row)
                case AddEntries(rows):
                    self._entries.extend(rows)
                    self._unwritten.add(rows)
                    if len(self._entries) >= ENTRIES_PER_FLUSH_MAX:
                        self.flush()
                case SettleDoubles(layer):
                    self.flush()
                    statements.settle_doubles(self._connection, layer)
                case MergeLayers(layer, layers, bottom):
                    self.flush()
                    rows_written = statements.merge_layers(self._connection, layer, layers, bottom)
                    self._put(Layer(layer=layer, rows=rows_written))
                case DropLayer(layer):
                    self.flush()
                    statements.drop_layer(self._connection, layer)
                    self._rows[Layer][(layer,)] = None

    def flush(self) -> None:
        """Write everything that changed to the database, in bulk."""
        if self._entries:
            bulk.insert_entries(self._connection, self._entries)
            self._entries = []
            self._unwritten.clear()
        for row_type, rows in self._changed.items():
            if rows:
                bulk.upsert(self._connection, row_type, list(rows.values()))
                self.written[row_type] += len(rows)
                rows.clear()

    def _put(self, row: Row) -> None:
        row_type = type(row)
        primary = tuple(getattr(row, name) for name in row_type.primary_key)
        self._changed[row_type][primary] = row
        closed = row_type.is_fact and row.to_position is not None  # type: ignore[attr-defined]
        self._rows[row_type][row_type.lookup(row)] = None if closed else row
