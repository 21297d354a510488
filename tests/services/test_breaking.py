"""Servers are ended, frozen and started again, and keep what they had confirmed: the ground of fault tests."""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from minio import Minio as Client

from services.kafka import CLASS_ARCHIVE, KafkaCluster
from services.ports import LOOPBACK
from services.processes import Process, Server
from services.versions import USER
from tests.support.servers import own_kafka, own_kafka_cluster, own_minio, own_postgres

pytestmark = pytest.mark.slow

TOPIC = "kept"
CONFIRM_S = 60  # a new leader, on a busy machine


@dataclass(frozen=True)
class Kind:
    """One kind of server: how to have one, give it one thing to keep, and count what it has kept."""

    own: Callable[[Path], AbstractContextManager[Any]]
    give: Callable[[Any], None]
    count: Callable[[Any], int]


def create_topic(address: str, copies: int = 1) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=copies)])


def send(address: str, how_many: int = 1) -> None:
    """Returns when every record is confirmed."""
    with closing(KafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True)) as producer:
        for future in [producer.send(TOPIC, b"record") for _ in range(how_many)]:
            future.get(CONFIRM_S)


def records(address: str) -> int:
    partition = TopicPartition(TOPIC, 0)
    with closing(KafkaConsumer(bootstrap_servers=address)) as consumer:
        return int(consumer.end_offsets([partition])[partition])


def give_kafka(server: Any) -> None:
    if not (server.folder / "data" / f"{TOPIC}-0").exists():
        create_topic(server.address)
    send(server.address)


def give_postgres(server: Any) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number INTEGER)")
        connection.execute("INSERT INTO kept VALUES (1)")


def count_postgres(server: Any) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def client(server: Any) -> Client:
    return Client(f"{LOOPBACK}:{server.port}", access_key=USER, secret_key=server.password, secure=False)


def give_minio(server: Any) -> None:
    if not client(server).bucket_exists(TOPIC):
        client(server).make_bucket(TOPIC)
    client(server).put_object(TOPIC, f"object-{time.time_ns()}", io.BytesIO(b"bytes"), 5)


KINDS = {
    "kafka": Kind(own_kafka, give_kafka, lambda server: records(server.address)),
    "postgres": Kind(own_postgres, give_postgres, count_postgres),
    "minio": Kind(own_minio, give_minio, lambda server: len(list(client(server).list_objects(TOPIC)))),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def server(kind: Kind, tmp_path: Path) -> Iterator[Server]:
    with kind.own(tmp_path / "server") as server:
        yield server


def test_what_was_confirmed_is_there_after_a_stop_and_after_a_kill(kind: Kind, server: Server) -> None:
    kind.give(server)
    first = server.process

    server.stop()
    assert not server.alive
    server.start()
    kind.give(server)
    server.kill()
    assert not server.alive
    server.start()

    assert server.process != first
    assert kind.count(server) == 2


def test_a_paused_server_answers_again_once_it_is_resumed(kind: Kind, server: Server) -> None:
    kind.give(server)

    server.pause()
    assert server.process is not None
    assert server.process.frozen
    assert not server.is_ready()
    server.resume()
    server.wait_until_ready()

    assert kind.count(server) == 1


def test_a_paused_server_can_be_stopped(server: Server) -> None:
    server.pause()

    server.stop()

    assert not server.alive


def test_a_kill_leaves_no_process_of_the_server(server: Server) -> None:
    assert server.process is not None
    family = [server.process, *server.process.children()]

    server.kill()

    assert [member for member in family if member.alive] == []


def test_a_broker_starts_from_the_classes_that_an_earlier_one_loaded(tmp_path: Path) -> None:
    with own_kafka(tmp_path) as broker:
        assert broker.process is not None

        assert CLASS_ARCHIVE in Path(f"/proc/{broker.process.pid}/maps").read_text()


def test_a_cluster_goes_on_without_one_broker_and_loses_nothing_confirmed(tmp_path: Path) -> None:
    with own_kafka_cluster(tmp_path) as cluster:
        create_topic(cluster.address, copies=3)
        send(cluster.address, 100)
        leader = cluster.leader(TOPIC, 0)

        cluster.kill(leader)
        send(cluster.address, 100)
        assert cluster.leader(TOPIC, 0) != leader
        cluster.start(leader)
        cluster.kill(cluster.leader(TOPIC, 0))

        assert records(cluster.address) == 200


def test_a_cluster_that_lost_its_majority_comes_back_with_everything_confirmed(tmp_path: Path) -> None:
    with own_kafka_cluster(tmp_path) as cluster:
        create_topic(cluster.address, copies=3)
        send(cluster.address, 100)

        cluster.kill()
        restart_one_by_one(cluster)

        assert records(cluster.address) == 100


def restart_one_by_one(cluster: KafkaCluster) -> None:
    for number in range(len(cluster.brokers)):
        cluster.start(number, wait=False)
    for broker in cluster.brokers:
        broker.wait_until_ready()


def test_a_recycled_number_is_not_the_process(tmp_path: Path) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    earlier = Process(me.pid, "an earlier boot:1")

    earlier.signal(9)

    assert me.alive
    assert not earlier.alive
    assert earlier.ends_within(0)
