"""A writer that is killed while its bytes or events are under way loses nothing that it was told is there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_faults.deployment import Deployment, deployed
from tests.service_faults.verification import acknowledged, verify
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
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment, projected(deployment.environment):
        yield deployment


@pytest.mark.slow
@pytest.mark.parametrize(("point", "moment", "number"), [*MID_UPLOAD, *BETWEEN_UPLOAD_AND_EVENT])
def test_a_writer_killed_between_its_bytes_and_its_events_leaves_nothing_half_and_ends_well_when_run_again(
    deployment: Deployment, point: str, moment: str, number: int
) -> None:
    killed = deployment.writer("model", 2, "--large", LARGE_BYTES, fault=(point, moment, number, "KILL"))
    killed.was_killed()
    assert verify(deployment, acknowledged(killed)).count("model") <= 2

    again = deployment.writer("model", 2, "--large", LARGE_BYTES)
    again.succeeded()

    assert len(acknowledged(again)) == 2
    assert verify(deployment, acknowledged(killed, again)).count("model") == 2


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "number"), [("before", 3), ("after", 2)])
def test_a_writer_killed_in_the_middle_of_a_batch_ends_well_when_run_again(
    deployment: Deployment, moment: str, number: int
) -> None:
    killed = deployment.writer("data", TOGETHER, "--together", fault=("appending to Kafka", moment, number, "KILL"))
    killed.was_killed()
    assert verify(deployment, acknowledged(killed)).count("data") < TOGETHER

    again = deployment.writer("data", TOGETHER, "--together")
    again.succeeded()

    assert len(acknowledged(again)) == TOGETHER
    assert verify(deployment, acknowledged(killed, again)).count("data") == TOGETHER


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "moment", "number"),
    [("sending a part", "before", 2), ("publishing", "after", 1), ("appending to Kafka", "after", 1)],
)
def test_a_command_interrupted_at_a_point_says_so_and_finishes_when_run_again(
    deployment: Deployment, tmp_path: Path, point: str, moment: str, number: int
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(LARGE_BYTES))
    log = ("log", str(large), "--name", "model", "--type", "model")

    interrupted = deployment.command(*log, fault=(point, moment, number, "INT"))

    assert interrupted.exit_code() == INTERRUPTED
    assert "headwater: interrupted" in interrupted.stderr_text()
    assert "Traceback" not in interrupted.stderr_text()
    deployment.command(*log).succeeded()
    assert verify(deployment, []).count("model") == 1
