"""`port.EventLog` on a topic."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from headwater_runtime import fork_hooks
from headwater_schemas.errors import StoreReadOnly
from headwater_schemas.positions import Position

from headwater_eventlog import header_block
from headwater_eventlog.checks import check_append, check_partition
from headwater_eventlog.kafka.driver import murmur2
from headwater_eventlog.kafka.reading import Readers
from headwater_eventlog.kafka.sending import Prepared, Sender
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import Identity, Topic, refuse_unfit
from headwater_eventlog.port import RECORDS_PER_READ_MAX, NewRecord, Record

HASHES_KEPT = 16_384  # keys whose hash is remembered; it is computed in Python


class _Here:
    """What belongs to one process: connections and the threads that serve them."""

    def __init__(self, settings: KafkaSettings, identity: Identity | None) -> None:
        self.topic = Topic(settings)
        self.topic.identity = identity
        self.sender = Sender(self.topic)
        self.readers = Readers(self.topic)

    def close(self) -> None:
        self.sender.close()
        self.readers.close()
        self.topic.close()


class KafkaEventLog:
    """`port.EventLog` as a Kafka topic. Made by `open`."""

    def __init__(self, settings: KafkaSettings, here: _Here, *, read_only: bool) -> None:
        self.settings = settings
        self._here = here
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
        """The log in the topic, made where there is none and `create` allows it.

        `expect` is the generation and the number of partitions that the caller remembers; another log is refused.
        Raises: StoreUnavailable, StoreReadOnly.
        """
        here = _Here(settings, None if expect is None else Identity(*expect))
        try:
            if create and not read_only:
                here.topic.make()
            here.topic.verify()
            refuse_unfit(here.topic)
        except BaseException:
            here.close()
            raise
        return cls(settings, here, read_only=read_only)

    @property
    def generation(self) -> str:
        return self._here.topic.known.generation

    @property
    def partitions(self) -> int:
        return self._here.topic.known.partitions

    @property
    def topic(self) -> Topic:
        """For what shares the topic among projectors."""
        return self._here.topic

    def partition_of(self, key: str) -> int:
        """The same that every other client of Kafka would choose."""
        return _hash(key.encode()) % self.partitions

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """As the port says."""
        deadline = time.monotonic() + timeout_s
        check_append(records, self.partitions)
        prepared = [self._prepared(record) for record in records]
        if not prepared:
            return []
        if self._read_only:
            raise StoreReadOnly(f"topic {self.settings.topic!r} was opened for reading: nothing was written.")
        generation, offsets = self.generation, self._here.sender.append(prepared, deadline)
        return [
            Position(generation, record.partition, offset) for record, offset in zip(prepared, offsets, strict=True)
        ]

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        check_partition(partition, self.partitions)
        limit = min(limit, RECORDS_PER_READ_MAX)
        return self._here.readers.read(partition, after, limit) if limit > 0 else []

    def end(self, partition: int) -> int:
        check_partition(partition, self.partitions)
        return self.ends()[partition]

    def ends(self) -> Mapping[int, int]:
        self._here.topic.verify()
        return {partition: after_last - 1 for partition, after_last in self._here.topic.ends().items()}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._here.close()

    def _prepared(self, record: NewRecord) -> Prepared:
        header_block.pack(record.headers)  # refuses what no log takes
        partition = self.partition_of(record.key) if record.partition is None else record.partition
        return Prepared(partition, record.key.encode(), record.payload, record.headers)

    def _reopen_in_child(self) -> None:
        """Connections and threads are the parent's."""
        fork_hooks.keep_forever(self._here)
        self._here.sender.forget_at_exit()
        here = _Here(self.settings, self._here.topic.identity)
        if self._closed:
            here.close()
        self._here = here


@lru_cache(HASHES_KEPT)
def _hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF
