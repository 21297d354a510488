"""Which objects the rows of each layer name, kept beside the entries: always just those, whatever becomes of a layer.

What is asked about an object, such as whether anything needs it, would take an index over all entries otherwise.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.rows import EntryRow, FileRows, ObjectLayerRow
from headwater_consumer.writing import statements
from headwater_consumer.writing.statements import PathRange

_LAYER, _OBJECT_NAME = EntryRow.indexes["layer"], EntryRow.indexes["object_name"]


class LayerObjects:
    """The rows of `object_layers` of a transaction. They are written with the entries that name the objects."""

    def __init__(self, adapter: DatabaseAdapter, connect: Callable[[], Connection]) -> None:
        self._adapter, self._connect = adapter, connect

    def written(self, batches: Sequence[Collection[tuple[Any, ...]]]) -> None:
        """These entries were written."""
        self._write({row for batch in batches for row in _objects_in(batch)})

    def copied(self, layer: int, ranges: Iterable[PathRange]) -> None:
        """Entries were copied into a layer within the database."""
        self._write({(name, layer) for name in self._named(layer, ranges)})

    def removed(self, layer: int, ranges: Iterable[PathRange]) -> None:
        """Some entries of a layer were deleted. Cost: reads those that are left."""
        left = self._named(layer, ranges)
        gone = [name for name in statements.objects_of_layer(self._connect(), layer) if name not in left]
        if gone:
            self._adapter.delete_rows(self._connect(), ObjectLayerRow, [(name, layer) for name in gone])

    def dropped(self, layer: int) -> None:
        """All entries of a layer were deleted."""
        statements.remove_objects_of_layer(self._connect(), layer)

    def _named(self, layer: int, ranges: Iterable[PathRange]) -> set[str]:
        return {name for paths in ranges for name in statements.objects_between(self._connect(), layer, paths)}

    def _write(self, rows: set[tuple[str, int]]) -> None:
        if rows:
            self._adapter.upsert_rows(self._connect(), ObjectLayerRow, [ObjectLayerRow(*row) for row in sorted(rows)])


def _objects_in(batch: Collection[tuple[Any, ...]]) -> set[tuple[str, int]]:
    """(object, layer) of a batch."""
    if isinstance(batch, FileRows):
        return {(name, batch.layer) for name in batch.files.objects}
    return {(row[_OBJECT_NAME], row[_LAYER]) for row in batch if row[_OBJECT_NAME] is not None}
