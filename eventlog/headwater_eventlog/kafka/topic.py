"""The topic: making it, knowing it again, and asking where it begins and ends.

A topic is known by the id that Kafka gave it when it was made, which is the log's generation, and by its number of
partitions. Whoever deletes a topic and makes one of the same name has made another log.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreUnavailable

from headwater_eventlog.kafka.driver import (
    ConfigResource,
    KafkaAdminClient,
    OffsetSpec,
    TopicPartition,
    errors,
    fail,
    let_go,
    made,
    told,
    words,
)
from headwater_eventlog.kafka.settings import KafkaSettings

# One batch of records is at most this: a batch of the sender, or the largest record with its key and headers.
MESSAGE_BYTES_MAX = 1_048_588  # what Kafka takes unless told otherwise
RETENTION = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}  # nothing is ever deleted
KIND = {
    "message.timestamp.type": "LogAppendTime",
    # Nobody's compressed record can then unfold in a reader to more than MESSAGE_BYTES_MAX; ours hold digests, which
    # do not compress, and are sent as they are.
    "compression.type": "uncompressed",
}
# For an answer: a leader may just be chosen.
ASK = Backoff(pause_s_min=0.1, pause_s_max=0.1, total_s_max=10.0)
READY_WAIT_S = 30.0  # for every partition of a new topic to have a leader
SPREAD_WAIT_S = 10.0  # for every broker to have heard of a new topic; one that has not says that there is none

T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What tells one log from another."""

    generation: str
    partitions: int

    def __str__(self) -> str:
        return f"id {self.generation} with {self.partitions} partitions"


class Topic:
    """What is asked about a topic, over one connection that nothing slow ever uses. For any thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.identity: Identity | None = None  # None until it was first seen or expected
        self._admin: Any = None
        self._lock = threading.Lock()
        self._verified_s = float("-inf")
        self._spread_s = float("-inf")  # from when on "there is none" is believed
        self._closed = False

    @property
    def known(self) -> Identity:
        assert self.identity is not None
        return self.identity

    def make(self) -> None:
        """Make it unless it is there. Many may do this at once. Raises: StoreUnavailable, StoreReadOnly."""
        settings = self.settings
        config = {
            **RETENTION,
            **KIND,
            "min.insync.replicas": str(settings.min_insync_replicas),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        new = {"num_partitions": settings.partitions, "replication_factor": settings.replication, "configs": config}
        try:
            self._ask(lambda admin: admin.create_topics({settings.topic: new}), "no topic was made")
        except StoreUnavailable as error:
            if isinstance(error.__cause__, errors.InvalidReplicationFactorError):
                raise StoreUnavailable(
                    f"Kafka at {settings.servers} has too few brokers for replication {settings.replication}: "
                    f"topic {settings.topic!r} was not made. Start more brokers, or set a smaller replication."
                ) from error
            if not isinstance(error.__cause__, errors.TopicAlreadyExistsError):
                raise
        self._wait_until_ready()
        self._spread_s = time.monotonic() + SPREAD_WAIT_S

    def verify(self, *, age_s_max: float = 0.0) -> None:
        """Refuse what is not the log that was remembered; the first one seen is remembered.

        Asks nobody when it was asked less than `age_s_max` ago. Raises: StoreUnavailable, StoreReadOnly.
        """
        now = time.monotonic()
        if now - self._verified_s < age_s_max:
            return
        found = self._identity_of(self.described())
        if self.identity is None:
            self.identity = found
        if found != self.identity:
            raise StoreUnavailable(_another(self.settings, self.identity, found))
        self._verified_s = now

    def described(self) -> dict[str, Any]:
        """Kafka's own words about the topic. Raises: StoreUnavailable when it is not there."""
        name = self.settings.topic
        described: dict[str, Any]
        retries = ASK.start(deadline=self._spread_s)
        while True:
            described = self._ask(lambda admin: admin.describe_topics([name])[0], "nothing was read")
            kind = errors.for_code(described["error_code"])
            if kind is not errors.UnknownTopicOrPartitionError or not retries.pause():
                break
        if kind is errors.UnknownTopicOrPartitionError:
            remembered = f" It was there with {self.identity}: restore it." if self.identity else ""
            raise StoreUnavailable(
                f"Kafka at {self.settings.servers} has no topic {name!r}.{remembered} "
                "Correct the name, or have headwater make it."
            )
        if kind is not errors.NoError and not described["partitions"]:
            fail(kind(), self.settings, "nothing was read")
        return described

    def ends(self) -> Mapping[int, int]:
        """The offset after the last record of each partition."""
        return self._offsets(range(self.known.partitions), OffsetSpec.LATEST)

    def end(self, partition: int) -> int:
        """As `ends`, of one partition."""
        return self._offsets([partition], OffsetSpec.LATEST)[partition]

    def beginning(self, partition: int) -> int:
        """The offset of the first record that still exists, or the end when there is none."""
        return self._offsets([partition], OffsetSpec.EARLIEST)[partition]

    def config(self) -> dict[str, str]:
        """The topic's settings; empty where this user may not see them."""
        name = self.settings.topic
        answer: dict[str, Any] = self._ask(
            lambda admin: admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all"),
            "nothing was read",
        )
        return {key: str(found["value"]) for key, found in answer.get("topic", {}).get(name, {}).items()}

    def cluster(self) -> dict[str, Any]:
        """Who answers: cluster_id and brokers."""
        answer: dict[str, Any] = self._ask(lambda admin: admin.describe_cluster(), "nothing was read")
        return answer

    def close(self) -> None:
        """Closing twice is fine."""
        with self._lock:
            self._closed = True
            admin, self._admin = self._admin, None
        if admin is not None:
            let_go("asking", admin.close)

    def _offsets(self, partitions: Any, spec: Any) -> dict[int, int]:
        wanted = {TopicPartition(self.settings.topic, partition): spec for partition in partitions}
        found = self._ask(lambda admin: admin.list_partition_offsets(wanted), "nothing was read")
        return {partition.partition: at.offset for partition, at in sorted(found.items())}

    def _ask(self, question: Callable[[Any], T], outcome: str) -> T:
        """The answer, asked for again while that may help. Raises: StoreUnavailable, StoreReadOnly."""
        retries = ASK.start()
        with told(self.settings, outcome):
            while True:
                try:
                    return question(self._connected())
                except (errors.RetriableError, errors.UnknownBrokerIdError) as error:
                    if isinstance(error, errors.KafkaTimeoutError) or not retries.pause():
                        raise

    def _connected(self) -> Any:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"the log {self.settings.topic!r} was closed: open it again.")
            if self._admin is None:
                self._admin = made(KafkaAdminClient, self.settings)
            return self._admin

    def _identity_of(self, described: Mapping[str, Any]) -> Identity:
        found = described["topic_id"]
        if not found:
            raise StoreUnavailable(
                f"Kafka at {self.settings.servers} gives its topics no ids, so it is older than 2.8. Upgrade it."
            )
        return Identity(uuid.UUID(str(found)).hex, len(described["partitions"]))

    def _wait_until_ready(self) -> None:
        """Until each partition can be written; a new topic takes a moment."""
        name, outcome = self.settings.topic, "the new topic has no leaders yet"
        try:
            self._ask(lambda admin: admin.wait_for_topics([name], timeout_ms=int(READY_WAIT_S * 1000)), outcome)
        except StoreUnavailable as error:
            raise StoreUnavailable(f"topic {name!r} is not ready ({words(error)}). Try again.") from error


