"""Projectors are killed, frozen and joined by others: whatever was delivered twice counts once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.database.postgresql import IDLE_IN_TRANSACTION_S

from tests.service_faults.judging import acknowledged, errors, judge
from tests.service_faults.stage import Stage, on_stage

COMMITS = 12
MANY_ENTRIES = 200_000  # whose seal takes seconds


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as stage:
        yield stage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "moment", "number"),
    [("writing the projection", "after", 3), ("applying a batch", "after", 3)],
    ids=["before the database commits", "after the database has committed"],
)
def test_a_killed_projector_is_followed_by_one_that_goes_on_where_the_database_stands(
    stage: Stage, point: str, moment: str, number: int
) -> None:
    killed = stage.projector(fault=(point, moment, number, "KILL")).working()
    writer = stage.writer("data", COMMITS)
    killed.was_killed()

    stage.projector()
    writer.ended_well()

    assert judge(stage, acknowledged(writer)).count("data") == COMMITS
    assert errors(writer) == []


@pytest.mark.slow
def test_a_projector_that_froze_until_others_took_over_finds_its_compare_refused_and_does_nothing_twice(
    stage: Stage,
) -> None:
    frozen = stage.projector(fault=("applying a batch", "before", 3, "FREEZE")).working()
    writer = stage.writer("data", COMMITS)
    frozen.until(frozen.frozen, "freezing")

    other = stage.projector()
    writer.ended_well()
    assert writer.lines()[-1]["version"] == COMMITS - 1
    frozen.signal(signal.SIGCONT)

    frozen.until(lambda: "was projected by another process" in frozen.words(), "a refused compare")
    late = stage.writer("data", 2, "--start", COMMITS)
    late.ended_well()
    assert judge(stage, acknowledged(writer, late)).count("data") == COMMITS + 2
    assert frozen.alive
    assert other.alive


@pytest.mark.slow
def test_a_projector_that_froze_in_the_middle_of_its_transaction_ends_it_well_when_it_goes_on(stage: Stage) -> None:
    frozen = stage.projector(fault=("writing the projection", "after", 3, "FREEZE")).working()
    writer = stage.writer("data", COMMITS)
    frozen.until(frozen.frozen, "freezing")
    other = stage.projector().working()

    frozen.signal(signal.SIGCONT)
    writer.ended_well()

    assert judge(stage, acknowledged(writer)).count("data") == COMMITS
    assert frozen.alive
    assert other.alive


@pytest.mark.slow
def test_a_projector_that_joins_during_a_long_seal_changes_nothing_of_it(stage: Stage) -> None:
    first = stage.projector(fault=("sealing", "before", 1, "SLOW")).working()
    writer = stage.writer("large", 1, "--entries", MANY_ENTRIES)
    first.until_lines(1)
    second = stage.projector().working()
    writer.ended_well()

    assert judge(stage, acknowledged(writer)).count("large") == 1
    assert errors(writer) == []
    assert first.alive
    assert second.alive


@pytest.mark.slow
def test_projectors_of_another_store_in_the_same_kafka_come_and_go_unnoticed(stage: Stage, tmp_path: Path) -> None:
    projector = stage.projector().working()

    (tmp_path / "other").mkdir()
    with on_stage(tmp_path / "other") as other:
        other.projector().working()
    writer = stage.writer("data", 2)
    writer.ended_well()

    assert projector.words().count("are assigned to this process") == 1
    assert judge(stage, acknowledged(writer)).count("data") == 2


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_projector_that_froze_in_its_transaction_for_good_gives_way_to_others_by_itself(stage: Stage) -> None:
    frozen = stage.projector(fault=("writing the projection", "after", 3, "FREEZE")).working()
    writer = stage.writer("data", COMMITS)
    frozen.until(frozen.frozen, "freezing")

    stage.projector()
    writer.until(lambda: len(acknowledged(writer)) == COMMITS, "the last commit", within_s=2 * IDLE_IN_TRANSACTION_S)
    writer.ended_well()
    frozen.signal(signal.SIGCONT)
    frozen.until(lambda: "Trying again" in frozen.words(), "word of a broken connection")

    assert judge(stage, acknowledged(writer)).count("data") == COMMITS
