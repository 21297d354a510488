"""What does not go on, and what is said about it: over HTTP, in the log, and by ending the process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from headwater_consumer import queries
from headwater_consumer.service.http_endpoint import HttpEndpoint
from headwater_consumer.service.pages import projector_pages
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.service.status import StatusCode
from headwater_consumer.service.watchdog import STUCK_EXIT_CODE
from headwater_consumer.writing.log_check import record_hash
from headwater_schemas.errors import InvalidSettings
from headwater_schemas.positions import BEFORE_FIRST
from prometheus_client.parser import text_string_to_metric_families

from tests.kafka import topics
from tests.projectors.harness import UNKNOWN, Deployment, get, running, started, until
from tests.support.history import UNDECODABLE
from tests.support.modes import database_url


@contextmanager
def observed(deployment: Deployment, service: ProjectorService) -> Iterator[str]:
    """A running projector; the address of its pages."""
    endpoint = HttpEndpoint(projector_pages(service.status, service.heartbeat), port=0)
    with endpoint, running(deployment, service):
        yield f"http://{endpoint.host}:{endpoint.port}"


def test_an_unknown_schema_stops_its_partition_and_no_other(deployment: Deployment) -> None:
    deployment.commit(deployment.collection_in(0))
    deployment.put(0, UNKNOWN)
    service = deployment.service()
    with observed(deployment, service) as address:
        until(lambda: service.status.now.stopped, lambda: service.status.now)
        deployment.commit_everywhere(2)
        until(lambda: deployment.positions()[1] == deployment.log.end(1))
        status, text = get(f"{address}/health")
        output = json.loads(text)

    assert (status, output["status"]) == (503, "stopped")
    assert "partition 0 stops at 3" in output["partitions"]["0"]["stopped"]
    assert output["partitions"]["1"]["stopped"] is None
    assert deployment.positions()[0] == 2


def test_a_stopped_partition_goes_on_where_an_upgraded_projector_took_it(deployment: Deployment) -> None:
    deployment.put(0, UNKNOWN)
    service = deployment.service(stopped_retry_s=0.2)
    with observed(deployment, service) as address:
        until(lambda: service.status.now.stopped)
        deployment.commit(deployment.collection_in(0))
        cursor = (deployment.log.generation, record_hash(deployment.log.read(0, after=BEFORE_FIRST)[0]))
        with deployment.database.transaction() as connection:  # as one that knows the schema would
            connection.driver.execute("INSERT INTO log_positions VALUES (0, %s, 0, 1, %s)", cursor)
        until(deployment.is_up_to_date, deployment.positions)
        until(lambda: get(f"{address}/health")[0] == 200)


def test_metrics_can_be_parsed_and_say_the_lag(deployment: Deployment) -> None:
    deployment.commit(deployment.collection_in(1))
    deployment.put(0, UNKNOWN)
    deployment.commit(deployment.collection_in(0))
    service = deployment.service()
    with observed(deployment, service) as address:
        until(lambda: deployment.positions()[1] == deployment.log.end(1) and service.status.now.lag)
        until(lambda: service.status.now.partitions[1].lag == 0)
        status, text = get(f"{address}/metrics")

    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert status == 200
    assert values["headwater_projector_lag_records", "0"] == 4
    assert values["headwater_projector_lag_records", "1"] == 0
    assert values["headwater_projector_records_total",] == 3
    assert values["headwater_projector_batch_seconds_count",] == values["headwater_projector_batches_total",] >= 1
    assert values["headwater_projector_stopped_partitions",] == 1
    assert values["headwater_projector_partitions_assigned",] == 2
    assert values["headwater_projector_rejections_total",] == 0
    assert values["headwater_projector_last_progress_timestamp_seconds",] > 1.7e9


def test_a_record_that_cannot_be_decoded_makes_its_collection_wait_and_no_other(deployment: Deployment) -> None:
    waiting, other = deployment.collection_in(0), deployment.collection_in(0, 1)
    deployment.put(0, UNDECODABLE)
    deployment.commit(waiting)
    deployment.commit(other)
    service = deployment.service()
    with observed(deployment, service) as address:
        until(deployment.is_up_to_date, deployment.positions)
        until(lambda: service.status.now.dead_letters)
        status, text = get(f"{address}/health")

    output = json.loads(text)
    assert (status, output["status"], output["dead_letters"], output["parked_keys"]) == (200, "ok", 1, 1)
    assert queries.version_infos(deployment.database, waiting) == []
    assert len(queries.version_infos(deployment.database, other)) == 1
    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_records_that_are_gone_stop_their_partition_and_no_other(deployment: Deployment) -> None:
    deployment.commit_everywhere(2)
    topics.delete_records(deployment.settings.topic, 0, before=4)
    service = deployment.service()
    with observed(deployment, service) as address:
        until(lambda: service.status.now.stopped and deployment.positions()[1] == deployment.log.end(1))
        status, text = get(f"{address}/health")

    assert status == 503
    assert "begins at offset 4" in json.loads(text)["partitions"]["0"]["stopped"]


def test_while_the_database_fails_it_is_said_and_then_projecting_goes_on(deployment: Deployment) -> None:
    service = deployment.service()
    with observed(deployment, service) as address, psycopg.connect(database_url(), autocommit=True) as connection:
        until(lambda: service.status.now.status is StatusCode.OK)
        connection.execute(f"ALTER SCHEMA {deployment.schema} RENAME TO {deployment.schema}_away")
        deployment.commit_everywhere(2)
        until(lambda: service.status.now.status is StatusCode.TROUBLE)
        status, text = get(f"{address}/health")
        assert status == 503
        assert deployment.schema in json.loads(text)["trouble"]
        connection.execute(f"ALTER SCHEMA {deployment.schema}_away RENAME TO {deployment.schema}")
        until(deployment.is_up_to_date, deployment.positions)
        until(lambda: service.status.now.status is StatusCode.OK)

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_a_client_that_hangs_ends_the_process_with_its_stacks(deployment: Deployment) -> None:
    with started(deployment, "hangs", hang_after_s=1.0) as hangs:
        assert hangs.wait() == STUCK_EXIT_CODE
        output = hangs.output()

    assert "no progress for" in output
    assert 'in the step "read from the log"' in output
    assert "most recent call first" in output


def test_once_says_what_it_could_not_project(deployment: Deployment) -> None:
    deployment.put(0, UNKNOWN)
    deployment.commit(deployment.collection_in(1))
    with started(deployment, "once", once=True) as once:
        assert once.wait() == 1

    assert "partition 0 stops at 0" in once.output()
    assert deployment.positions()[1] == deployment.log.end(1)


def test_a_port_that_is_taken_is_named(deployment: Deployment) -> None:
    service = deployment.service()
    with (
        HttpEndpoint(projector_pages(service.status, service.heartbeat), port=0) as first,
        pytest.raises(InvalidSettings, match="port"),
    ):
        HttpEndpoint(projector_pages(service.status, service.heartbeat), port=first.port)


def test_an_unknown_page_says_which_there_are(deployment: Deployment) -> None:
    with observed(deployment, deployment.service()) as address:
        assert get(f"{address}/nothing") == (404, "Not found. Try /health or /metrics.\n")
