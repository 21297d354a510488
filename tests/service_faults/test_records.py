"""What others, or accidents, do to the records of the log: doubled, damaged, unknown, deleted, or all of them gone."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.port import EventLog, NewRecord, Record
from headwater_producer.producer import Producer
from headwater_schemas import codec, keys
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import DeadLetterResolved
from headwater_schemas.limits import EVENT_BYTES_MAX
from headwater_schemas.positions import BEFORE_FIRST
from headwater_stores.servers import open_servers
from kafka import KafkaProducer

from tests.kafka import topics
from tests.service_faults.deployment import NAMESPACE, Deployment, ProjectorProcess, deployed
from tests.service_faults.processes import LoggedProcess
from tests.service_faults.verification import acknowledged, errors, opened, verify, verify_projected

pytestmark = pytest.mark.slow

CONFIRM_S = 30.0
IMPATIENT = ("--wait", 1, "--tries", 1)
UNKNOWN_SCHEMA = codec.MAGIC + b"\xff" * 8 + b"from a later release"
DAMAGED = "damaged"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment:
        yield deployment


def records(log: EventLog) -> list[Record]:
    found: list[Record] = []
    for partition in range(log.partitions):
        after = BEFORE_FIRST
        while batch := log.read(partition, after=after):
            found += batch
            after = batch[-1].position.offset
    return found


def put(deployment: Deployment, *found: Record | NewRecord) -> None:
    """Records as somebody puts them there past headwater."""
    servers = deployment.environment["HEADWATER_KAFKA_SERVERS"]
    with closing(KafkaProducer(bootstrap_servers=servers)) as bare:
        for one in found:
            partition = one.position.partition if isinstance(one, Record) else one.partition
            headers = list(one.headers)
            bare.send(deployment.topic, one.payload, one.key.encode(), headers, partition=partition).get(CONFIRM_S)


def assert_succeeded(writer: LoggedProcess, commits: int) -> None:
    writer.succeeded()
    assert errors(writer) == []
    assert len(acknowledged(writer)) == commits


class Apart:
    """Two artifacts, and a run for each, such that one pair meets the other in no partition."""

    def __init__(self, deployment: Deployment) -> None:
        with opened(deployment) as stores:
            self.stopped = stores.log.partition_of(key_of("stopped"))
            others = (f"other-{i}" for i in range(1000))
            self.name = next(name for name in others if stores.log.partition_of(key_of(name)) != self.stopped)
            ids = (f"run-{i}" for i in range(1000))
            run_keys = ((run, keys.run_key(f"{NAMESPACE}/{run}")) for run in ids)
            self.run = next(run for run, key in run_keys if stores.log.partition_of(key) != self.stopped)

    def writer(self, deployment: Deployment, commits: int, start: int) -> LoggedProcess:
        return deployment.writer(self.name, commits, "--who", self.run, "--start", start)


def key_of(name: str) -> str:
    return keys.collection_key(f"{NAMESPACE}/{name}")


def test_records_that_somebody_put_in_twice_count_once(deployment: Deployment) -> None:
    deployment.projector()
    first = deployment.writer("data", 5)
    assert_succeeded(first, 5)

    with opened(deployment) as stores:
        put(deployment, *records(stores.log), *reversed(records(stores.log)))
    second = deployment.writer("data", 5, "--start", 5)
    assert_succeeded(second, 5)

    assert verify(deployment, acknowledged(first, second)).count("data") == 10


def test_a_record_that_is_too_large_is_refused_before_it_is_sent_and_hurts_nobody(deployment: Deployment) -> None:
    deployment.projector()
    writer = deployment.writer("data", 1)
    assert_succeeded(writer, 1)

    with opened(deployment) as stores, pytest.raises(InvalidInput, match="900,001 bytes; at most 900,000"):
        stores.log.append([NewRecord(key_of("data"), b"\0" * (EVENT_BYTES_MAX + 1))], timeout_s=CONFIRM_S)
    later = deployment.writer("data", 2)
    assert_succeeded(later, 2)

    assert verify(deployment, acknowledged(writer, later)).count("data") == 2


@pytest.mark.parametrize("payload", [b"poison", b"\0" * (EVENT_BYTES_MAX + 1)], ids=["damaged", "too large"])
def test_what_does_not_decode_lets_its_artifact_wait_until_it_is_resolved_and_all_others_go_on(
    deployment: Deployment, payload: bytes
) -> None:
    projector = deployment.projector()
    before = deployment.writer(DAMAGED, 1)
    assert_succeeded(before, 1)

    put(deployment, NewRecord(key_of(DAMAGED), payload))
    waiting = deployment.writer(DAMAGED, 2, "--tries", 1)
    others = deployment.writer("others", 3)
    assert_succeeded(others, 3)
    waiting.succeeded()
    assert {error["error"] for error in errors(waiting)} == {"StoreUnavailable"}
    assert "is parked behind an event that cannot be decoded" in errors(waiting)[0]["text"]
    assert acknowledged(waiting) == []
    assert verify(deployment, acknowledged(before, others), dead_letters=1).count(DAMAGED) == 1

    resolve(deployment, payload)
    again = deployment.writer(DAMAGED, 3)
    assert_succeeded(again, 3)
    assert verify(deployment, acknowledged(before, others, again)).count(DAMAGED) == 3
    assert projector.health()[0] == 200


def resolve(deployment: Deployment, payload: bytes) -> None:
    """As an operator does who decides to go on without it."""
    with opened(deployment) as stores:
        (at,) = [record.position for record in records(stores.log) if record.payload == payload]
        producer = Producer(stores.log, author="operator")
        key = key_of(DAMAGED)
        producer.send(
            [DeadLetterResolved(key=key, epoch=at.epoch, partition=at.partition, offset=at.offset, decision="skip")]
        )
        producer.confirm()


def test_an_unknown_schema_stops_its_partition_loudly_and_no_other(deployment: Deployment) -> None:
    projector = deployment.projector()
    before = deployment.writer("stopped", 1)
    assert_succeeded(before, 1)
    apart = Apart(deployment)

    put(deployment, NewRecord("anything", UNKNOWN_SCHEMA, partition=apart.stopped))
    assert_stopped(projector, apart.stopped, "a newer headwater wrote the event")
    waiting = deployment.writer("stopped", 1, "--start", 1, *IMPATIENT)
    going_on = apart.writer(deployment, 3, 0)

    assert_succeeded(going_on, 3)
    acknowledgements_hold(waiting)
    assert verify_projected(deployment, acknowledged(before, going_on)).count("stopped") == 1


def test_records_that_were_deleted_under_the_projector_stop_their_partition_and_no_other(
    deployment: Deployment,
) -> None:
    first = deployment.projector()
    before = deployment.writer("stopped", 1)
    assert_succeeded(before, 1)
    apart = Apart(deployment)
    first.signal(signal.SIGTERM)
    first.succeeded()
    acknowledgements_hold(deployment.writer("stopped", 1, "--start", 1, *IMPATIENT))

    with closing(open_servers(deployment.profile, create=False)) as stores:
        end = stores.log.end(apart.stopped)
    topics.delete_records(deployment.topic, apart.stopped, end)
    projector = deployment.projector()

    assert_stopped(projector, apart.stopped, "no archive has them")
    going_on = apart.writer(deployment, 3, 0)
    assert_succeeded(going_on, 3)
    assert verify_projected(deployment, acknowledged(before, going_on)).count("stopped") == 1


def assert_stopped(projector: ProjectorProcess, partition: int, why: str) -> None:
    projector.wait_until(
        lambda: f"Partition {partition} is stopped" in projector.stderr_text(), "word of a stopped partition"
    )
    projector.wait_until(lambda: projector.health()[0] == 503, "bad health")
    stopped = projector.health()[1]["partitions"][str(partition)]["stopped"]
    assert why in stopped
    assert projector.health()[1]["status"] == "stopped"


def acknowledgements_hold(writer: LoggedProcess) -> None:
    """It was told that what it wrote is safe and not yet counted, and why."""
    assert writer.exit_code() != 0
    assert acknowledged(writer) == []
    assert {error["error"] for error in errors(writer)} == {"StoreUnavailable"}
    assert "did not catch up" in errors(writer)[0]["text"]


def test_a_topic_that_was_made_anew_is_refused_by_writers_and_projectors_naming_both(deployment: Deployment) -> None:
    projector = deployment.projector()
    before = deployment.writer("data", 3)
    assert_succeeded(before, 3)
    writing = deployment.writer("other", 10_000, "--tries", 1, "--who", "writing")
    writing.wait_for_lines(2)
    with opened(deployment) as stores:
        generation = stores.log.generation

    topics.make_anew(deployment.topic)
    writing.wait_until(lambda: errors(writing), "an error")
    writing.kill()  # it would go on trying
    late = deployment.writer("data", 1)

    assert late.exit_code() != 0
    told_by_projector: list[str] = []

    def in_trouble() -> bool:
        status, health = projector.health()
        told_by_projector.append(health["trouble"] or "")  # it opens the log again and again, and has none meanwhile
        return status == 503 and bool(told_by_projector[-1])

    projector.wait_until(in_trouble, "bad health, and why")
    for told in (errors(writing)[-1]["text"], late.stderr_text(), told_by_projector[-1]):
        assert "was deleted and created again" in told
        assert generation in told
    assert acknowledged(late) == []
