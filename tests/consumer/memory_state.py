"""The projector's `State` in memory: plain dictionaries, without any database."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from headwater_consumer.layers.path_conflicts import NO_EXCLUSIONS, Exclusions, first_path_conflict
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
    DELETED,
    REMOVED,
    AliasRow,
    BroadcastRow,
    CondemnedObjectRow,
    DraftRow,
    DraftWriterRow,
    EntryRow,
    LayerRow,
    ObjectLayerRow,
    ParkedRecordRow,
    ProjectionRow,
    RejectionRow,
    RunInputRow,
    SessionMarkRow,
    VersionAttributeRow,
    VersionRow,
)
from headwater_schemas.events import OWN_DRAFT
from headwater_schemas.keys import first_session
from headwater_schemas.positions import position_of

R = TypeVar("R", bound=ProjectionRow)
Rows = dict[tuple[Any, ...], Any]


class MemoryState:
    """All rows by type and primary key, and the entries of each layer in the order in which they were added."""

    def __init__(self) -> None:
        self.rows: dict[type[ProjectionRow], Rows] = defaultdict(dict)
        self.entries: dict[int, list[EntryRow]] = defaultdict(list)

    def object_layers(self) -> list[ObjectLayerRow]:
        """What follows from the entries."""
        named = {(row.object_name, layer) for layer, rows in self.entries.items() for row in rows}
        return [ObjectLayerRow(name, layer) for name, layer in sorted(named, key=str) if name is not None]

    # --- reading

    def get(self, row_type: type[R], *key: object) -> R | None:
        for row in self._all(row_type):
            if row_type.lookup(row) == key and not (row_type.is_fact and row.to_position is not None):
                return row  # type: ignore[no-any-return]
        return None

    def duplicates(self, layer: int) -> Iterator[EntryRow]:
        for _, rows in sorted(self._by_path(layer).items()):
            if len(rows) > 1:
                yield from rows

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterator[EntryRow]:
        under = [self._by_path(number) for number in below]
        for path in sorted(self._by_path(layer)):
            topmost = next((rows[path][-1] for rows in under if path in rows), None)
            if topmost is not None and topmost.kind != REMOVED:
                yield topmost

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        kinds = self._kinds(layers)
        return sorted(path for path, kind in kinds.items() if path.startswith(f"{folder}/") and kind != REMOVED)

    def path_conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        return first_path_conflict(_MemoryLayers(self._kinds(layers)), paths)

    def open_aliases(self, collection: str, version: int) -> list[AliasRow]:
        named = [row for row in self._all(AliasRow) if (row.collection, row.version) == (collection, version)]
        return sorted((row for row in named if row.to_position is None), key=lambda row: row.alias)

    def newest_live_version(self, collection: str, *, other_than: int) -> int | None:
        return max((row.version for row in self._live(collection, other_than)), default=None)

    def newer_live_versions(self, collection: str, version: int, *, at_most: int) -> int:
        newer = [row for row in self._live(collection, version) if row.version > version]
        return min(len(newer), at_most)

    def times_restored(self, collection: str, version: int) -> int:
        of_version = [
            row for row in self._all(VersionAttributeRow) if (row.collection, row.version) == (collection, version)
        ]
        return sum(row.field == DELETED and row.to_position is not None for row in of_version)

    def is_used(self, collection: str, version: int) -> bool:
        return any((row.collection, row.version) == (collection, version) for row in self._all(RunInputRow))

    def lowest_live_version_with(self, collection: str, digest: str, *, other_than: int) -> int | None:
        live = self._live(collection, other_than)
        return min((row.version for row in live if row.digest == digest), default=None)

    def parked_records(self, partition: int, key: str) -> list[ParkedRecordRow]:
        parked = [row for row in self._all(ParkedRecordRow) if (row.partition, row.key) == (partition, key)]
        return sorted(parked, key=lambda row: row.position)

    def waiting_commits(self, collection: str, draft: str) -> list[DraftWriterRow]:
        of_draft = [row for row in self._all(DraftWriterRow) if (row.collection, row.draft) == (collection, draft)]
        return sorted((row for row in of_draft if row.commit_position is not None), key=attrgetter("commit_position"))

    # --- writing

    def write(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Put(row):
                    key = tuple(getattr(row, name) for name in type(row).primary_key)
                    self.rows[type(row)][key] = row
                case AddEntries(rows):
                    for values in rows:
                        entry = EntryRow(*values)  # type: ignore[arg-type] # in the order of the fields
                        self.entries[entry.layer].append(entry)
                case RemoveDuplicates(layer):
                    self.entries[layer] = [rows[-1] for rows in self._by_path(layer).values()]
                case MergeLayers(layer, layers, bottom):
                    self._merge(layer, layers, bottom)
                case DropLayer(layer):
                    self.entries.pop(layer, None)
                    self.rows[LayerRow].pop((layer,), None)
                case Delete(row):
                    self.rows[type(row)].pop(tuple(getattr(row, name) for name in type(row).primary_key))
                case DropWriters(collection, draft):
                    self._delete(DraftWriterRow, lambda row: (row.collection, row.draft) == (collection, draft))
                case RetireSessions():
                    self._retire(change)

    def _retire(self, change: RetireSessions) -> None:
        first = first_session(change.before_ms)
        for row_type in (SessionMarkRow, RejectionRow, BroadcastRow):
            self._delete(row_type, lambda row: row.partition == change.partition and row.session < first)
        self._delete(
            DraftRow,
            lambda row: (
                row.closed_position is not None
                and position_of(row.closed_position).partition == change.partition
                and row.draft.startswith(OWN_DRAFT)
                and row.session < first
            ),
        )
        self._delete(
            CondemnedObjectRow,
            lambda row: row.partition == change.partition and row.condemned_ms < change.condemned_ms,
        )

    def _delete(self, row_type: type[ProjectionRow], is_over: Callable[[Any], bool]) -> None:
        for key in [key for key, row in self.rows[row_type].items() if is_over(row)]:
            del self.rows[row_type][key]

    def _merge(self, layer: int, layers: Sequence[int], bottom: bool) -> None:
        merged: dict[str, EntryRow] = {}
        for number in reversed(layers):
            merged.update({path: rows[-1] for path, rows in self._by_path(number).items()})
        kept = [row for row in merged.values() if not (bottom and row.kind == REMOVED)]
        self.entries[layer] = [EntryRow(layer, *EntryRow.values(row)[1:]) for row in kept]
        merges = 1 + max(self.rows[LayerRow][number,].merges for number in layers)
        self.write([Put(LayerRow(layer, len(kept), merges))])

    # --- looking up

    def _all(self, row_type: type[ProjectionRow]) -> Collection[Any]:
        return self.rows[row_type].values()

    def _live(self, collection: str, other_than: int) -> list[VersionRow]:
        versions = [row for row in self._all(VersionRow) if row.collection == collection and row.version != other_than]
        return [row for row in versions if self.get(VersionAttributeRow, collection, row.version, DELETED) is None]

    def _by_path(self, layer: int) -> dict[str, list[EntryRow]]:
        found: dict[str, list[EntryRow]] = defaultdict(list)
        for row in sorted(self.entries.get(layer, []), key=lambda row: row.ordinal):
            found[row.path].append(row)
        return found

    def _kinds(self, layers: Sequence[int]) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for layer in reversed(layers):
            kinds.update({path: rows[-1].kind for path, rows in self._by_path(layer).items()})
        return kinds


class _MemoryLayers:
    """A `LayerStack` over the kinds of all its paths."""

    def __init__(self, kinds: Mapping[str, int]) -> None:
        self._kinds = kinds

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        return {path: self._kinds[path] for path in paths if path in self._kinds}

    def possible_folders(self, names: Collection[str]) -> set[str]:
        return set(names)

    def first_under(self, folder: str, exclusions: Exclusions = NO_EXCLUSIONS) -> str | None:
        within = [path for path, kind in self._kinds.items() if path.startswith(f"{folder}/") and kind != REMOVED]
        return min((path for path in within if not exclusions.covers(path)), default=None)
