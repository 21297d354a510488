"""Lists that load page by page, and only as far as they are used.

Each page starts after the last row of the previous page rather than at an offset, so deleted rows do not shift it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from headwater._notebook import list_html

ROWS_PER_PAGE = 100
ENTRIES_PER_PAGE = 5000  # they are small, and a version has many
MEMBERS_IN_REPR = 3
MEMBERS_IN_NOTEBOOK = 10

R = TypeVar("R")
T = TypeVar("T")
Pages = Callable[[R | None], Sequence[R]]  # the rows after this one, or the first ones; empty at the end


class PagedList(Sequence[T], Generic[R, T]):
    """A list that loads from the front as far as it is used, and only once."""

    def __init__(
        self, page_after: Pages[R], count_after: Callable[[R | None], int], member_of: Callable[[R], T]
    ) -> None:
        """`count_after` counts the rows after one, or all of them, without reading them; `member_of` wraps a row."""
        self._page_after = page_after
        self._count_after = count_after
        self._member_of = member_of
        self._members: list[T] = []
        self._last: R | None = None
        self._complete = False

    def __len__(self) -> int:
        """The members that were read, which stay even when they are deleted, and the rows that follow them now."""
        return len(self._members) + (0 if self._complete else self._count_after(self._last))

    def __iter__(self) -> Iterator[T]:
        index = 0
        while index < len(self._members) or self._read_page():
            yield self._members[index]
            index += 1

    def __reversed__(self) -> Iterator[T]:
        self._read_through(None)
        return reversed(self._members)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            self._read_through(_last_index(index))
            return self._members[index]
        self._read_through(index if index >= 0 else None)
        return self._members[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)  # another process cannot read on where this one has stopped

    def __repr__(self) -> str:
        some = ", ".join(map(repr, islice(self, MEMBERS_IN_REPR)))
        return f"[{some}, …]" if len(self) > MEMBERS_IN_REPR else f"[{some}]"

    def _repr_html_(self) -> str:
        return list_html(islice(self, MEMBERS_IN_NOTEBOOK), len(self))

    def _read_through(self, index: int | None) -> None:
        """Read the member at `index` and all before it; the whole list where it is None."""
        while (index is None or index >= len(self._members)) and self._read_page():
            pass

    def _read_page(self) -> bool:
        """Whether there was another page."""
        if self._complete:
            return False
        page = self._page_after(self._last)
        if not page:
            self._complete = True
            return False
        members = [self._member_of(row) for row in page]  # all of them, before any counts: Ctrl-C must not double one
        self._members += members
        self._last = page[-1]
        return True


def _last_index(index: slice) -> int | None:
    """The highest index of a slice that counts from the front; None where it depends on the length."""
    step = index.step or 1
    if step < 0 or index.stop is None or index.stop < 0 or (index.start or 0) < 0:
        return None
    return max(0, int(index.stop) - 1)


def read_rows(page_after: Pages[R]) -> Iterator[R]:
    """All rows, page by page."""
    last: R | None = None
    while page := page_after(last):
        yield from page
        last = page[-1]


def read_all(page_after: Pages[R]) -> list[R]:
    """All rows, in memory."""
    return list(read_rows(page_after))
