"""The port of event logs: what every adapter promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from headwater_schemas.errors import HeadwaterError, StoreGone
from headwater_schemas.headers import Headers
from headwater_schemas.positions import Position

RECORDS_PER_READ_MAX = 4096
BYTES_PER_READ_MAX = 16 * 1024 * 1024
RECORDS_PER_APPEND_MAX = 4096  # other writers wait for the end of an append
BYTES_PER_APPEND_MAX = 64 * 1024 * 1024  # as above; payloads only
BYTES_AT_ONCE_MAX = 900_000  # keys, payloads and headers; sent in one request
KEY_BYTES_MAX = 4096  # much more than the grammar of names allows


class NewRecord(NamedTuple):
    """A record to append."""

    key: str
    payload: bytes
    headers: Headers = ()
    partition: int | None = None  # None: the one of the key


class Record(NamedTuple):
    """A record of the log."""

    position: Position
    time_us: int  # append time by the log's clock, microseconds since 1970 UTC; that may go back
    key: str
    payload: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Distinguishes one log from another."""

    generation: str
    partitions: int
    ancestors: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"id {self.generation} with {self.partitions} partitions"


class RecordsGone(StoreGone):
    """Records that are needed do not exist any more. Reading the partition must not continue elsewhere."""

    def __init__(self, message: str, *, partition: int) -> None:
        super().__init__(message)
        self.partition = partition


class RecordsDeleted(RecordsGone):
    """They were deleted from the beginning of their partition. They may be kept elsewhere, see `EarlierRecords`."""

    def __init__(self, message: str, *, partition: int, beginning: int) -> None:
        super().__init__(message, partition=partition)
        self.beginning = beginning  # offset of the first record that is there still


class RecordsRefused(HeadwaterError):
    """The log does not take some records of an append, now or later. The others are to be sent again."""

    def __init__(self, errors: Mapping[int, HeadwaterError]) -> None:
        """`errors`: why, by the record's index."""
        super().__init__(str(errors[min(errors)]))
        self.errors = errors


class EventLog(Protocol):
    """An append-only list of encoded events, in one total order within each partition.

    Every adapter promises, and `tests/contract/test_event_log.py` checks:

    - when `append` returns, the records survive a crash of this process and of the machine;
    - records of one `append` to one partition are stored in the order given, all or none of them unless
      DurabilityUnknown is raised; they become visible together where they have less than BYTES_AT_ONCE_MAX;
    - positions within a partition only increase; gaps are allowed, reuse is not;
    - records with equal keys are stored in one partition;
    - `read` returns records in order; it may return one twice after a restart, but never skips one;
    - many processes and threads may append and read at once, also after a fork.
    """

    @property
    def generation(self) -> str:
        """The log's identity, assigned when it was created. Another generation is another history."""
        ...

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The generations of the logs whose records were restored into this one, oldest first; empty for most logs.

        Their number is the epoch of this log's own positions.
        """
        ...

    @property
    def partitions(self) -> int:
        """The number of partitions, which are numbered from 0; fixed for the log's lifetime."""
        ...

    def partition_of(self, key: str) -> int:
        """The partition of all records with `key`."""
        ...

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """Append `records` durably; returns their positions.

        Raises: DurabilityUnknown when durability was not confirmed within `timeout_s`: the records may still be stored;
        StoreUnavailable or StoreReadOnly when nothing was written; RecordsRefused by a log that judges who writes.
        """
        ...

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        """The next records with an offset greater than `after`, at most `limit` and about BYTES_PER_READ_MAX bytes.

        Empty when there are none yet. Raises: StoreUnavailable.
        """
        ...

    def end(self, partition: int) -> int:
        """The offset of the last record of `partition`, BEFORE_FIRST when it has none."""
        ...

    def ends(self) -> Mapping[int, int]:
        """`end` of every partition, by one request."""
        ...

    def close(self) -> None:
        """Close files and connections. Closing twice is fine."""
        ...


class TrimmableLog(EventLog, Protocol):
    """A log whose oldest records can be deleted."""

    def beginnings(self) -> Mapping[int, int]:
        """The offset of the first record of every partition that was not deleted, by one request."""
        ...

    def delete_before(self, offsets: Mapping[int, int]) -> None:
        """Delete for ever the records before these offsets, by partition. Where they are gone already, nothing happens.

        Raises: StoreUnavailable, StoreReadOnly.
        """
        ...


class EarlierRecords(Protocol):
    """What was deleted from the beginning of a log, where it is kept still. For any thread, also after a fork."""

    def ancestors(self, generation: str) -> tuple[str, ...]:
        """Those of a log whose first record was deleted. Raises: StoreUnavailable."""
        ...

    def read(self, log: LogIdentity, partition: int, *, after: int, before: int, limit: int) -> Sequence[Record]:
        """As `EventLog.read`, of records before offset `before`; at least one, as there is no other end.

        Raises: RecordsGone naming what is missing; StoreError, ContentError.
        """
        ...

    def close(self) -> None:
        """Close connections. Closing twice is fine."""
        ...


def identity_of(log: EventLog) -> LogIdentity:
    """What a projection remembers of its log."""
    return LogIdentity(log.generation, log.partitions, log.ancestors)
