"""Ctrl-C: a message and exit code 130, nothing half visible, and running again finishes."""

import signal
import time
from pathlib import Path

import pytest

from tests.faults.processes import WAIT_S, Workspace, content
from tests.faults.stores import inspect_store

FILE_BYTES = 16_384
FILES = 2_500  # more than two packs, so that there is a middle
INTERRUPTED = 130

SCRIPT = """
    import headwater
    with headwater.init(id="r") as run:
        data = headwater.Artifact("data", "dataset")
        data.add_dir("data")
        run.log_artifact(data)
"""
# Passed by `headwater log` from its first byte to the end of its run.
POINTS_OF_LOG = [
    ("making the store", "after", 1),
    ("taking a pack", "before", 1),
    ("caching a scan", "before", 1),
    ("storing", "after", 1),
    ("appending", "after", 1),
    ("committing the projection", "before", 1),
    ("committing the projection", "after", 2),
]


@pytest.fixture
def large(workspace: Workspace) -> Workspace:
    workspace.fill("data", files=FILES, size=FILE_BYTES)
    return workspace


@pytest.mark.parametrize(("point", "moment", "number"), POINTS_OF_LOG)
def test_log_interrupted_at_a_point_says_so_and_finishes_when_run_again(
    workspace: Workspace, point: str, moment: str, number: int
) -> None:
    workspace.fill("data", files=30)
    command = ("log", "data", "--name", "data")
    interrupted = workspace.command(*command, at_point=(point, moment, str(number), "INT"))

    assert interrupted.code == INTERRUPTED, interrupted
    assert "headwater: interrupted" in interrupted.err
    assert "Traceback" not in interrupted.err

    assert workspace.command(*command).succeeded().out == "team/faults/data:v0\n"
    assert inspect_store(workspace.store).numbers("data") == 1


def test_log_interrupted_from_outside_while_it_adds_a_large_folder_finishes_when_run_again(large: Workspace) -> None:
    command = large.start_command("log", "data", "--name", "data")
    wait_for_a_file_in(staging(large))
    command.process.send_signal(signal.SIGINT)
    interrupted = command.wait()

    assert interrupted.code == INTERRUPTED, interrupted
    assert "interrupted" in interrupted.err
    assert "Traceback" not in interrupted.err
    assert inspect_store(large.store).numbers("data") == 0

    assert large.command("log", "data", "--name", "data").succeeded().out == "team/faults/data:v0\n"
    assert inspect_store(large.store).versions["data"][0].files == FILES
    assert list(staging(large).iterdir()) == []


def test_an_interrupt_does_not_wait_for_the_large_files_that_were_not_begun(workspace: Workspace) -> None:
    (workspace.folder / "data").mkdir()
    for i in range(60):
        (workspace.folder / "data" / f"{i}.bin").write_bytes(content(str(i), 2_000_000))

    interrupted = workspace.command(
        "log", "data", "--name", "data", at_point=("taking a large file", "before", "1", "INT")
    )

    assert interrupted.code == INTERRUPTED, interrupted
    assert set(staged_in(workspace).values()) <= {2_000_000}, "only what was staged whole is kept"
    assert len(staged_in(workspace)) < 60
    assert workspace.command("log", "data", "--name", "data").succeeded().out == "team/faults/data:v0\n"
    assert inspect_store(workspace.store).versions["data"][0].files == 60


def test_what_was_taken_before_an_interrupt_can_still_be_logged(large: Workspace) -> None:
    large.run(
        """
        import headwater
        with headwater.init(id="r") as run:
            kept = headwater.Artifact("kept", "dataset")
            with kept.new_file("it.txt") as file:
                file.write("taken before")
            interrupted = headwater.Artifact("data", "dataset")
            try:
                interrupted.add_dir("data")
            except KeyboardInterrupt:
                print("interrupted")
            else:
                raise AssertionError("it was not interrupted")
            run.log_artifact(kept)
            interrupted.add_dir("data")
            run.log_artifact(interrupted)
        """,
        at_point=("taking a pack", "before", "2", "INT"),
    ).succeeded()

    seen = inspect_store(large.store)
    assert (seen.versions["kept"][0].files, seen.versions["data"][0].files) == (1, FILES)


def test_a_script_interrupted_while_it_adds_ends_with_its_run_failed_and_nothing_logged(large: Workspace) -> None:
    script = large.start(SCRIPT)
    wait_for_a_file_in(staging(large))
    script.process.send_signal(signal.SIGINT)
    ended = script.wait()

    assert "KeyboardInterrupt" in ended.err
    seen = inspect_store(large.store)
    assert (seen.runs, seen.versions) == ({"r": "failed"}, {})

    large.run(SCRIPT).succeeded()
    assert inspect_store(large.store).versions["data"][0].files == FILES


@pytest.mark.parametrize("point", ["storing", "appending", "committing the projection"])
def test_a_script_interrupted_while_it_leaves_a_run_has_still_logged_everything_at_its_end(
    workspace: Workspace, point: str
) -> None:
    workspace.fill("data", files=30)
    leaving = """
        import headwater
        run = headwater.init(id="r")
        for name in ("one", "other"):
            artifact = headwater.Artifact(name, "dataset")
            artifact.add_dir("data")
            with artifact.new_file("name.txt") as file:
                file.write(name)
            run.log_artifact(artifact)
        run.finish()
    """
    number = "1" if point == "storing" else "2"

    ended = workspace.run(leaving, at_point=(point, "before", number, "INT"))

    assert "KeyboardInterrupt" in ended.err
    seen = inspect_store(workspace.store)
    assert {name: len(versions) for name, versions in seen.versions.items()} == {"one": 1, "other": 1}
    assert seen.runs["r"] in ("finished", "failed")


def test_get_interrupted_says_so_leaves_whole_files_and_finishes_when_run_again(large: Workspace) -> None:
    large.command("log", "data", "--name", "data").succeeded()
    get = ("get", "data", "out")

    interrupted = large.command(*get, at_point=("downloading", "before", "3", "INT"))

    assert interrupted.code == INTERRUPTED, interrupted
    assert "headwater: interrupted" in interrupted.err
    assert "Traceback" not in interrupted.err
    landed = files_in(large.folder / "out")
    assert 0 < len(landed) < FILES
    assert landed.items() <= files_in(large.folder / "data").items(), "nothing half, nothing else"

    large.command(*get).succeeded()
    assert files_in(large.folder / "out") == files_in(large.folder / "data")


def test_a_question_interrupted_says_so(workspace: Workspace) -> None:
    workspace.fill("data", files=3)
    workspace.command("log", "data", "--name", "data").succeeded()

    interrupted = workspace.command("ls", at_point=("making the projection", "after", "1", "INT"))

    assert interrupted.code == INTERRUPTED, interrupted
    assert "Traceback" not in interrupted.err


def staging(workspace: Workspace) -> Path:
    return workspace.store / "blobs" / "staging"


def staged_in(workspace: Workspace) -> dict[int, int]:
    """The sizes of what is staged, by inode."""
    found = [path.stat() for path in staging(workspace).glob("*/*") if path.name != "lock"]
    return {one.st_ino: one.st_size for one in found}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for_a_file_in(folder: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not any(path.stat().st_size for path in folder.glob("*/*")):
        assert time.monotonic() < deadline, f"nothing came into {folder}"
        time.sleep(0.002)
