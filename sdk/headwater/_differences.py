"""What is different in one version, seen from another: entries, description, metadata."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_consumer.queries import differences
from headwater_schemas.digests import to_text

if TYPE_CHECKING:
    from headwater._artifact import Artifact

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A path at which two versions differ."""

    path: str
    change: str  # ADDED, REMOVED or CHANGED
    size_before: int | None  # bytes; None where it is not there, or a reference of unknown size
    size_after: int | None
    content_before: str | None  # a file's digest, a reference's URI; None where it is not there
    content_after: str | None

    @property
    def growth(self) -> int:
        """By how many bytes it is larger now, as far as is known."""
        return (self.size_after or 0) - (self.size_before or 0)


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
    for page in differences.difference(database, old.layers, new.layers):
        for difference in page:
            yield _entry_change(difference)


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


def _entry_change(difference: differences.Difference) -> EntryChange:
    path, before, after = difference
    change = CHANGED if before and after else ADDED if after else REMOVED
    return EntryChange(
        path=path,
        change=change,
        size_before=before.size if before else None,
        size_after=after.size if after else None,
        content_before=_content(before),
        content_after=_content(after),
    )


def _content(held: differences.Held | None) -> str | None:
    if held is None:
        return None
    return to_text(held.digest) if held.digest is not None else held.uri
