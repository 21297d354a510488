"""Brokers are restarted, killed and frozen while writers write."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headwater_schemas.positions import BEFORE_FIRST

from services.kafka import KafkaBroker, KafkaCluster
from tests.service_faults.deployment import Deployment, OwnServers, deployed
from tests.service_faults.processes import LoggedProcess
from tests.service_faults.verification import Ack, acknowledged, errors, opened, verify
from tests.support.servers import own_kafka, own_kafka_cluster

WRITERS = 3
BEFORE, AFTER = 4, 4  # commits of each writer that are acknowledged on either side of a fault
COMMITS_MAX = 10_000  # more than anybody waits for
APPEND_TIMEOUT_S = 2.0
FROZEN_S = 4.0  # longer than that
FREEZES_MAX = 5
AWAY_S = 1.0
LONG_S = 60.0
TOLD = {"DurabilityUnknown", "StoreUnavailable"}


@pytest.fixture(scope="module")
def broker(module_path: Path) -> Iterator[KafkaBroker]:
    with own_kafka(module_path / "broker") as broker:
        yield broker


@pytest.fixture
def deployment(broker: KafkaBroker, tmp_path: Path) -> Iterator[Deployment]:
    broker.start()  # in case the test before failed
    with deployed(tmp_path, OwnServers(kafka=broker.address)) as deployment:
        yield deployment


class Writers:
    """Some writers that write until they are told to stop."""

    def __init__(self, deployment: Deployment, *more: object) -> None:
        self._over = deployment.folder / "over"
        self.all = [
            deployment.writer(f"data-{i % 2}", COMMITS_MAX, "--who", f"writer-{i}", "--until", self._over, *more)
            for i in range(WRITERS)
        ]

    def have_written(self, more: int) -> None:
        """Wait until each has so many more commits acknowledged than now."""
        wanted = {id(writer): len(acknowledged(writer)) + more for writer in self.all}

        def has(writer: LoggedProcess) -> bool:
            return len(acknowledged(writer)) >= wanted[id(writer)]

        for writer in self.all:
            writer.wait_until(lambda writer=writer: has(writer), f"{more} more commits")  # type: ignore[misc]

    def end(self) -> list[Ack]:
        """Wait for their end; returns what was acknowledged to them."""
        self._over.touch()
        for writer in self.all:
            writer.succeeded()
        assert {error["error"] for error in errors(*self.all)} <= TOLD
        return acknowledged(*self.all)


def verified(deployment: Deployment, acks: list[Ack]) -> None:
    """All of it is there, and nothing besides."""
    seen = verify(deployment, acks)
    assert {name: seen.count(name) for name in seen.versions} == Counter(ack.name for ack in acks)


@pytest.mark.slow
@pytest.mark.parametrize("end", [KafkaBroker.stop, KafkaBroker.kill], ids=["stopped", "killed"])
def test_a_broker_that_is_started_again_has_all_that_was_acknowledged(
    broker: KafkaBroker, deployment: Deployment, end: Callable[[KafkaBroker], None]
) -> None:
    projector = deployment.projector()
    writers = Writers(deployment)
    writers.have_written(BEFORE)

    end(broker)
    time.sleep(AWAY_S)
    broker.start()

    writers.have_written(AFTER)
    verified(deployment, writers.end())
    assert projector.alive


@pytest.mark.slow
def test_what_was_written_twice_because_no_answer_came_in_time_counts_once(
    broker: KafkaBroker, deployment: Deployment
) -> None:
    deployment.projector()
    impatient = ("--append-timeout", APPEND_TIMEOUT_S)
    writers = Writers(deployment, *impatient)
    # The others may all be waiting for the projection when the broker freezes; this one is about to append.
    appending = deployment.writer("apart", 2, *impatient, fault=("appending to Kafka", "before", 2, "FREEZE"))
    writers.have_written(BEFORE)
    appending.wait_until(appending.frozen, "freezing before it appends")

    for freezes in range(1, FREEZES_MAX + 1):  # until one of them has struck an append whose answer did not come
        broker.pause()
        appending.signal(signal.SIGCONT)
        time.sleep(FROZEN_S)
        broker.resume()
        writers.have_written(freezes * AFTER)
        if doubles(deployment):
            break
    appending.succeeded()
    verified(deployment, [*writers.end(), *acknowledged(appending)])
    assert doubles(deployment) > 0


def doubles(deployment: Deployment) -> int:
    """How many records of the log are there more than once, by their event's id."""
    ids: Counter[bytes] = Counter()
    with opened(deployment) as stores:
        for partition in range(stores.log.partitions):
            after = BEFORE_FIRST
            while records := stores.log.read(partition, after=after):
                ids.update(dict(record.headers)["ce_id"] for record in records)
                after = records[-1].position.offset
    return sum(times > 1 for times in ids.values())


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_with_the_leader_of_three_brokers(tmp_path: Path) -> None:
    with (
        own_kafka_cluster(tmp_path / "kafka") as cluster,
        deployed(tmp_path, OwnServers(kafka=cluster.address, copies=3, partitions=1)) as deployment,
    ):
        projector = deployment.projector()
        writers = Writers(deployment)
        writers.have_written(BEFORE)

        cluster.kill(cluster.leader(deployment.topic, 0))
        writers.have_written(AFTER)

        verified(deployment, writers.end())
        assert projector.alive


@pytest.mark.soak
@pytest.mark.slow
def test_writers_outlast_a_minute_with_two_of_three_brokers_gone(tmp_path: Path) -> None:
    with (
        own_kafka_cluster(tmp_path / "kafka") as cluster,
        deployed(tmp_path, OwnServers(kafka=cluster.address, copies=3, partitions=1)) as deployment,
    ):
        projector = deployment.projector()
        writers = Writers(deployment)
        writers.have_written(BEFORE)

        leader = cluster.leader(deployment.topic, 0)
        follower = (leader + 1) % len(cluster.brokers)
        cluster.kill(leader)
        cluster.kill(follower)
        time.sleep(LONG_S)
        come_back(cluster, leader, follower)

        writers.have_written(AFTER)
        verified(deployment, writers.end())
        assert projector.alive


def come_back(cluster: KafkaCluster, *numbers: int) -> None:
    """None of them is ready before a majority is there."""
    for number in numbers:
        cluster.start(number, wait=False)
    for number in numbers:
        cluster.brokers[number].wait_until_ready()
