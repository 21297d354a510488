"""Lists that are read page by page, as far as somebody looks.

Pages go on by the key of the last member, not by a number, so members that are deleted meanwhile shift nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from headwater._artifact.entry import Entry

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client
    from headwater._run.run import Run

MEMBERS_PER_PAGE = 100
ENTRIES_PER_PAGE = 5000  # they are small, and a version has many

T = TypeVar("T")
Pages = Callable[["T | None"], "Sequence[T]"]  # what comes after a member, or from the beginning; empty at the end


class Listed(Sequence[T], Generic[T]):
    """A list that is read once, from the front, no further than it was looked at."""

    def __init__(self, page_after: "Pages[T]", count_after: "Callable[[T | None], int]") -> None:
        """`count_after` says how many come after a member, or from the beginning, without reading them."""
        self._page_after = page_after
        self._count_after = count_after
        self._read: list[T] = []
        self._complete = False

    def __len__(self) -> int:
        """How many were read, and how many come after these now: what was read stays, also when it is deleted."""
        return len(self._read) + (0 if self._complete else self._count_after(self._last))

    def __iter__(self) -> Iterator[T]:
        place = 0
        while place < len(self._read) or self._read_on():
            yield self._read[place]
            place += 1

    def __reversed__(self) -> Iterator[T]:
        self._read_to(None)
        return reversed(self._read)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            self._read_to(_last_needed(index))
            return self._read[index]
        self._read_to(index if index >= 0 else None)
        return self._read[index]

    def __repr__(self) -> str:
        some = ", ".join(map(repr, islice(self, 3)))
        return f"[{some}, …]" if len(self) > 3 else f"[{some}]"

    def _read_to(self, place: int | None) -> None:
        """Read until `place` is there, all where it is None."""
        while (place is None or place >= len(self._read)) and self._read_on():
            pass

    def _read_on(self) -> bool:
        if self._complete:
            return False
        page = self._page_after(self._last)
        self._read += page
        self._complete = not page
        return bool(page)

    @property
    def _last(self) -> T | None:
        return self._read[-1] if self._read else None


def _last_needed(index: slice) -> int | None:
    """The highest place of a slice that counts from the front; None where only the end tells."""
    step = index.step or 1
    if step < 0 or index.stop is None or index.stop < 0 or (index.start or 0) < 0:
        return None
    return max(0, int(index.stop) - 1)


def every(page_after: "Pages[T]") -> list[T]:
    """All members, read page by page."""
    found: list[T] = []
    while page := page_after(found[-1] if found else None):
        found += page
    return found


def entries_of(artifact: "Artifact") -> "Sequence[Entry]":
    """All entries of an artifact by path."""
    if artifact._info is None:
        return [Entry(artifact, path, held) for path, held in artifact._entries()]
    from headwater_consumer import queries

    from headwater._content.overlay import held_of

    database, info = artifact._bound().stores.database, artifact._info

    def page_after(last: Entry | None) -> Sequence[Entry]:
        after = None if last is None else last.path
        found = queries.entries_page(database, info.layers, after=after, limit=ENTRIES_PER_PAGE)
        return [Entry(artifact, entry.path, held_of(entry)) for entry in found]

    return _Entries(page_after, info.entry_count)


class _Entries(Listed[Entry]):
    """Of a version, which never changes."""

    def __init__(self, page_after: "Pages[Entry]", count: int) -> None:
        super().__init__(page_after, lambda _: count)
        self._length = count

    def __len__(self) -> int:
        return self._length


def runs_of(client: "Client", project: str, *, job_type: str | None, group: str | None) -> "Sequence[Run]":
    """The runs of "entity/project", the last started first."""
    from headwater_consumer import queries

    from headwater._run.run import Run

    database = client.stores.database

    def page_after(last: "Run | None") -> "Sequence[Run]":
        after = None if last is None else last._place
        found = queries.runs(database, project, after=after, limit=MEMBERS_PER_PAGE, job_type=job_type, group=group)
        return [Run._of_info(client, info) for info in found]

    def count_after(last: "Run | None") -> int:
        after = None if last is None else last._place
        return queries.count_runs(database, project, after=after, job_type=job_type, group=group)

    return Listed(page_after, count_after)