def problems(config: Mapping[str, str]) -> list[str]:
    """What in a topic's settings would lose records or make them unreadable; nothing when they cannot be seen."""
    if not config:
        return []
    wrong = {name: config.get(name, "") for name, wanted in RETENTION.items() if config.get(name) != wanted}
    found = [f"{name} is {value}, so records get lost: set it to {RETENTION[name]}" for name, value in wrong.items()]
    name = "message.timestamp.type"
    if config.get(name) != KIND[name]:
        found.append(f"{name} is {config.get(name)}, so time would be the writers' clocks: set it to {KIND[name]}")
    size = int(config.get("max.message.bytes", MESSAGE_BYTES_MAX))
    if size < MESSAGE_BYTES_MAX:
        found.append(f"max.message.bytes is {size:,}, too small for an event: set it to {MESSAGE_BYTES_MAX}")
    return found


def refuse_unfit(topic: Topic) -> None:
    """Raises: StoreUnavailable when the topic's settings would lose records."""
    if found := problems(topic.config()):
        settings = topic.settings
        raise StoreUnavailable(
            f"topic {settings.topic!r} of Kafka at {settings.servers} cannot be the event log: {'; '.join(found)}. "
            "Alter the topic (kafka-configs), or let headwater make one under another name."
        )


def _another(settings: KafkaSettings, remembered: Identity, found: Identity) -> str:
    where = f"topic {settings.topic!r} of Kafka at {settings.servers}"
    if remembered.generation == found.generation:
        return (
            f"{where} had {remembered.partitions} partitions and has {found.partitions} now: keys would move to other "
            "partitions, and their order be lost. Make a new topic and restore the records of this one into it."
        )
    return (
        f"{where} was made anew: remembered is {remembered}, there is {found}. What is known of the old one means "
        "nothing in it. Restore the records from the archive into a new topic, or start with an empty database."
    )
