"""Entries in memory, with the interface through which tables reach an artifact.

It is for the many examples that a property needs; tests/tables/test_in_artifacts.py asks the same of real artifacts.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from headwater import Artifact, PartitionedTable, Table
from headwater._tables import table_entries
from headwater_schemas.errors import NotFound


class Holder:
    """Path → content."""

    name = "held:v0"

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self._objects: dict[str, object] = {}

    def put(self, value: object, name: str) -> str:
        return table_entries.put(cast("Artifact", self), value, name)

    def get(self, name: str) -> Any:
        return table_entries.get(cast("Artifact", self), name)

    def remove(self, path: str) -> None:
        del self.entries[path]

    @contextmanager
    def new_file(self, path: str, mode: str) -> Iterator[IO[bytes]]:
        assert mode == "wb"
        file = io.BytesIO()
        yield file
        self.entries[path] = file.getvalue()

    def _await_seal(self) -> None:
        """Nobody else writes here."""

    def _held(self, path: str) -> object:
        return self.entries.get(path)

    def _has(self, path: str) -> bool:
        return path in self.entries

    def _read(self, path: str) -> bytes:
        if path not in self.entries:
            raise NotFound(path)
        return self.entries[path]

    def _paths_under(self, folder: str) -> Iterator[str]:
        return (path for path in sorted(self.entries) if path.startswith(f"{folder}/"))


def stored(table: Table) -> bytes:
    """The bytes of a table's entry."""
    holder = Holder()
    return holder.entries[holder.put(table, "t")]


def read(content: bytes) -> Table:
    """The table of an entry's bytes."""
    holder = Holder()
    holder.entries["t.table.parquet"] = content
    table = holder.get("t")
    assert isinstance(table, Table)
    return table


def joined(parts: dict[str, Table]) -> PartitionedTable:
    """The tables under `parts`, given by name, as one."""
    holder = Holder()
    for name, table in parts.items():
        holder.put(table, f"parts/{name}")
    holder.put(PartitionedTable("parts"), "all")
    found = holder.get("all")
    assert isinstance(found, PartitionedTable)
    return found
