"""Projectors are killed, frozen and joined by others: whatever was delivered twice counts once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.database.postgresql.schema import IDLE_IN_TRANSACTION_S

from tests.service_faults.deployment import Deployment, deployed
from tests.service_faults.verification import acknowledged, errors, verify

COMMITS = 12
MANY_ENTRIES = 50_000  # a large seal, which the fault makes a long one


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment:
        yield deployment


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "moment", "number"),
    [("writing the projection", "after", 3), ("applying a batch", "after", 3)],
    ids=["before the database commits", "after the database has committed"],
)
def test_a_killed_projector_is_followed_by_one_that_goes_on_where_the_database_stands(
    deployment: Deployment, point: str, moment: str, number: int
) -> None:
    killed = deployment.projector(fault=(point, moment, number, "KILL")).joined()
    writer = deployment.writer("data", COMMITS)
    killed.was_killed()

    deployment.projector()
    writer.succeeded()

    assert verify(deployment, acknowledged(writer)).count("data") == COMMITS
    assert errors(writer) == []


@pytest.mark.slow
def test_a_projector_that_froze_until_others_took_over_finds_its_compare_refused_and_does_nothing_twice(
    deployment: Deployment,
) -> None:
    frozen = deployment.projector(fault=("applying a batch", "before", 3, "FREEZE")).joined()
    writer = deployment.writer("data", COMMITS)
    frozen.wait_until(frozen.frozen, "freezing")

    other = deployment.projector()
    writer.succeeded()
    assert writer.lines()[-1]["version"] == COMMITS - 1
    frozen.signal(signal.SIGCONT)

    frozen.wait_until(lambda: "was projected by another process" in frozen.stderr_text(), "a refused compare")
    late = deployment.writer("data", 2, "--start", COMMITS)
    late.succeeded()
    assert verify(deployment, acknowledged(writer, late)).count("data") == COMMITS + 2
    assert frozen.alive
    assert other.alive


@pytest.mark.slow
def test_a_projector_that_froze_in_the_middle_of_its_transaction_ends_it_well_when_it_goes_on(
    deployment: Deployment,
) -> None:
    frozen = deployment.projector(fault=("writing the projection", "after", 3, "FREEZE")).joined()
    writer = deployment.writer("data", COMMITS)
    frozen.wait_until(frozen.frozen, "freezing")
    other = deployment.projector().joined()

    frozen.signal(signal.SIGCONT)
    writer.succeeded()

    assert verify(deployment, acknowledged(writer)).count("data") == COMMITS
    assert frozen.alive
    assert other.alive


@pytest.mark.slow
def test_a_projector_that_joins_during_a_long_seal_changes_nothing_of_it(deployment: Deployment) -> None:
    first = deployment.projector(fault=("sealing", "before", 1, "SLOW")).joined()
    writer = deployment.writer("large", 1, "--entries", MANY_ENTRIES)
    first.wait_for_lines(1)
    second = deployment.projector().joined()
    writer.succeeded()

    assert verify(deployment, acknowledged(writer)).count("large") == 1
    assert errors(writer) == []
    assert first.alive
    assert second.alive


@pytest.mark.slow
def test_projectors_of_another_store_in_the_same_kafka_come_and_go_unnoticed(
    deployment: Deployment, tmp_path: Path
) -> None:
    projector = deployment.projector().joined()

    (tmp_path / "other").mkdir()
    with deployed(tmp_path / "other") as other:
        other.projector().joined()
    writer = deployment.writer("data", 2)
    writer.succeeded()

    assert projector.stderr_text().count("are assigned to this process") == 1
    assert verify(deployment, acknowledged(writer)).count("data") == 2


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_projector_that_froze_in_its_transaction_for_good_gives_way_to_others_by_itself(
    deployment: Deployment,
) -> None:
    frozen = deployment.projector(fault=("writing the projection", "after", 3, "FREEZE")).joined()
    writer = deployment.writer("data", COMMITS)
    frozen.wait_until(frozen.frozen, "freezing")

    deployment.projector()
    writer.wait_until(
        lambda: len(acknowledged(writer)) == COMMITS, "the last commit", within_s=2 * IDLE_IN_TRANSACTION_S
    )
    writer.succeeded()
    frozen.signal(signal.SIGCONT)
    frozen.wait_until(lambda: "Trying again" in frozen.stderr_text(), "word of a broken connection")

    assert verify(deployment, acknowledged(writer)).count("data") == COMMITS
