"""The consumer that the page about the relay shows: it handles each event once, however often it is killed."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from headwater_schemas.version_events import VersionEvent

from tests.server.relayed import recorded, start_relay, told, wait_until_relayed
from tests.service_faults.deployment import Deployment, deployed
from tests.service_faults.processes import LoggedProcess
from tests.support.page_session import blocks_of
from tests.support.serving import until

COMMITS = 5


def consumer_of_the_page(deployment: Deployment, folder: Path, name: str) -> LoggedProcess:
    """The script of the page, for the topic of this deployment."""
    (block,) = [block for block in blocks_of("docs/relay.md") if block.language == ""]
    text = "\n".join(block.lines).replace("kafka1:9092", deployment.environment["HEADWATER_KAFKA_SERVERS"])
    script = folder / "consumer.py"
    script.write_text(text.replace("headwater-events", f"{deployment.topic}-events"))
    process = LoggedProcess([os.fspath(script)], deployment.environment, deployment.folder, name)
    deployment.started.append(process)
    return process


def handled(folder: Path) -> list[tuple[str, str]]:
    """What the consumer did so far."""
    file = folder / "deployments.db"
    if not file.exists():
        return []
    with sqlite3.connect(file) as state:
        if not state.execute("SELECT 1 FROM sqlite_master WHERE name = 'deployed'").fetchall():
            return []
        return list(state.execute("SELECT event, artifact FROM deployed"))


@pytest.mark.slow  # three relays and two consumers, one after the other
def test_the_consumer_of_the_page_handles_every_event_once_though_it_and_the_relay_are_killed(tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment:
        deployment.projector()
        relay = start_relay(deployment)
        deployment.writer("one", 1, "--who", "first").succeeded()
        wait_until_relayed(deployment)
        first = consumer_of_the_page(deployment, tmp_path, "consumer-0")
        first.wait_until(lambda: handled(deployment.folder), "an event")
        relay.signal(signal.SIGTERM)
        relay.succeeded()
        killed = start_relay(deployment, fault=("telling Kafka version events", "after", 1, "KILL"))
        writer = deployment.writer("two", COMMITS, "--who", "second")
        killed.was_killed()
        first.signal(signal.SIGKILL)
        start_relay(deployment)
        writer.succeeded()
        wait_until_relayed(deployment)

        second = consumer_of_the_page(deployment, tmp_path, "consumer-1")
        wanted = [(event.id, name_of(event)) for partition in recorded(deployment) for event in partition]
        until(lambda: len(handled(deployment.folder)) >= len(wanted) or not second.alive)

        assert sorted(handled(deployment.folder)) == sorted(wanted)
        in_topic = [one.id for partition in told(deployment) for one in partition]
        assert len(in_topic) > len(set(in_topic))  # there were doubles to pass over


def name_of(event: VersionEvent) -> str:
    return f"{event.data.get('collection')}:{event.data.get('version')}"
