"""Nobody waits in silence, for longer than they said, or twice for the same in vain."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_faults.deployment import Deployment, OwnServers, deployed
from tests.service_faults.processes import LoggedProcess, command_of
from tests.service_faults.verification import acknowledged, verify
from tests.support.projector_host import projected
from tests.support.servers import own_minio

pytestmark = pytest.mark.slow

TOLD = "waiting for a projector: none has reported for"
ENDED = "did not catch up within|is not known to be a version after|is still not up to date"
LINES_MAX = 3  # what it waits for, that its run could not be ended, and why it ends
SHORT = {"HEADWATER_WAIT_SECONDS": "3"}
LONG = {"HEADWATER_WAIT_SECONDS": "100"}

SCRIPT = """
import time, headwater
from headwater.errors import StoreUnavailable

def timed(wait, *arguments):
    begun = time.monotonic()
    try:
        wait(*arguments)
    except StoreUnavailable as error:
        print(round(time.monotonic() - begun, 2), error, flush=True)

run = headwater.init()
artifact = headwater.Artifact("data", "dataset")
with artifact.new_file("a") as file:
    file.write("a")
run.log_artifact(artifact)
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A store whose projector was there, and is not any more."""
    with deployed(tmp_path) as deployment:
        deployment.command("projector", "--once").succeeded()
        yield deployment


def impatient(deployment: Deployment, *command: str, **settings: str) -> LoggedProcess:
    """`headwater COMMAND`, or Python code."""
    started = LoggedProcess(
        command_of("tests.service_faults.impatient", list(command), None),
        {**deployment.environment, **settings},
        deployment.folder,
        f"impatient-{len(deployment.started)}",
    )
    deployment.started.append(started)
    return started


def script(deployment: Deployment, more: str, **settings: str) -> LoggedProcess:
    file = deployment.folder / f"script-{len(deployment.started)}.py"
    file.write_text(SCRIPT + more)
    return impatient(deployment, str(file), **settings)


def answers(process: LoggedProcess) -> list[tuple[float, str]]:
    lines = [line.partition(" ") for line in process.out.read_text().splitlines()]
    return [(float(seconds), text) for seconds, _, text in lines]


def test_without_a_projector_a_script_is_told_so_and_gives_up_once_and_doctor_says_it_first(
    deployment: Deployment,
) -> None:
    left_open = script(
        deployment, "timed(artifact.wait)\ntimed(artifact.wait)\ntimed(headwater.Api().artifact, 'data')", **SHORT
    )
    command = impatient(deployment, "headwater", "log", __file__, "--name", "tests", **SHORT)
    doctor = deployment.command("doctor")

    assert left_open.exit_code() == 1
    first, *again = answers(left_open)
    assert "did not catch up within" in first[1]
    assert "Of projectors, none has reported for" in first[1]
    assert "start `headwater projector`" in first[1]
    assert [text for _, text in again if "which was waited for in vain before" in text] == [text for _, text in again]
    assert all(seconds < first[0] for seconds, _ in again)
    assert TOLD in left_open.stderr_text()
    assert "some artifacts were not logged" in left_open.stderr_text()
    assert "Exception ignored" not in left_open.stderr_text()

    assert command.exit_code() == 1
    told, *_, last = command.stderr_text().splitlines()
    assert TOLD in told
    assert last.startswith("headwater: ")
    assert "start `headwater projector`" in last
    assert len(command.stderr_text().splitlines()) <= LINES_MAX
    assert doctor.exit_code() == 1
    assert doctor.out.read_text().splitlines()[0].split()[:2] == ["broken", "projectors:"]


def test_a_wait_for_a_while_ends_then_and_one_that_is_interrupted_at_the_end_says_so(deployment: Deployment) -> None:
    waiting = script(
        deployment, "timed(artifact.wait, 0.1)\ntimed(artifact.wait, 0.1)\nprint('0 over', flush=True)", **LONG
    )
    waiting.wait_until(lambda: len(answers(waiting)) == 3, "the end of its code")
    waiting.wait_until(lambda: TOLD in waiting.stderr_text(), "being told at its end")

    waiting.signal(signal.SIGINT)

    assert waiting.exit_code() == 1
    assert all(seconds < float(LONG["HEADWATER_WAIT_SECONDS"]) / 2 for seconds, _ in answers(waiting))
    assert all(re.search(ENDED, text) for _, text in answers(waiting)[:2])
    assert "interrupted" in waiting.stderr_text()
    assert "Exception ignored" not in waiting.stderr_text()
    assert "Traceback" not in waiting.stderr_text()


def test_who_is_told_to_start_a_projector_goes_on_when_that_is_done(deployment: Deployment) -> None:
    waiting = script(deployment, "timed(artifact.wait)\nprint('0', artifact.version, flush=True)", **LONG)
    waiting.wait_until(lambda: TOLD in waiting.stderr_text(), "being told")

    deployment.projector()

    waiting.succeeded()
    assert answers(waiting) == [(0.0, "v0")]


def test_a_job_that_starts_while_a_server_is_away_begins_when_it_is_back(tmp_path: Path) -> None:
    with (
        own_minio(tmp_path / "minio") as minio,
        deployed(tmp_path, OwnServers(minio=minio)) as deployment,
        projected(deployment.environment),
    ):
        minio.stop()
        writer = impatient(deployment, command_file("writer"), "data", "2")
        writer.wait_until(lambda: "waiting for profile:faults" in writer.stderr_text(), "being told")

        minio.start()
        writer.succeeded()

        assert verify(deployment, acknowledged(writer)).count("data") == 2
        assert "Traceback" not in writer.stderr_text()


def command_file(module: str) -> str:
    return str(Path(__file__).with_name(f"{module}.py"))
