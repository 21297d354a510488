"""The status of a projector: its partitions, their lag, and trouble. Written by its threads, read by the endpoint."""

import threading
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

# Upper bounds in seconds: from one small commit to a seal that merges a million entries.
BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BEHIND_RECORDS = 10_000  # about a second of work; less is normal


class StatusCode(StrEnum):
    """The status in one word. The last two need an operator."""

    OK = "ok"
    IDLE = "idle"  # no partition is assigned to it: it has just started, or others have them all
    BEHIND = "behind"
    TROUBLE = "trouble"  # the log or the database does not answer; it recovers by itself when they do
    STOPPED = "stopped"  # a partition cannot continue by itself


BAD = (StatusCode.TROUBLE, StatusCode.STOPPED)


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """The status of one assigned partition."""

    position: int  # offset of the last record in the projection, BEFORE_FIRST when there is none
    end: int | None = None  # offset of the last record on the log, when it was last sampled
    stopped: str | None = None  # the reason

    @property
    def lag(self) -> int | None:
        """How many records are missing, approximately: offsets may have gaps."""
        return None if self.end is None else max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """Everything at one moment."""

    partitions: Mapping[int, PartitionStatus] = field(default_factory=dict)
    trouble: str | None = None
    records: int = 0  # applied since this process began
    batches: int = 0
    rejections: int = 0
    batch_seconds: tuple[int, ...] = (0,) * (len(BATCH_SECONDS) + 1)  # batches up to each of BATCH_SECONDS, and above
    batch_seconds_sum: float = 0.0
    dead_letters: int | None = None  # open ones, of all partitions; None until the first sample
    parked_keys: int | None = None

    @property
    def lag(self) -> int:
        """Of all assigned partitions, as far as it is known."""
        return sum(partition.lag or 0 for partition in self.partitions.values())

    @property
    def stopped(self) -> Mapping[int, str]:
        """Stopped partition → the reason."""
        return {number: one.stopped for number, one in sorted(self.partitions.items()) if one.stopped is not None}

    @property
    def status(self) -> StatusCode:
        if self.stopped:
            return StatusCode.STOPPED
        if self.trouble is not None:
            return StatusCode.TROUBLE
        if not self.partitions:
            return StatusCode.IDLE
        return StatusCode.BEHIND if self.lag > BEHIND_RECORDS else StatusCode.OK


class ProjectorStatus:
    """The current status, shared by the threads of a projector."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = StatusSnapshot()
        self._ends: Mapping[int, int] = {}

    @property
    def now(self) -> StatusSnapshot:
        return self._now

    def assigned(self, positions: Mapping[int, int]) -> None:
        """These partitions were assigned to this process; `positions` are their cursors."""
        with self._lock:
            ours = {number: PartitionStatus(at, self._ends.get(number)) for number, at in positions.items()}
            self._now = replace(self._now, partitions={**self._now.partitions, **ours})

    def revoked(self, partitions: Collection[int]) -> None:
        """These are no longer assigned to this process."""
        with self._lock:
            remaining = {number: one for number, one in self._now.partitions.items() if number not in partitions}
            self._now = replace(self._now, partitions=remaining)

    def moved(self, partition: int, position: int) -> None:
        """The cursor of a partition moved, so that it is not stopped."""
        self._change(partition, position=position, stopped=None)

    def stopped(self, partition: int, reason: str) -> None:
        """A partition stopped."""
        self._change(partition, stopped=reason)

    def applied(self, records: int, rejections: int, seconds: float) -> None:
        """One more batch was applied; `rejections` are those of all batches so far."""
        with self._lock:
            now, slot = self._now, bisect_left(BATCH_SECONDS, seconds)
            self._now = replace(
                now,
                records=now.records + records,
                batches=now.batches + 1,
                rejections=rejections,
                batch_seconds=tuple(n + (i == slot) for i, n in enumerate(now.batch_seconds)),
                batch_seconds_sum=now.batch_seconds_sum + seconds,
            )

    def trouble(self, reason: str | None) -> None:
        """The log or the database fails, or works again (None)."""
        if self._now.trouble != reason:
            with self._lock:
                self._now = replace(self._now, trouble=reason)

    def sampled(self, ends: Mapping[int, int], dead_letters: int, parked_keys: int) -> None:
        """A new sample of the log and the database."""
        with self._lock:
            self._ends = ends
            ours = {number: replace(one, end=ends.get(number)) for number, one in self._now.partitions.items()}
            self._now = replace(self._now, partitions=ours, dead_letters=dead_letters, parked_keys=parked_keys)

    def _change(self, partition: int, **changes: object) -> None:
        with self._lock:
            if (before := self._now.partitions.get(partition)) is not None:
                after = replace(before, **changes)  # type: ignore[arg-type] # of the two callers above
                self._now = replace(self._now, partitions={**self._now.partitions, partition: after})
