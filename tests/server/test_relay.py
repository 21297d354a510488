"""The relay: every version event is in its topic, in the order of its partition, whoever is killed or away."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from headwater_eventlog.kafka import EventTopic
from headwater_eventlog.kafka.event_topic import OutgoingRecord
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from services.service import headwater
from tests.cli.commands import refused
from tests.server.relayed import (
    events_topic,
    health,
    ids_recorded,
    ids_seen,
    leads,
    page,
    recorded,
    start_relay,
    told,
    wait_until_relayed,
)
from tests.service_faults.deployment import Deployment, OwnServers, deployed
from tests.support.servers import own_kafka
from tests.support.serving import serving, until

COMMITS = 6
LATER_S = 60.0  # far more than the length of a lease


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A store with a projector."""
    with deployed(tmp_path) as deployment:
        deployment.projector()
        yield deployment


def write(deployment: Deployment, *names: str, start: int = 0) -> None:
    """Commit versions of artifacts, which are in different partitions."""
    writers = [deployment.writer(name, COMMITS, "--who", name, "--start", start) for name in names]
    for writer in writers:
        writer.succeeded()


@pytest.mark.slow
def test_the_topic_has_every_event_of_the_table_in_the_same_partition_and_order(deployment: Deployment) -> None:
    write(deployment, "before")
    relay = start_relay(deployment)
    write(deployment, "after", "beside")
    wait_until_relayed(deployment)

    in_topic = told(deployment)
    assert [[one.id for one in partition] for partition in in_topic] == ids_recorded(deployment)
    assert sum(map(len, in_topic)) > 3 * COMMITS
    for found, wanted in zip(in_topic, recorded(deployment), strict=True):
        for one, event in zip(found, wanted, strict=True):
            assert replace(one.event, cursor="") == replace(event, cursor="")  # composed by who reads
            assert one.key == event.subject
            assert one.headers["content-type"] == b"application/cloudevents+json; charset=utf-8"
        assert [one.sequence for one in found] == sorted({one.sequence for one in found})
    relay.signal(signal.SIGTERM)
    assert relay.exit_code() == 0


@pytest.mark.slow
def test_the_cursor_of_an_event_in_kafka_is_one_to_subscribe_after(deployment: Deployment) -> None:
    write(deployment, "one")
    start_relay(deployment)
    wait_until_relayed(deployment)
    (partition,) = [found for found in told(deployment) if any(one.event.collection for one in found)]
    *_, before_last, last = partition

    command = deployment.command("events", "faults", "--after", before_last.event.cursor)
    command.succeeded()

    assert last.id in [line["id"] for line in command.lines()]
    assert before_last.id not in [line["id"] for line in command.lines()]


@pytest.mark.slow  # two relays, one after the other, and the lease of the first between them
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_relay_is_followed_by_one_that_leaves_no_gap_and_whose_doubles_have_the_same_ids(
    deployment: Deployment, moment: str
) -> None:
    killed = start_relay(deployment, fault=("telling Kafka version events", moment, 2, "KILL"))
    until(lambda: leads(killed))
    write(deployment, "one", "two")
    killed.was_killed()

    start_relay(deployment)
    write(deployment, "three")
    wait_until_relayed(deployment)

    assert ids_seen(deployment) == ids_recorded(deployment)
    in_topic = [one.id for partition in told(deployment) for one in partition]
    assert (len(in_topic) > len(set(in_topic))) == (moment == "after")


@pytest.mark.slow
def test_of_two_relays_one_writes_and_the_other_goes_on_at_once_when_that_one_ends(deployment: Deployment) -> None:
    first = start_relay(deployment)
    until(lambda: leads(first))
    second = start_relay(deployment)
    write(deployment, "one")
    wait_until_relayed(deployment)
    assert health(second)["status"] == "standby"
    assert health(second)["events"] == 0

    first.signal(signal.SIGTERM)
    assert first.exit_code() == 0
    write(deployment, "two")
    wait_until_relayed(deployment)

    assert leads(second)
    in_topic = [[one.id for one in partition] for partition in told(deployment)]
    assert in_topic == ids_recorded(deployment)  # each once


@pytest.mark.slow  # until the lease of one that was stopped is over
def test_a_relay_that_was_stopped_for_long_finds_its_lease_lost_and_writes_no_more(deployment: Deployment) -> None:
    frozen = start_relay(deployment)
    until(lambda: leads(frozen))
    frozen.signal(signal.SIGSTOP)
    other = start_relay(deployment)
    write(deployment, "one")
    until(lambda: leads(other), LATER_S)
    wait_until_relayed(deployment)

    frozen.signal(signal.SIGCONT)
    until(lambda: health(frozen)["status"] == "standby")
    write(deployment, "two")
    wait_until_relayed(deployment)

    assert "the lease 'relay' is lost" in frozen.stderr_text()
    assert leads(other)
    assert ids_seen(deployment) == ids_recorded(deployment)


