"""What others, or accidents, do to the records of the log: doubled, damaged, unknown, deleted, or all of them gone."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater._stores.servers import open_servers
from headwater_eventlog.port import EventLog, NewRecord, Record
from headwater_producer.producer import Producer
from headwater_schemas import codec, keys
from headwater_schemas.codec import EVENT_BYTES_MAX
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import DeadLetterResolved
from headwater_schemas.positions import BEFORE_FIRST
from kafka import KafkaProducer

from tests.kafka import topics
from tests.service_faults.judging import acknowledged, errors, judge, judge_what_is_there, opened
from tests.service_faults.processes import Running
from tests.service_faults.stage import NAMESPACE, Projecting, Stage, on_stage

pytestmark = pytest.mark.slow

CONFIRM_S = 30.0
IMPATIENT = ("--catch-up-timeout", 2, "--tries", 1)
UNKNOWN_SCHEMA = codec.MAGIC + b"\xff" * 8 + b"from a later release"
DAMAGED = "damaged"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as stage:
        yield stage


def records(log: EventLog) -> list[Record]:
    found: list[Record] = []
    for partition in range(log.partitions):
        after = BEFORE_FIRST
        while batch := log.read(partition, after=after):
            found += batch
            after = batch[-1].position.offset
    return found


def put(stage: Stage, *found: Record | NewRecord) -> None:
    """Records as somebody puts them there past headwater."""
    servers = stage.environment["HEADWATER_KAFKA_SERVERS"]
    with closing(KafkaProducer(bootstrap_servers=servers)) as bare:
        for one in found:
            partition = one.position.partition if isinstance(one, Record) else one.partition
            headers = list(one.headers)
            bare.send(stage.topic, one.payload, one.key.encode(), headers, partition=partition).get(CONFIRM_S)


def is_well(writer: Running, commits: int) -> None:
    writer.ended_well()
    assert errors(writer) == []
    assert len(acknowledged(writer)) == commits


class Apart:
    """Two artifacts, and a run for each, such that one pair meets the other in no partition."""

    def __init__(self, stage: Stage) -> None:
        with opened(stage) as stores:
            self.stopped = stores.log.partition_of(key_of("stopped"))
            others = (f"other-{i}" for i in range(1000))
            self.name = next(name for name in others if stores.log.partition_of(key_of(name)) != self.stopped)
            ids = (f"run-{i}" for i in range(1000))
            run_keys = ((run, keys.run_key(f"{NAMESPACE}/{run}")) for run in ids)
            self.run = next(run for run, key in run_keys if stores.log.partition_of(key) != self.stopped)

    def writer(self, stage: Stage, commits: int, start: int) -> Running:
        return stage.writer(self.name, commits, "--who", self.run, "--start", start)


def key_of(name: str) -> str:
    return keys.collection_key(f"{NAMESPACE}/{name}")


def test_records_that_somebody_put_in_twice_count_once(stage: Stage) -> None:
    stage.projector()
    first = stage.writer("data", 5)
    is_well(first, 5)

    with opened(stage) as stores:
        put(stage, *records(stores.log), *reversed(records(stores.log)))
    second = stage.writer("data", 5, "--start", 5)
    is_well(second, 5)

    assert judge(stage, acknowledged(first, second)).count("data") == 10


def test_a_record_that_is_too_large_is_refused_before_it_is_sent_and_hurts_nobody(stage: Stage) -> None:
    stage.projector()
    writer = stage.writer("data", 1)
    is_well(writer, 1)

    with opened(stage) as stores, pytest.raises(InvalidInput, match="900,001 bytes; at most 900,000"):
        stores.log.append([NewRecord(key_of("data"), b"\0" * (EVENT_BYTES_MAX + 1))], timeout_s=CONFIRM_S)
    later = stage.writer("data", 2)
    is_well(later, 2)

    assert judge(stage, acknowledged(writer, later)).count("data") == 2


@pytest.mark.parametrize("payload", [b"poison", b"\0" * (EVENT_BYTES_MAX + 1)], ids=["damaged", "too large"])
def test_what_does_not_decode_lets_its_artifact_wait_until_it_is_resolved_and_all_others_go_on(
    stage: Stage, payload: bytes
) -> None:
    projector = stage.projector()
    before = stage.writer(DAMAGED, 1)
    is_well(before, 1)

    put(stage, NewRecord(key_of(DAMAGED), payload))
    waiting = stage.writer(DAMAGED, 2, "--tries", 1)
    others = stage.writer("others", 3)
    is_well(others, 3)
    waiting.ended_well()
    assert {error["error"] for error in errors(waiting)} == {"StoreUnavailable"}
    assert "is parked behind an event that cannot be decoded" in errors(waiting)[0]["text"]
    assert acknowledged(waiting) == []
    assert judge(stage, acknowledged(before, others), dead_letters=1).count(DAMAGED) == 1

    resolve(stage, payload)
    again = stage.writer(DAMAGED, 3)
    is_well(again, 3)
    assert judge(stage, acknowledged(before, others, again)).count(DAMAGED) == 3
    assert projector.health()[0] == 200


def resolve(stage: Stage, payload: bytes) -> None:
    """As an operator does who decides to go on without it."""
    with opened(stage) as stores:
        (at,) = [record.position for record in records(stores.log) if record.payload == payload]
        producer = Producer(stores.log, author="operator")
        key = key_of(DAMAGED)
        producer.send([DeadLetterResolved(key=key, partition=at.partition, offset=at.offset, decision="skip")])
        producer.confirm()


def test_an_unknown_schema_stops_its_partition_loudly_and_no_other(stage: Stage) -> None:
    projector = stage.projector()
    before = stage.writer("stopped", 1)
    is_well(before, 1)
    apart = Apart(stage)

    put(stage, NewRecord("anything", UNKNOWN_SCHEMA, partition=apart.stopped))
    stopped_loudly(projector, apart.stopped, "a newer headwater wrote the event")
    waiting = stage.writer("stopped", 1, "--start", 1, *IMPATIENT)
    going_on = apart.writer(stage, 3, 0)

    is_well(going_on, 3)
    told_the_truth(waiting)
    assert judge_what_is_there(stage, acknowledged(before, going_on)).count("stopped") == 1


def test_records_that_were_deleted_under_the_projector_stop_their_partition_and_no_other(stage: Stage) -> None:
    first = stage.projector()
    before = stage.writer("stopped", 1)
    is_well(before, 1)
    apart = Apart(stage)
    first.signal(signal.SIGTERM)
    first.ended_well()
    told_the_truth(stage.writer("stopped", 1, "--start", 1, *IMPATIENT))

    with closing(open_servers(stage.profile, create=False)) as stores:
        end = stores.log.end(apart.stopped)
    topics.delete_records(stage.topic, apart.stopped, end)
    projector = stage.projector()

    stopped_loudly(projector, apart.stopped, "were deleted")
    going_on = apart.writer(stage, 3, 0)
    is_well(going_on, 3)
    assert judge_what_is_there(stage, acknowledged(before, going_on)).count("stopped") == 1


def stopped_loudly(projector: Projecting, partition: int, why: str) -> None:
    projector.until(lambda: f"Partition {partition} is stopped" in projector.words(), "word of a stopped partition")
    projector.until(lambda: projector.health()[0] == 503, "bad health")
    stopped = projector.health()[1]["partitions"][str(partition)]["stopped"]
    assert why in stopped
    assert projector.health()[1]["status"] == "stopped"


def told_the_truth(writer: Running) -> None:
    """It was told that what it wrote is safe and not yet counted, and why."""
    assert writer.ended() != 0
    assert acknowledged(writer) == []
    assert {error["error"] for error in errors(writer)} == {"StoreUnavailable"}
    assert "did not catch up" in errors(writer)[0]["text"]


def test_a_topic_that_was_made_anew_is_refused_by_writers_and_projectors_naming_both(stage: Stage) -> None:
    projector = stage.projector()
    before = stage.writer("data", 3)
    is_well(before, 3)
    writing = stage.writer("other", 10_000, "--tries", 1, "--who", "writing")
    writing.until_lines(2)
    with opened(stage) as stores:
        generation = stores.log.generation

    topics.make_anew(stage.topic)
    writing.until(lambda: errors(writing), "an error")
    writing.kill()  # it would go on trying
    late = stage.writer("data", 1)

    assert late.ended() != 0
    projector.until(lambda: projector.health()[0] == 503, "bad health")
    for told in (errors(writing)[-1]["text"], late.words(), projector.health()[1]["trouble"]):
        assert "was deleted and created again" in told
        assert generation in told
    assert acknowledged(late) == []
