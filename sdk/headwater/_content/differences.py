"""What is different in one version, seen from another: entries, description, metadata."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_consumer.queries.differences import Held, difference

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A path at which two versions differ."""

    path: str
    before: Held | None  # None: it is not there
    after: Held | None

    @property
    def change(self) -> str:
        """ADDED, REMOVED or CHANGED."""
        if self.before is None:
            return ADDED
        return REMOVED if self.after is None else CHANGED

    @property
    def growth(self) -> int:
        """By how many bytes it is larger now; a reference of unknown size counts as none."""
        before, after = [(held.size or 0) if held else 0 for held in (self.before, self.after)]
        return after - before


@dataclass(frozen=True, slots=True)
class SaidChange:
    """Something is said of two versions differently."""

    field: str  # "type", "description" or "metadata"
    key: str | None  # of the metadata
    before: Any  # None where nothing is said
    after: Any


def entry_changes(before: "Artifact", after: "Artifact") -> Iterator[EntryChange]:
    """The paths that differ, in order. Cost: follows what changed between versions that came of each other."""
    old, new = before._known(), after._known()
    database = after._bound().stores.database
    for page in difference(database, old.layers, new.layers):
        for found in page:
            yield EntryChange(*found)


def said_changes(before: "Artifact", after: "Artifact") -> list[SaidChange]:
    """What is said differently: the type, the description, and each key of the metadata."""
    found = [
        SaidChange(field, None, old, new)
        for field, old, new in (
            ("type", before.type, after.type),
            ("description", before.description, after.description),
        )
        if old != new
    ]
    was, now = before.metadata, after.metadata
    return found + [
        SaidChange("metadata", key, was.get(key), now.get(key))
        for key in dict.fromkeys((*was, *now))
        if key not in was or key not in now or was[key] != now[key]
    ]
