"""What was waited for in vain: nobody waits for it a second time until something has changed."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from headwater_runtime.retries import Retries
from headwater_schemas.errors import StoreError
from headwater_schemas.positions import BEFORE_FIRST, Cut

T = TypeVar("T")


class AskedServer:
    """A server that may be away: it is waited for once, until it is back."""

    def __init__(self, away: type[StoreError]) -> None:
        """`away`: the error after which it is asked again."""
        self._away = away
        self.is_given_up = False

    def get(self, ask: Callable[[], T], retries: Retries) -> T:
        """What `ask` returns. Raises: what it raises."""
        while True:
            try:
                answer = ask()
            except self._away:
                if self.is_given_up or not retries.pause():
                    self.is_given_up = True
                    raise
            else:
                self.is_given_up = False
                return answer


class GivenUp:
    """Of one projection, in this process. Safe to use from threads: each change is one assignment."""

    def __init__(self, has_projectors: Callable[[], bool]) -> None:
        """`has_projectors`: whether somebody projects now. It is asked only where something was given up."""
        self._has_projectors = has_projectors
        self._offsets: Mapping[int, int] = {}  # partition → where its projection stood
        self._had_projectors = False

    @property
    def has_any(self) -> bool:
        """Whether something may be given up. Asks nobody."""
        return bool(self._offsets)

    def note(self, cut: Cut, offsets: Mapping[int, int]) -> None:
        """The projection is at `offsets`, and `cut` was waited for long enough."""
        self._had_projectors = self._has_projectors()
        self._offsets = {**self._offsets, **_lacking(cut, offsets)}

    def holds(self, cut: Cut, offsets: Mapping[int, int]) -> bool:
        """Whether `cut` needs a partition that stands where it was given up, with no projector come or gone since."""
        if not self._offsets:
            return False
        self._offsets = {p: offset for p, offset in self._offsets.items() if offsets.get(p, BEFORE_FIRST) == offset}
        is_needed = not self._offsets.keys().isdisjoint(_lacking(cut, offsets))
        return is_needed and self._has_projectors() == self._had_projectors


def _lacking(cut: Cut, offsets: Mapping[int, int]) -> dict[int, int]:
    """The partitions that lack something of `cut`, and where they stand."""
    standing = {partition: offsets.get(partition, BEFORE_FIRST) for partition in cut.offsets}
    return {partition: offset for partition, offset in standing.items() if offset < cut.offsets[partition]}
