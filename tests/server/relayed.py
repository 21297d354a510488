"""A relay process, what it wrote to its topic, and what it should have written."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from headwater_consumer.queries.event_pages import version_events
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.kafka.settings import KafkaSettings
from headwater_eventlog.port import Record
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import BEFORE_FIRST
from headwater_schemas.version_events import VersionEvent

from tests.service_faults.deployment import Deployment
from tests.service_faults.processes import Fault, LoggedProcess
from tests.service_faults.verification import opened
from tests.support.serving import until

EVENTS_MAX = 10_000  # more than any of these tests has
_ENDPOINT = re.compile(r"Health and metrics are at (http://\S+)/health")


@dataclass(frozen=True)
class Told:
    """A version event as Kafka has it."""

    partition: int
    key: str
    headers: Mapping[str, bytes]
    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.content["id"])

    @property
    def sequence(self) -> str:
        return str(self.content["sequence"])

    @property
    def event(self) -> VersionEvent:
        return VersionEvent.from_json(self.content)


def start_relay(deployment: Deployment, *, fault: Fault | None = None) -> LoggedProcess:
    """`headwater relay`, on any free port."""
    return deployment.command("relay", "--port", "0", fault=fault)


def page(relay: LoggedProcess, path: str) -> tuple[int, str]:
    """What its endpoint answers, once it is there."""
    relay.wait_until(lambda: _ENDPOINT.findall(relay.stderr_text()), "an endpoint")
    (endpoint,) = _ENDPOINT.findall(relay.stderr_text())
    try:
        with urllib.request.urlopen(endpoint + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def health(relay: LoggedProcess) -> dict[str, Any]:
    """Its health page."""
    return dict(json.loads(page(relay, "/health")[1]))


def leads(relay: LoggedProcess) -> bool:
    """Whether this process holds the lease."""
    return bool(health(relay)["status"] == "relaying")


def events_topic(deployment: Deployment) -> KafkaSettings:
    """The topic that the relay of a store writes to."""
    partitions = int(deployment.environment["HEADWATER_KAFKA_PARTITIONS"])
    servers = deployment.environment["HEADWATER_KAFKA_SERVERS"]
    return KafkaSettings(servers, f"{deployment.topic}-events", partitions=partitions)


def told(deployment: Deployment) -> list[list[Told]]:
    """Everything in the topic, by partition."""
    with closing(KafkaEventLog.open(events_topic(deployment), create=False)) as topic:
        return [list(_told_in(topic, partition)) for partition in range(topic.partitions)]


def seen_by_a_consumer(deployment: Deployment) -> list[list[Told]]:
    """What is left for a consumer that passes over events that are not above the last one that it handled."""
    return [list(_above(partition)) for partition in told(deployment)]


def recorded(deployment: Deployment) -> list[list[VersionEvent]]:
    """What the projection has, by partition."""
    found: list[list[VersionEvent]] = []
    with opened(deployment) as stores:
        start = EventCursor(stores.log.generation)
        for partition in range(stores.log.partitions):
            found.append(version_events(stores.database, start, partitions=[partition], limit=EVENTS_MAX).told())
    return found


def ids_recorded(deployment: Deployment) -> list[list[str]]:
    """Of what the projection has, by partition."""
    return [[event.id for event in partition] for partition in recorded(deployment)]


def ids_seen(deployment: Deployment) -> list[list[str]]:
    """Of what a consumer sees, by partition."""
    return [[one.id for one in partition] for partition in seen_by_a_consumer(deployment)]


def wait_until_relayed(deployment: Deployment) -> None:
    """Until the topic has every event that was recorded by now."""
    wanted = {one for ids in ids_recorded(deployment) for one in ids}
    until(lambda: wanted <= _ids_by_now(deployment))


def _ids_by_now(deployment: Deployment) -> set[str]:
    try:
        return {one.id for partition in told(deployment) for one in partition}
    except StoreUnavailable:  # there is no topic yet, or its broker is away
        return set()


def _told_in(topic: KafkaEventLog, partition: int) -> Iterator[Told]:
    after = BEFORE_FIRST
    while records := topic.read(partition, after=after):
        yield from map(_of_record, records)
        after = records[-1].position.offset


def _of_record(record: Record) -> Told:
    return Told(record.position.partition, record.key, dict(record.headers), json.loads(record.payload))


def _above(partition: list[Told]) -> Iterator[Told]:
    last = ""
    for one in partition:
        if one.sequence > last:
            yield one
            last = one.sequence
