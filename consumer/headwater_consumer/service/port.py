"""What the main loop needs of whatever shares the partitions of a log among projectors."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from headwater_eventlog.port import Record

OnAssigned = Callable[[Sequence[int]], Mapping[int, int]]
OnRevoked = Callable[[Sequence[int]], None]


class PartitionGroup(Protocol):
    """One member of a group of projectors, which shares the partitions with the others. For one thread."""

    def poll(self, timeout_s: float, max_records: int) -> Mapping[int, list[Record]]:
        """The next records of each partition that is assigned to this member; empty after `timeout_s`.

        Raises: RecordsGone, after which the partition that it names stays paused and the others continue; another
        StoreError, after which this member may have left the group.
        """
        ...

    def seek(self, partition: int, after: int) -> None:
        """Continue after offset `after`, also if the partition was paused; nothing if it is not assigned any more."""
        ...

    def pause(self, partitions: Collection[int]) -> None:
        """Deliver no records of these until `seek`, or until they are assigned again."""
        ...

    def commit_hint(self, positions: Mapping[int, int]) -> None:
        """Let the log's own tools see these positions. Nothing depends on it: it neither waits nor raises."""
        ...

    def close(self) -> None:
        """Leave the group, so that others get its partitions at once. Closing twice is fine."""
        ...


class JoinGroup(Protocol):
    """Joins a group. Raises: StoreError."""

    def __call__(self, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> PartitionGroup:
        """`on_assigned` returns for each new partition the offset after which to read; if it raises, the next poll
        calls it again. `on_revoked` gets the partitions that this member no longer has. `poll` and `close` call them.
        """
        ...
