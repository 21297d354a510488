"""Entries in memory, with the interface through which tables reach an artifact.

It is for the many examples that a property needs; tests/tables/test_in_artifacts.py asks the same of real artifacts.
"""

from collections.abc import Iterator
from typing import Any

from headwater import PartitionedTable, Table
from headwater._tables.stored_values import encode_value, read_value
from headwater_schemas.errors import NotFound


class Holder:
    """Path → content."""

    name = "held:v0"

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def put(self, value: object, name: str) -> str:
        entry = encode_value(value, name)
        self.entries[entry.path] = entry.content
        self.entries.pop(entry.replaces, None)
        return entry.path

    def get(self, name: str) -> Any:
        return read_value(self, name)

    def has(self, path: str) -> bool:
        return path in self.entries

    def read(self, path: str) -> bytes:
        if path not in self.entries:
            raise NotFound(path)
        return self.entries[path]

    def paths_under(self, folder: str) -> Iterator[str]:
        return (path for path in sorted(self.entries) if path.startswith(f"{folder}/"))

    def added_value(self, path: str) -> object | None:
        """Everything is read from its bytes."""

    def wait_for_seal(self) -> None:
        """Nobody else writes here."""


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
