"""What every event log promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.headers import Headers
from headwater_schemas.positions import Position

RECORDS_PER_READ_MAX = 4096
BYTES_PER_READ_MAX = 16 * 1024 * 1024
RECORDS_PER_APPEND_MAX = 4096  # one append is one turn, and everybody else waits for its end
BYTES_PER_APPEND_MAX = 64 * 1024 * 1024  # as above; payloads only
BYTES_AT_ONCE_MAX = 900_000  # keys, payloads and headers; what goes over the wire in one piece
KEY_BYTES_MAX = 4096  # far above what the grammar of names allows


@dataclass(frozen=True, slots=True)
class NewRecord:
    """Something to append."""

    key: str
    payload: bytes
    headers: Headers = ()
    partition: int | None = None  # None: the one that the key belongs to


@dataclass(frozen=True, slots=True)
class Record:
    """Something that was appended."""

    position: Position
    time_us: int  # append time by the log's clock, microseconds since 1970 UTC; never goes back within a partition
    key: str
    payload: bytes
    headers: Headers = ()


class RecordsGone(StoreUnavailable):
    """Records that are needed do not exist any more. Reading the partition must not continue elsewhere."""

    def __init__(self, message: str, *, partition: int) -> None:
        super().__init__(message)
        self.partition = partition


class EventLog(Protocol):
    """An append-only list of encoded events, in one total order within each partition.

    Every adapter promises, and `tests/contract/test_event_log.py` checks:

    - when `append` returns, the records survive a crash of this process and of the machine;
    - records of one `append` that go to one partition stand there in the order given, and all or none of them do,
      unless DurabilityUnknown is raised; readers see them all at once where they take less than BYTES_AT_ONCE_MAX;
    - positions within a partition only grow; gaps are allowed, reuse is not; `time_us` never goes back;
    - equal keys always go to one partition;
    - `read` gives records in order and may give one twice after a restart, never skip one;
    - many processes and threads may append and read at once, also after a fork.
    """

    @property
    def generation(self) -> str:
        """The log's identity, given when it was made. Another one means another history."""
        ...

    @property
    def partitions(self) -> int:
        """How many partitions there are, numbered from 0; fixed for the log's life."""
        ...

    def partition_of(self, key: str) -> int:
        """The partition in which all records of `key` stand."""
        ...

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """Append `records` durably and say where they stand.

        Raises: DurabilityUnknown when durability was not confirmed within `timeout_s`, the records may still arrive;
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
        """`end` of every partition, asked for at once."""
        ...

    def close(self) -> None:
        """Let go of files and connections. Closing twice is fine."""
        ...