@pytest.mark.slow  # a broker is stopped and started
def test_a_broker_that_is_away_is_trouble_until_it_is_back_and_nothing_is_missing(tmp_path: Path) -> None:
    with (
        own_kafka(tmp_path / "kafka") as broker,
        deployed(tmp_path, OwnServers(kafka=broker.address)) as deployment,
    ):
        deployment.projector()
        relay = start_relay(deployment)
        until(lambda: leads(relay))
        writers = [deployment.writer(name, 2 * COMMITS, "--who", name) for name in ("one", "two")]
        relay.signal(signal.SIGSTOP)  # so that it has something to write when the broker is away
        for writer in writers:
            writer.wait_for_lines(2)
        broker.kill()
        relay.signal(signal.SIGCONT)
        until(lambda: page(relay, "/health")[0] == 503)
        assert "Kafka at" in health(relay)["trouble"]

        broker.start()
        for writer in writers:
            writer.succeeded()
        wait_until_relayed(deployment)
        until(lambda: leads(relay))

        assert ids_seen(deployment) == ids_recorded(deployment)
        assert relay.alive


@pytest.mark.slow
def test_a_topic_that_was_deleted_is_made_again_with_all_events(deployment: Deployment) -> None:
    write(deployment, "one")
    relay = start_relay(deployment)
    wait_until_relayed(deployment)

    topic = events_topic(deployment)
    with closing(KafkaAdminClient(bootstrap_servers=topic.servers)) as admin:
        admin.delete_topics([topic.topic])
    write(deployment, "two")
    wait_until_relayed(deployment)

    assert relay.stderr_text().count("from the first event") >= 2
    assert ids_seen(deployment) == ids_recorded(deployment)


@pytest.mark.slow
def test_a_topic_with_another_number_of_partitions_is_left_alone(deployment: Deployment) -> None:
    topic = events_topic(deployment)
    with closing(EventTopic.open(replace(topic, partitions=topic.partitions + 1))) as wider:
        wider.send([OutgoingRecord(topic.partitions, b"key", b"another's", ())], timeout_s=30)
    relay = start_relay(deployment)
    until(lambda: page(relay, "/health")[0] == 503)

    trouble = health(relay)["trouble"]

    assert f"has {topic.partitions + 1} partitions, and the log has {topic.partitions}" in trouble
    assert "kafka_events_topic" in trouble


@pytest.mark.slow
def test_its_figures_are_told_to_prometheus(deployment: Deployment) -> None:
    relay = start_relay(deployment)
    write(deployment, "one")
    wait_until_relayed(deployment)
    count = sum(map(len, ids_recorded(deployment)))

    def figures() -> dict[str, float]:
        found = text_string_to_metric_families(page(relay, "/metrics")[1])
        return {sample.name: sample.value for family in found for sample in family.samples}

    until(lambda: figures()["headwater_relay_events_total"] == count)
    assert figures()["headwater_relay_leading"] == figures()["headwater_relay_healthy"] == 1
    assert figures()["headwater_relay_lag_seconds"] == 0
    assert figures()["headwater_relay_last_progress_timestamp_seconds"] > 0


@pytest.mark.slow
def test_a_server_relays_if_told_to(deployment: Deployment, tmp_path: Path) -> None:
    write(deployment, "one")
    with serving("--open", "--with-relay", env=server_environment(deployment, tmp_path)) as server:
        wait_until_relayed(deployment)
        figures = server.ask("GET", "/metrics").body.decode()
        assert "headwater_relay_leading 1.0" in figures
        assert server.stop() == 0
    assert ids_seen(deployment) == ids_recorded(deployment)


def server_environment(deployment: Deployment, tmp_path: Path) -> dict[str, str]:
    """The environment of a server of this store, whose key is made."""
    environment = {**deployment.environment, "HEADWATER_SERVER_KEY_FILE": str(tmp_path / "server.key")}
    assert headwater(["setup"], environment).returncode == 0
    return {**os.environ, **environment}


def test_a_folder_has_nothing_to_relay_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "store"))
    assert "headwater events --follow" in refused("relay")
    assert "headwater events --follow" in refused("server", "--open", "--with-relay", "--port", "0")
    assert not (tmp_path / "store").exists()
