"""How one version differs from another: entries, type, description, metadata."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from headwater_consumer.queries import VersionInfo
from headwater_consumer.queries.differences import EntryContent
from headwater_consumer.queries.reads import Reads

CHANGES = ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A path at which two versions differ."""

    path: str
    before: EntryContent | None  # None: there is no entry
    after: EntryContent | None

    @property
    def change(self) -> str:
        """ADDED, REMOVED or CHANGED."""
        if self.before is None:
            return ADDED
        return REMOVED if self.after is None else CHANGED

    @property
    def changes_executable(self) -> bool:
        """Whether an entry that is in both is executable in one of them."""
        return self.before is not None and self.after is not None and self.before.executable != self.after.executable

    @property
    def growth(self) -> int:
        """By how many bytes it grew; a reference of unknown size counts as empty."""
        before, after = [(held.size or 0) if held else 0 for held in (self.before, self.after)]
        return after - before


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute in which two versions differ."""

    field: str  # "type", "description" or "metadata"
    key: str | None  # of the metadata
    before: Any  # None where it is not set
    after: Any


class Described(Protocol):
    """The attributes of a version that are compared."""

    @property
    def type(self) -> str: ...

    @property
    def description(self) -> str | None: ...

    @property
    def metadata(self) -> Mapping[str, Any]: ...


def entry_changes(reads: Reads, before: VersionInfo, after: VersionInfo) -> Iterator[EntryChange]:
    """The paths that differ, in order. Cost: between related versions it is proportional to the change."""
    for page in reads.diff_layers(before.layers, after.layers):
        for found in page:
            yield EntryChange(*found)


def attribute_changes(before: Described, after: Described) -> list[AttributeChange]:
    """The attributes that differ: the type, the description, and each key of the metadata."""
    found = [
        AttributeChange(field, None, old, new)
        for field, old, new in (
            ("type", before.type, after.type),
            ("description", before.description, after.description),
        )
        if old != new
    ]
    old_metadata, new_metadata = before.metadata, after.metadata
    return found + [
        AttributeChange("metadata", key, old_metadata.get(key), new_metadata.get(key))
        for key in dict.fromkeys((*old_metadata, *new_metadata))
        if key not in old_metadata or key not in new_metadata or old_metadata[key] != new_metadata[key]
    ]
