"""The port of event logs: what every adapter promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.headers import Headers
from headwater_schemas.positions import Position

RECORDS_PER_READ_MAX = 4096
BYTES_PER_READ_MAX = 16 * 1024 * 1024
RECORDS_PER_APPEND_MAX = 4096  # other writers wait for the end of an append
BYTES_PER_APPEND_MAX = 64 * 1024 * 1024  # as above; payloads only
BYTES_AT_ONCE_MAX = 900_000  # keys, payloads and headers; sent in one request
KEY_BYTES_MAX = 4096  # much more than the grammar of names allows


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append."""

    key: str
    payload: bytes
    headers: Headers = ()
    partition: int | None = None  # None: the one of the key


@dataclass(frozen=True, slots=True)
class Record:
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


class RecordsGone(StoreUnavailable):
    """Records that are needed do not exist any more. Reading the partition must not continue elsewhere."""

    def __init__(self, message: str, *, partition: int) -> None:
        super().__init__(message)
        self.partition = partition


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
        StoreUnavailable or StoreReadOnly when nothing was written.
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


def identity_of(log: EventLog) -> LogIdentity:
    """What a projection remembers of its log."""
    return LogIdentity(log.generation, log.partitions, log.ancestors)
