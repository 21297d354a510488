"""What the projector reads of the database, and the changes with which it answers.

`State` is all that the projector can read; `Change` is all it can answer. Both are expressed in rows, so that the rules
can be read without knowing a database.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headwater_consumer.rows import AliasRow, DraftWriterRow, EntryRow, EntryTuple, ParkedRecordRow, ProjectionRow

R = TypeVar("R", bound=ProjectionRow)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a row; one with the same primary key is replaced."""

    row: ProjectionRow


@dataclass(frozen=True, slots=True)
class AddEntries:
    """Append rows of one event and layer to the entries."""

    rows: Collection[EntryTuple]


@dataclass(frozen=True, slots=True)
class RemoveDuplicates:
    """Of each path's rows in a layer keep only the one with the highest ordinal."""

    layer: int


@dataclass(frozen=True, slots=True)
class MergeLayers:
    """Write into the new `layer` what `layers`, topmost first, contain together.

    `bottom`: nothing lies below them, so that removals need not be kept.
    """

    layer: int
    layers: tuple[int, ...]
    bottom: bool


@dataclass(frozen=True, slots=True)
class DropLayer:
    """Delete a layer that no version uses."""

    layer: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a row."""

    row: ProjectionRow


@dataclass(frozen=True, slots=True)
class DropWriters:
    """Delete the rows of a draft's writers."""

    collection: str
    draft: str


@dataclass(frozen=True, slots=True)
class RetireSessions:
    """Delete what a partition keeps about sessions that started before `before_ms`.

    These are marks, rejections, broadcasts, closed drafts of one writer, and objects condemned before `condemned_ms`.
    """

    partition: int
    before_ms: int
    condemned_ms: int


Change = Put | AddEntries | RemoveDuplicates | MergeLayers | DropLayer | Delete | DropWriters | RetireSessions


class State(Protocol):
    """The rows as they were before an event. Reading never changes them.

    Every result is a function of the events applied before: no clock, no order that a database chooses.
    """

    def get(self, row_type: type[R], *key: object) -> R | None:
        """The row with this lookup key; of facts, the open one."""
        ...

    def duplicates(self, layer: int) -> Iterable[EntryRow]:
        """All rows of each path that has several in `layer`, by path and ordinal. Cost: a scan of the layer's keys."""
        ...

    def hidden_by(self, layer: int, below: Sequence[int]) -> Iterable[EntryRow]:
        """For each path of `layer`: the row that counts among the layers `below` (topmost first), if there is one.

        Removals are left out. Cost: an index look-up for each path of `layer` and layer below.
        """
        ...

    def paths_under(self, layers: Sequence[int], folder: str) -> list[str]:
        """The paths under `folder` that `layers`, topmost first, contain together, sorted."""
        ...

    def path_conflict(self, layers: Sequence[int], paths: Sequence[str]) -> tuple[str, str] | None:
        """The first of `paths` that cannot join what `layers` contain, and the path there that it conflicts with.

        The topmost layer is a draft's. Paths conflict when one is a folder of the other, or when they look alike.
        Cost: a few index look-ups; one for each path where paths lie among others.
        """
        ...

    def open_aliases(self, collection: str, version: int) -> list[AliasRow]:
        """The aliases that point to a version, by name."""
        ...

    def newest_live_version(self, collection: str, *, other_than: int) -> int | None:
        """The highest version that is not deleted."""
        ...

    def newer_live_versions(self, collection: str, version: int, *, at_most: int) -> int:
        """How many versions above this one are not deleted; counting stops at `at_most`."""
        ...

    def times_restored(self, collection: str, version: int) -> int:
        """How often a version was deleted and brought back."""
        ...

    def is_used(self, collection: str, version: int) -> bool:
        """Whether a run used a version."""
        ...

    def lowest_live_version_with(self, collection: str, digest: str, *, other_than: int) -> int | None:
        """The lowest version of this content that is not deleted."""
        ...

    def waiting_commits(self, collection: str, draft: str) -> list[DraftWriterRow]:
        """The writers of a draft whose commit waits for others, in the order of their commits."""
        ...

    def parked_records(self, partition: int, key: str) -> Iterable[ParkedRecordRow]:
        """The records that wait in a partition behind a dead letter of `key`, in order."""
        ...
