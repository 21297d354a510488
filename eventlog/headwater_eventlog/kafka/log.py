"""The event log as a Kafka topic: the adapter of `port.EventLog`."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from headwater_runtime import fork_hooks
from headwater_runtime.closing import closed_on_failure
from headwater_schemas import header_block
from headwater_schemas.errors import StoreNotOurs, StoreReadOnly, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_eventlog.ancestry import ancestors_in, ancestry_record, check_ancestors
from headwater_eventlog.checks import check_append, check_partition
from headwater_eventlog.kafka.driver import murmur2
from headwater_eventlog.kafka.reader import ReaderPool
from headwater_eventlog.kafka.sender import OutgoingRecord, Sender
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import Topic, check_config
from headwater_eventlog.port import RECORDS_PER_READ_MAX, LogIdentity, NewRecord, Record

HASHES_CACHED = 16_384  # of keys; a hash is computed in Python
_LISTED_LAST = 0  # the partition that tells a log's ancestors, so that those of an unfinished topic are not believed


class _ProcessState:
    """The connections of one process, with the threads that serve them."""

    def __init__(self, settings: KafkaSettings, identity: LogIdentity | None) -> None:
        self.topic = Topic(settings, identity)
        self.sender = Sender(self.topic)
        self.readers = ReaderPool(self.topic)

    def close(self) -> None:
        self.sender.close()
        self.readers.close()
        self.topic.close()


class KafkaEventLog:
    """`port.EventLog` as a Kafka topic. Open it with `open`."""

    def __init__(self, settings: KafkaSettings, state: _ProcessState, *, read_only: bool) -> None:
        self.settings = settings
        self._state = state
        self._read_only = read_only
        self._closed = False
        fork_hooks.register_object(self, in_child=KafkaEventLog._reopen_in_child)

    @classmethod
    def open(
        cls,
        settings: KafkaSettings,
        *,
        create: bool,
        read_only: bool = False,
        expect: LogIdentity | None = None,
    ) -> "KafkaEventLog":
        """Open the log in the topic; create the topic where there is none and `create` is set.

        `expect` is what the caller remembers of it; any other log is refused. Without it, the topic's first record is
        read for the log's ancestors. Raises: StoreUnavailable, StoreReadOnly.
        """
        with closed_on_failure(_ProcessState(settings, expect)) as state:
            if create and not read_only:
                state.topic.create()
            state.topic.verify()
            check_config(state.topic)
            if expect is None:
                state.topic.has_ancestors(_listed_ancestors(state))
            return cls(settings, state, read_only=read_only)

    @classmethod
    def create(cls, settings: KafkaSettings, *, ancestors: Sequence[str], timeout_s: float) -> "KafkaEventLog":
        """Create a topic into which the records of other logs are restored, see `ancestry`, and open it.

        Raises: InvalidInput; StoreNotOurs when the topic exists; StoreUnavailable, StoreReadOnly, DurabilityUnknown,
        after which the topic must be deleted.
        """
        check_ancestors(ancestors)
        with closed_on_failure(_ProcessState(settings, None)) as state:
            if not state.topic.create():
                raise StoreNotOurs(
                    f"topic {settings.topic!r} of Kafka at {settings.servers} exists, and records are restored into a "
                    "new one only. Nothing was changed; choose another name."
                )
            state.topic.verify()
            _list_ancestors(state, ancestors, time.monotonic() + timeout_s)
            state.topic.has_ancestors(tuple(ancestors))
            return cls(settings, state, read_only=False)

    @property
    def generation(self) -> str:
        return self._state.topic.identity.generation

    @property
    def ancestors(self) -> tuple[str, ...]:
        return self._state.topic.identity.ancestors

    @property
    def partitions(self) -> int:
        return self._state.topic.identity.partitions

    @property
    def topic(self) -> Topic:
        """The topic, for `KafkaGroup`."""
        return self._state.topic

    def partition_of(self, key: str) -> int:
        """The partition that every other client of Kafka would choose."""
        return _hash(key.encode()) % self.partitions

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """As the port says."""
        deadline = time.monotonic() + timeout_s
        check_append(records, self.partitions)
        outgoing = [self._outgoing(record) for record in records]
        if not outgoing:
            return []
        if self._read_only:
            raise StoreReadOnly(
                f"topic {self.settings.topic!r} was opened read-only: nothing was written. Open it for writing."
            )
        epoch, offsets = len(self.ancestors), self._state.sender.append(outgoing, deadline)
        return [Position(epoch, record.partition, offset) for record, offset in zip(outgoing, offsets, strict=True)]

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        check_partition(partition, self.partitions)
        limit = min(limit, RECORDS_PER_READ_MAX)
        return self._state.readers.read(partition, after, limit) if limit > 0 else []

    def end(self, partition: int) -> int:
        check_partition(partition, self.partitions)
        return self._state.topic.end(partition) - 1

    def ends(self) -> Mapping[int, int]:
        return {partition: after_last - 1 for partition, after_last in self._state.topic.ends().items()}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._state.close()

    def _outgoing(self, record: NewRecord) -> OutgoingRecord:
        header_block.pack(record.headers)  # raises for headers that no log accepts
        partition = self.partition_of(record.key) if record.partition is None else record.partition
        return OutgoingRecord(partition, record.key.encode(), record.payload, record.headers)

    def _reopen_in_child(self) -> None:
        """Leave connections and threads to the parent."""
        fork_hooks.keep_forever(self._state)
        self._state.sender.forget_exit_handler()
        state = _ProcessState(self.settings, self._state.topic.identity)
        if self._closed:
            state.close()
        self._state = state


def _listed_ancestors(state: _ProcessState) -> tuple[str, ...]:
    """The ancestors, by the first record of the topic. Raises: StoreUnavailable."""
    if state.topic.end(_LISTED_LAST) == 0:
        return ()
    first, *_ = state.readers.read(_LISTED_LAST, BEFORE_FIRST, 1)
    return ancestors_in(first) or ()


def _list_ancestors(state: _ProcessState, ancestors: Sequence[str], deadline: float) -> None:
    """Write them before anything else. Raises: StoreUnavailable when others wrote first, and as `append`."""
    others = [partition for partition in range(state.topic.identity.partitions) if partition != _LISTED_LAST]
    for partitions in (others, [_LISTED_LAST]):
        records = [ancestry_record(ancestors, partition) for partition in partitions]
        outgoing = [
            OutgoingRecord(p, r.key.encode(), r.payload, r.headers) for p, r in zip(partitions, records, strict=True)
        ]
        if outgoing and any(state.sender.append(outgoing, deadline)):
            raise StoreUnavailable(
                f"another process wrote to topic {state.topic.settings.topic!r} while it was created. "
                "Delete the topic, end what writes to it, and try again."
            )


@lru_cache(HASHES_CACHED)
def _hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF
