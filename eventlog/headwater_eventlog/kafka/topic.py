"""The topic: creating it, verifying its identity, and requesting its offsets.

A topic is identified by the id that Kafka gave it at its creation, which is the log's generation, and by its number of
partitions. A topic that is deleted and created again under the same name is another log.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreGone, StoreMissing, StoreNotAnswering, StoreUnavailable

from headwater_eventlog.kafka.driver import (
    ConfigResource,
    KafkaAdminClient,
    OffsetSpec,
    TopicPartition,
    close_in_background,
    create_client,
    describe_error,
    errors,
    list_offsets,
    to_store_error,
    translate_errors,
)
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.port import LogIdentity

# The bound of one batch of records: a batch of the sender, or the largest record with its key and headers.
MESSAGE_BYTES_MAX = 1_048_588  # the default of Kafka
RETENTION_CONFIG = {
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "cleanup.policy": "delete",
}  # nothing is ever deleted
RECORD_CONFIG = {
    "message.timestamp.type": "LogAppendTime",
    # No record can then decompress in a reader to more than MESSAGE_BYTES_MAX. Our own records hold digests, which do
    # not compress, and are sent uncompressed.
    "compression.type": "uncompressed",
}
# For an answer: the leader may be changing.
RETRY = Backoff(pause_s_min=0.1, pause_s_max=0.1, total_s_max=10.0, waits_until_deadline=True)
# Since the topic's identity was last verified. Another topic shows itself sooner: its offsets begin anew.
IDENTITY_AGE_S_MAX = 10.0
READY_WAIT_S = 30.0  # for every partition of a new topic to have a leader
PROPAGATION_WAIT_S = 10.0  # for every broker to know a new topic; until then it answers that there is none

T = TypeVar("T")


class Topic:
    """Requests about a topic, over a connection of their own that no slow request uses. For any thread."""

    def __init__(self, settings: KafkaSettings, identity: LogIdentity | None = None) -> None:
        """`identity` is the expected one; without it, the first one that `verify` finds is."""
        self.settings = settings
        self._identity = identity
        self._admin: Any = None
        self._lock = threading.Lock()
        self._verified_s = float("-inf")
        self._leaders: dict[int, int] = {}  # partition → the broker that had it then
        self._propagated_s = float("-inf")  # when every broker should know a topic that was created here
        self._known_ends: dict[int, int] = {}  # partition → the last answer
        self._closed = False

    @property
    def identity(self) -> LogIdentity:
        """The identity that `verify` found or that was expected."""
        assert self._identity is not None
        return self._identity

    def has_ancestors(self, ancestors: tuple[str, ...]) -> None:
        """These are the log's ancestors, which Kafka's description does not tell."""
        self._identity = replace(self.identity, ancestors=ancestors)

    def create(self) -> bool:
        """Create the topic unless it exists (False). Safe to call concurrently.

        Raises: StoreUnavailable, StoreReadOnly.
        """
        created = True
        settings = self.settings
        config = {
            **RETENTION_CONFIG,
            **RECORD_CONFIG,
            "min.insync.replicas": str(settings.min_insync_replicas),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        new = {"num_partitions": settings.partitions, "replication_factor": settings.replication, "configs": config}
        try:
            self._request(lambda admin: admin.create_topics({settings.topic: new}), "no topic was created")
        except StoreUnavailable as error:
            if isinstance(error.__cause__, errors.InvalidReplicationFactorError):
                raise StoreUnavailable(
                    f"Kafka at {settings.servers} has too few brokers for replication {settings.replication}: "
                    f"topic {settings.topic!r} was not created. Start more brokers, or set a smaller replication."
                ) from error
            if not isinstance(error.__cause__, errors.TopicAlreadyExistsError):
                raise
            created = False
        self._wait_until_ready()
        self._propagated_s = time.monotonic() + PROPAGATION_WAIT_S
        return created

    def verify(self, *, age_s_max: float = 0.0) -> None:
        """Check that the topic still is the expected log; the first one seen becomes the expected one.

        Sends no request when the last check is younger than `age_s_max`. Raises: StoreGone where it is another;
        StoreUnavailable, StoreReadOnly.
        """
        now = time.monotonic()
        if now - self._verified_s < age_s_max:
            return
        self._verified_s = float("-inf")  # if this fails, everybody asks again
        described = self.describe()
        found = self._identity_of(described)
        if self._identity is None:
            self._identity = found
        if found != replace(self._identity, ancestors=()):
            raise StoreGone(_other_log(self.settings, self._identity, found))
        self._leaders = {one["partition_index"]: one["leader_id"] for one in described["partitions"]}
        self._verified_s = now

    def describe(self) -> dict[str, Any]:
        """Kafka's description of the topic. Raises: StoreUnavailable when there is none."""
        name = self.settings.topic
        described: dict[str, Any]
        retries = RETRY.start(deadline=self._propagated_s)
        while True:
            described = self._request(lambda admin: admin.describe_topics([name])[0])
            kind = errors.for_code(described["error_code"])
            if kind is not errors.UnknownTopicOrPartitionError or not retries.pause():
                break
        if kind is errors.UnknownTopicOrPartitionError:
            remembered = f" It existed with {self._identity}: restore it." if self._identity else ""
            raise (StoreUnavailable if self._identity else StoreMissing)(
                f"Kafka at {self.settings.servers} has no topic {name!r}.{remembered} "
                "Correct the name, or let headwater create it."
            )
        if kind is not errors.NoError and not described["partitions"]:
            raise to_store_error(kind(), self.settings, self._not_asked)
        return described

    def ends(self) -> Mapping[int, int]:
        """The offset after the last record of each partition. Raises: as `verify`."""
        self.verify()
        return self._ends(range(self.identity.partitions))

    def end(self, partition: int) -> int:
        """As `ends`, for one partition."""
        self.verify(age_s_max=IDENTITY_AGE_S_MAX)
        return self._ends([partition])[partition]

    def beginning(self, partition: int) -> int:
        """The offset of the first record that still exists, or the end when there is none."""
        return self._offsets([partition], OffsetSpec.EARLIEST)[partition]

    def beginnings(self) -> Mapping[int, int]:
        """As `beginning`, of every partition. Raises: as `verify`."""
        self.verify()
        return self._offsets(range(self.identity.partitions), OffsetSpec.EARLIEST)

    def delete_before(self, offsets: Mapping[int, int]) -> None:
        """Delete the records before these offsets, by partition. Raises: as `verify`."""
        self.verify()
        wanted = {TopicPartition(self.settings.topic, partition): offset for partition, offset in offsets.items()}
        outcome = "it is not known whether records were deleted, which the right DELETE on the topic permits"
        self._request(lambda admin: admin.delete_records(wanted), outcome)

    def config(self) -> dict[str, str]:
        """The topic's settings; empty where this user may not read them."""
        name = self.settings.topic
        answer: dict[str, Any] = self._request(
            lambda admin: admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")
        )
        return {key: str(found["value"]) for key, found in answer.get("topic", {}).get(name, {}).items()}

    def cluster(self) -> dict[str, Any]:
        """The cluster that answers: cluster_id and brokers."""
        answer: dict[str, Any] = self._request(lambda admin: admin.describe_cluster())
        return answer

    def close(self) -> None:
        """Closing twice is fine."""
        with self._lock:
            self._closed = True
            admin, self._admin = self._admin, None
        if admin is not None:
            close_in_background("admin", admin.close)

    def _ends(self, partitions: Sequence[int]) -> dict[int, int]:
        found = self._offsets(partitions, OffsetSpec.LATEST)
        if any(end < self._known_ends.get(partition, 0) for partition, end in found.items()):
            self.verify()
        self._known_ends |= found
        return found

    def _offsets(self, partitions: Any, spec: Any) -> dict[int, int]:
        wanted = {TopicPartition(self.settings.topic, partition): spec for partition in partitions}
        found = self._request(lambda admin: list_offsets(admin, wanted, self._leaders))
        return {partition.partition: at.offset for partition, at in sorted(found.items())}

    @property
    def _not_asked(self) -> str:
        """The outcome of a request without an answer: those who read make it, and those who write."""
        return f"topic {self.settings.topic!r} could not be looked up"

    def _request(self, request: Callable[[Any], T], outcome: str | None = None) -> T:
        """The answer; repeats the request while that may help. Raises: StoreUnavailable, StoreReadOnly."""
        retries = RETRY.start()
        with translate_errors(self.settings, outcome or self._not_asked):
            while True:
                try:
                    return request(self._connected())
                except (errors.RetriableError, errors.UnknownBrokerIdError) as error:
                    if isinstance(error, errors.KafkaTimeoutError) or not retries.pause():
                        raise

    def _connected(self) -> Any:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"the log {self.settings.topic!r} was closed: open it again.")
            if self._admin is None:
                self._admin = create_client(KafkaAdminClient, self.settings)
            return self._admin

    def _identity_of(self, described: Mapping[str, Any]) -> LogIdentity:
        found = described["topic_id"]
        if not found:
            raise StoreUnavailable(
                f"Kafka at {self.settings.servers} has no topic ids, so it is older than 2.8. Upgrade it."
            )
        return LogIdentity(uuid.UUID(str(found)).hex, len(described["partitions"]))

    def _wait_until_ready(self) -> None:
        """Wait until each partition can be written; a new topic takes a moment."""
        name, outcome = self.settings.topic, "the new topic has no leaders yet"
        try:
            self._request(lambda admin: admin.wait_for_topics([name], timeout_ms=int(READY_WAIT_S * 1000)), outcome)
        except StoreUnavailable as error:
            raise StoreNotAnswering(f"topic {name!r} is not ready ({describe_error(error)}). Try again.") from error


def config_problems(config: Mapping[str, str]) -> list[str]:
    """The settings of a topic that would lose records or make them unreadable; none when they cannot be read."""
    if not config:
        return []
    wrong = {name: config.get(name, "") for name, wanted in RETENTION_CONFIG.items() if config.get(name) != wanted}
    found = [
        f"{name} is {value}, so records get lost: set it to {RETENTION_CONFIG[name]}" for name, value in wrong.items()
    ]
    name = "message.timestamp.type"
    if (value := config.get(name)) != RECORD_CONFIG[name]:
        found.append(f"{name} is {value}, so time would be the writers' clocks: set it to {RECORD_CONFIG[name]}")
    size = int(config.get("max.message.bytes", MESSAGE_BYTES_MAX))
    if size < MESSAGE_BYTES_MAX:
        found.append(f"max.message.bytes is {size:,}, too small for an event: set it to {MESSAGE_BYTES_MAX}")
    return found


def check_config(topic: Topic) -> None:
    """Raises: StoreUnavailable when the topic's settings would lose records."""
    if found := config_problems(topic.config()):
        settings = topic.settings
        raise StoreUnavailable(
            f"topic {settings.topic!r} of Kafka at {settings.servers} cannot be the event log: {'; '.join(found)}. "
            "Alter the topic (kafka-configs), or let headwater create one with another name."
        )


def _other_log(settings: KafkaSettings, expected: LogIdentity, found: LogIdentity) -> str:
    where = f"topic {settings.topic!r} of Kafka at {settings.servers}"
    if expected.generation == found.generation:
        return (
            f"{where} had {expected.partitions} partitions and now has {found.partitions}: keys would move to other "
            "partitions and lose their order. Create a new topic and restore the records of this one into it."
        )
    return (
        f"{where} was deleted and created again: {expected} was expected, {found} was found. Offsets of the old "
        "topic do not apply to it. Restore the records from the archive into a new topic, or start with an empty "
        "database."
    )
