"""A writer that is killed while its bytes or events are under way loses nothing that it was told is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_faults.judging import acknowledged, judge
from tests.service_faults.stage import Stage, on_stage
from tests.support.projector_host import projected

LARGE_BYTES = 20_000_000  # three parts of an upload
TOGETHER = 300  # so many commits are more events than two appends take

MID_UPLOAD = [
    ("sending a part", "before", 2),
    ("completing an upload", "after", 2),
]
BETWEEN_UPLOAD_AND_EVENT = [
    ("publishing", "after", 2),
    ("appending to Kafka", "before", 2),
    ("appending to Kafka", "after", 2),
]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as stage, projected(stage.environment):
        yield stage


@pytest.mark.slow
@pytest.mark.parametrize(("point", "moment", "number"), [*MID_UPLOAD, *BETWEEN_UPLOAD_AND_EVENT])
def test_a_writer_killed_between_its_bytes_and_its_events_leaves_nothing_half_and_ends_well_when_run_again(
    stage: Stage, point: str, moment: str, number: int
) -> None:
    killed = stage.writer("model", 2, "--large", LARGE_BYTES, fault=(point, moment, number, "KILL"))
    killed.was_killed()
    assert judge(stage, acknowledged(killed)).count("model") <= 2

    again = stage.writer("model", 2, "--large", LARGE_BYTES)
    again.ended_well()

    assert len(acknowledged(again)) == 2
    assert judge(stage, acknowledged(killed, again)).count("model") == 2


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "number"), [("before", 3), ("after", 2)])
def test_a_writer_killed_in_the_middle_of_a_batch_ends_well_when_run_again(
    stage: Stage, moment: str, number: int
) -> None:
    killed = stage.writer("data", TOGETHER, "--together", fault=("appending to Kafka", moment, number, "KILL"))
    killed.was_killed()
    assert judge(stage, acknowledged(killed)).count("data") < TOGETHER

    again = stage.writer("data", TOGETHER, "--together")
    again.ended_well()

    assert len(acknowledged(again)) == TOGETHER
    assert judge(stage, acknowledged(killed, again)).count("data") == TOGETHER
