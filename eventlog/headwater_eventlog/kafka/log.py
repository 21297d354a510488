"""The event log as a Kafka topic: the adapter of `port.EventLog`."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from headwater_runtime import fork_hooks
from headwater_schemas import header_block
from headwater_schemas.errors import StoreReadOnly
from headwater_schemas.positions import Position

from headwater_eventlog.checks import check_append, check_partition
from headwater_eventlog.kafka.driver import murmur2
from headwater_eventlog.kafka.reader import ReaderPool
from headwater_eventlog.kafka.sender import OutgoingRecord, Sender
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import Topic, TopicIdentity, check_config
from headwater_eventlog.port import RECORDS_PER_READ_MAX, NewRecord, Record

HASHES_CACHED = 16_384  # of keys; a hash is computed in Python


class _ProcessState:
    """The connections of one process, with the threads that serve them."""

    def __init__(self, settings: KafkaSettings, identity: TopicIdentity | None) -> None:
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
        expect: tuple[str, int] | None = None,
    ) -> "KafkaEventLog":
        """Open the log in the topic; create the topic where there is none and `create` is set.

        `expect` is the generation and the number of partitions that the caller remembers; any other log is refused.
        Raises: StoreUnavailable, StoreReadOnly.
        """
        state = _ProcessState(settings, None if expect is None else TopicIdentity(*expect))
        try:
            if create and not read_only:
                state.topic.create()
            state.topic.verify()
            check_config(state.topic)
        except BaseException:
            state.close()
            raise
        return cls(settings, state, read_only=read_only)

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
        return self.ends()[partition]

    def ends(self) -> Mapping[int, int]:
        self._state.topic.verify()
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


@lru_cache(HASHES_CACHED)
def _hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF
