"""A writer that is killed while its bytes or events are under way loses nothing that it was told is there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_faults.judging import acknowledged, judge
from tests.service_faults.stage import Stage, on_stage
from tests.support.projector_host import projected

LARGE_BYTES = 20_000_000  # three parts of an upload
INTERRUPTED = 130
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "moment", "number"),
    [("sending a part", "before", 2), ("publishing", "after", 1), ("appending to Kafka", "after", 1)],
)
def test_a_command_interrupted_at_a_point_says_so_and_finishes_when_run_again(
    stage: Stage, tmp_path: Path, point: str, moment: str, number: int
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(LARGE_BYTES))
    log = ("log", str(large), "--name", "model", "--type", "model")

    interrupted = stage.command(*log, fault=(point, moment, number, "INT"))

    assert interrupted.ended() == INTERRUPTED
    assert "headwater: interrupted" in interrupted.words()
    assert "Traceback" not in interrupted.words()
    stage.command(*log).ended_well()
    assert judge(stage, []).count("model") == 1
