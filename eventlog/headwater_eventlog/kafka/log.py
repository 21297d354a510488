"""The event log as a Kafka topic: the adapter of `port.EventLog`."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from functools import lru_cache

from headwater_runtime import fork_hooks
from headwater_runtime.closing import closed_on_failure
from headwater_schemas import header_block
from headwater_schemas.errors import StoreMissing, StoreNotOurs, StoreReadOnly, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_eventlog.ancestry import ancestors_in, ancestry_record, check_ancestors
from headwater_eventlog.checks import check_append, check_partition
from headwater_eventlog.kafka.driver import murmur2
from headwater_eventlog.kafka.reader import ReaderPool
from headwater_eventlog.kafka.sender import OutgoingRecord, Sender
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.kafka.topic import Topic, check_config
from headwater_eventlog.port import (
    RECORDS_PER_READ_MAX,
    EarlierRecords,
    LogIdentity,
    NewRecord,
    Record,
    RecordsDeleted,
)

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

    def __init__(
        self,
        settings: KafkaSettings,
        state: _ProcessState,
        *,
        read_only: bool,
        earlier: EarlierRecords | None = None,
    ) -> None:
        self.settings = settings
        self._state = state
        self._read_only = read_only
        self._earlier = earlier
        self._beginnings: dict[int, int] = {}  # of partitions from which records that were needed had been deleted
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
        earlier: EarlierRecords | None = None,
    ) -> "KafkaEventLog":
        """Open the log in the topic; create the topic where there is none and `create` is set.

        `expect` is what the caller remembers of it; any other log is refused. Without it, the topic's first record is
        read for the log's ancestors. What was deleted from its beginning is read from `earlier`, which the log closes.
        Raises: StoreUnavailable, StoreReadOnly.
        """
        with closed_on_failure(_ProcessState(settings, expect)) as state:
            if create and not read_only:
                state.topic.create()
            state.topic.verify()
            check_config(state.topic)
            if expect is None:
                state.topic.has_ancestors(_listed_ancestors(state, earlier))
            return cls(settings, state, read_only=read_only, earlier=earlier)

    @classmethod
    def create(cls, settings: KafkaSettings, *, ancestors: Sequence[str], timeout_s: float) -> "KafkaEventLog":
        """Open a log into which the records of others are restored, see `ancestry`; create its topic if it is missing.

        A topic that is empty is taken, and one with these ancestors is opened; call it again after an interruption.
        Raises: InvalidInput; StoreNotOurs where there is another log; StoreUnavailable, StoreReadOnly,
        DurabilityUnknown.
        """
        check_ancestors(ancestors)
        with closed_on_failure(_ProcessState(settings, None)) as state:
            state.topic.create()
            check_config(state.topic)
            listing = _listing_already(state, ancestors)
            _list_ancestors(state, ancestors, listing, time.monotonic() + timeout_s)
            state.topic.has_ancestors(tuple(ancestors))
            return cls(settings, state, read_only=False)

    @classmethod
    def check_can_create(cls, settings: KafkaSettings, *, ancestors: Sequence[str]) -> None:
        """Whether `create` would refuse the topic. Raises: StoreNotOurs, StoreUnavailable."""
        with closing(_ProcessState(settings, None)) as state, suppress(StoreMissing):
            _listing_already(state, ancestors)

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
        if limit <= 0:
            return []
        if after + 1 >= self._beginnings.get(partition, 0):  # records before it never come back
            try:
                return self._state.readers.read(partition, after, limit)
            except RecordsDeleted as deleted:
                if self._earlier is None:
                    raise
                self._beginnings[partition] = deleted.beginning
        assert self._earlier is not None
        before, log = self._beginnings[partition], self._state.topic.identity
        return self._earlier.read(log, partition, after=after, before=before, limit=limit)

    def end(self, partition: int) -> int:
        check_partition(partition, self.partitions)
        return self._state.topic.end(partition) - 1

    def ends(self) -> Mapping[int, int]:
        return {partition: after_last - 1 for partition, after_last in self._state.topic.ends().items()}

    def beginnings(self) -> Mapping[int, int]:
        """As `TrimmableLog` says."""
        return self._state.topic.beginnings()

    def delete_before(self, offsets: Mapping[int, int]) -> None:
        """As `TrimmableLog` says."""
        if self._read_only:
            raise StoreReadOnly(f"topic {self.settings.topic!r} was opened read-only: nothing was deleted from it.")
        self._state.topic.delete_before(offsets)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._state.close()
            if self._earlier is not None:
                self._earlier.close()

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


def _listed_ancestors(state: _ProcessState, earlier: EarlierRecords | None) -> tuple[str, ...]:
    """The ancestors, by the first record of the topic, or by who keeps it. Raises: StoreUnavailable."""
    if state.topic.end(_LISTED_LAST) == 0:
        return ()
    try:
        first, *_ = state.readers.read(_LISTED_LAST, BEFORE_FIRST, 1)
    except RecordsDeleted:
        if earlier is None:
            raise
        return earlier.ancestors(state.topic.identity.generation)
    return ancestors_in(first) or ()


def _listing_already(state: _ProcessState, ancestors: Sequence[str]) -> Collection[int]:
    """The partitions of the topic that list these ancestors already. Raises: StoreMissing; StoreNotOurs for others."""
    settings, ends = state.topic.settings, state.topic.ends()
    used = [partition for partition, end in ends.items() if end]
    found = ""
    if len(ends) != settings.partitions:
        found = f"has {len(ends)} partitions, not {settings.partitions}"
    elif any(_ancestors_in(state, partition) != tuple(ancestors) for partition in used):
        found = "has another log"
    if found:
        raise StoreNotOurs(
            f"topic {settings.topic!r} of Kafka at {settings.servers} {found}, and records are restored into a new one "
            "only. Nothing was changed; name another with kafka_topic."
        )
    return used


def _ancestors_in(state: _ProcessState, partition: int) -> tuple[str, ...] | None:
    """The ancestors that a partition lists; None where it lists none, or where that was deleted."""
    try:
        return ancestors_in(state.readers.read(partition, BEFORE_FIRST, 1)[0])
    except RecordsDeleted:
        return None


def _list_ancestors(state: _ProcessState, ancestors: Sequence[str], listing: Collection[int], deadline: float) -> None:
    """Write them before anything else, but not into the partitions that are `listing` them.

    Raises: StoreUnavailable when others wrote first, and as `append`.
    """
    others = [partition for partition in range(state.topic.identity.partitions) if partition != _LISTED_LAST]
    for partitions in (others, [_LISTED_LAST]):
        missing = [partition for partition in partitions if partition not in listing]
        records = [ancestry_record(ancestors, partition) for partition in missing]
        outgoing = [
            OutgoingRecord(p, r.key.encode(), r.payload, r.headers) for p, r in zip(missing, records, strict=True)
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
