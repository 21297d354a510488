"""One version from many processes: in any order, tried again, killed, and late."""

import os
import signal

import pytest

from tests.faults.processes import Workspace
from tests.faults.stores import inspect_store


@pytest.fixture
def workspace(shared_workspace: Workspace) -> Workspace:
    """What is asked here is asked in each way to run."""
    return shared_workspace


WRITERS = 8
FILES = 20

WRITER = """
    import sys
    import headwater
    number, files = int(sys.argv[1]), int(sys.argv[2])
    with headwater.init(id=f"writer-{number}", group="job") as run:
        artifact = headwater.Artifact("parts", "dataset")
        for i in range(files):
            with artifact.new_file(f"{number}/{i}.txt") as file:
                file.write(f"{number} {i}")
        with artifact.new_file("shared.txt") as file:
            file.write(f"from {number}")
        print("ready", flush=True)
        sys.stdin.readline()
        run.upsert_artifact(artifact).wait()
    print("done", flush=True)
"""

FINISHER = """
    import sys
    import headwater
    with headwater.init(group="job") as run:
        artifact = headwater.Artifact("parts", "dataset")
        writers = int(sys.argv[1]) if len(sys.argv) > 1 else None
        version = run.finish_artifact(artifact, writers=writers)
        try:
            version.wait(timeout=0)
        except headwater.errors.StoreUnavailable:
            print("waiting", flush=True)  # what it said counts, and nothing of it is on its way
        version.wait(timeout=60)
    print(version.version, version.file_count, ",".join(version.contested_paths))
"""


def start_writers(workspace: Workspace, numbers: range) -> list:  # type: ignore[type-arg]
    writers = [workspace.start(WRITER, str(number), str(FILES)) for number in numbers]
    for writer in writers:
        assert writer.read_line() == "ready"
    return writers


def test_processes_that_upsert_at_once_lose_nothing(workspace: Workspace) -> None:
    writers = start_writers(workspace, range(WRITERS))
    for writer in writers:
        writer.send_line("go")
    for writer in writers:
        writer.wait().succeeded()

    said = workspace.run(FINISHER).succeeded().out.splitlines()[-1]

    assert said == f"v0 {WRITERS * FILES + 1} shared.txt"


def test_a_seal_that_waits_for_writers_comes_with_the_last_of_them_whenever_the_finish_came(
    workspace: Workspace,
) -> None:
    writers = start_writers(workspace, range(3))
    finisher = workspace.start(FINISHER, "3")
    assert finisher.read_line() == "waiting"
    assert inspect_store(workspace.behind().settings()).versions == {}
    for writer in writers:
        writer.send_line("go")
        writer.wait().succeeded()

    assert finisher.wait().succeeded().out.splitlines()[-1] == f"v0 {3 * FILES + 1} shared.txt"


def test_a_writer_that_dies_before_it_upserts_blocks_nobody(workspace: Workspace) -> None:
    dies, lives = start_writers(workspace, range(2))
    os.kill(dies.process.pid, signal.SIGKILL)
    dies.wait()
    lives.send_line("go")
    lives.wait().succeeded()

    assert workspace.run(FINISHER).succeeded().out.splitlines()[-1] == f"v0 {FILES + 1} "


@pytest.mark.parametrize(
    "at_point",
    [
        ("publishing", "after", "1", "KILL"),  # its bytes are stored, and nothing names them
        ("stamping", "after", "2", "KILL"),  # after the run's start: its entries are about to be sent
        ("stamping", "after", "3", "KILL"),  # its entries count, and nobody knows that they are all
    ],
    ids=" ".join,
)
def test_a_writer_that_is_killed_while_it_upserts_is_tried_again_under_its_id(
    workspace: Workspace, at_point: tuple[str, ...]
) -> None:
    killed = workspace.start(WRITER, "0", str(FILES), at_point=at_point)
    assert killed.read_line() == "ready"
    killed.send_line("go")
    assert killed.wait().code == -signal.SIGKILL
    for writer in start_writers(workspace, range(2)):
        writer.send_line("go")
        writer.wait().succeeded()

    assert workspace.run(FINISHER, "2").succeeded().out.splitlines()[-1] == f"v0 {2 * FILES + 1} shared.txt"


def test_processes_that_finish_at_once_finish_the_same_version(workspace: Workspace) -> None:
    (writer,) = start_writers(workspace, range(1))
    writer.send_line("go")
    writer.wait().succeeded()

    finishers = [workspace.start(FINISHER) for _ in range(4)]

    said = {finisher.wait().succeeded().out.splitlines()[-1] for finisher in finishers}
    assert said == {f"v0 {FILES + 1} "}


def test_a_writer_that_is_tried_again_under_its_id_counts_once(workspace: Workspace) -> None:
    for _ in range(2):
        (writer,) = start_writers(workspace, range(1))
        writer.send_line("go")
        writer.wait().succeeded()
    finisher = workspace.start(FINISHER, "2")
    assert finisher.read_line() == "waiting"
    assert inspect_store(workspace.behind().settings()).versions == {}
    (other,) = start_writers(workspace, range(1, 2))
    other.send_line("go")
    other.wait().succeeded()

    assert finisher.wait().succeeded().out.splitlines()[-1] == f"v0 {2 * FILES + 1} shared.txt"


def test_a_writer_that_comes_after_the_seal_is_told_which_version_it_missed(workspace: Workspace) -> None:
    early, late = start_writers(workspace, range(2))
    early.send_line("go")
    early.wait().succeeded()
    workspace.run(FINISHER).succeeded()
    late.send_line("go")
    ended = late.wait()

    assert ended.code == 1
    assert "parts:v0" in ended.err
    assert "distributed_id" in ended.err
