"""A group of projectors that has one member, which is given records by the test."""

from collections.abc import Collection, Mapping

from headwater_consumer.service.port import OnAssigned, OnRevoked
from headwater_consumer.service.projecting import ProjectorService
from headwater_eventlog.port import EventLog, Record


class OneMember:
    """A `PartitionGroup`; subclasses poll."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.polls = 0
        self.after: dict[int, int] = {}  # partition → the offset after which it reads
        self.paused: set[int] = set()
        self.service: ProjectorService
        self.assign: OnAssigned

    def join(self, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> "OneMember":
        self.assign = on_assigned
        return self

    def poll(self, timeout_s: float, max_records: int) -> Mapping[int, list[Record]]:
        raise NotImplementedError

    def seek(self, partition: int, after: int) -> None:
        self.after[partition] = after
        self.paused.discard(partition)

    def pause(self, partitions: Collection[int]) -> None:
        self.paused.update(partitions)

    def commit_hint(self, positions: Mapping[int, int]) -> None:
        pass

    def close(self) -> None:
        pass
