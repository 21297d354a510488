"""Partitions that the projection does not get on with: who does not need them does not wait for them."""

from typing import Any

from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater._commit.task import Task


class StalledPartitions:
    """The partitions that were waited for in vain, until they move."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}  # partition → how far it is projected

    def delays(self, task: Task[Any]) -> bool:
        """Whether an event of `task` is in one of them."""
        return bool(self._offsets) and any(p.partition in self._offsets for e in task.sent for p in e.positions)

    def note(self, cut: Cut, reached: Cut) -> None:
        """`cut` was waited for, and the projection is at `reached`."""
        now = {p: reached.offsets.get(p, BEFORE_FIRST) for p in {*self._offsets, *cut.offsets}}
        missed = {p for p, offset in cut.offsets.items() if now[p] < offset}
        self._offsets = {p: now[p] for p in {*self._offsets, *missed} if self._offsets.get(p, now[p]) == now[p]}
