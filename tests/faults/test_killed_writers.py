"""A writer that is killed at any point loses nothing that was acknowledged, shows nothing half, and can start again."""

import random
import signal
import time
from pathlib import Path

import pytest
from headwater_schemas.errors import StoreUnavailable

from tests.faults.processes import Workspace, content
from tests.faults.stores import StoreState, inspect_store

# Two runs, four versions, small and large files, an alias and a use. Done twice it changes nothing.
PIPELINE = """
    import headwater

    with headwater.init(id="collect", job_type="collect") as run:
        for folder in ("first", "second"):
            data = headwater.Artifact("data", "dataset")
            data.add_dir(folder)
            run.log_artifact(data)

    with headwater.init(id="train", job_type="train") as run:
        run.use_artifact("data:v1")
        model = headwater.Artifact("model", "model", metadata={"score": 0.9})
        model.add_file("weights.bin")
        with model.new_file("notes.txt") as notes:
            notes.write("as good as it gets")
        run.log_artifact(model, aliases=["best"]).wait()
        print("acknowledged", flush=True)
        run.log_artifact("weights.bin", name="weights")
"""
LARGE_FILE_BYTES = 1_500_000  # more than what is packed

# Where, and at which passing: the first, and one in the middle of things.
POINTS = [
    ("making the store", 1),
    ("making the log", 1),
    ("making the blob store", 1),
    ("making the projection", 1),
    ("taking a pack", 1),
    ("taking a large file", 1),
    ("caching a scan", 1),
    ("storing", 1),
    ("storing", 3),
    ("publishing", 2),
    ("stamping", 1),
    ("appending", 1),
    ("appending", 3),
    ("committing to the log", 2),
    ("locking the cursors", 2),
    ("writing the projection", 2),
    ("committing the projection", 2),
    ("letting go of a pack", 1),
]
RANDOM_KILLS = 12


def prepared(workspace: Workspace) -> Workspace:
    first = workspace.fill("first", files=60)
    (first / "large.bin").write_bytes(content("large", LARGE_FILE_BYTES))
    second = workspace.fill("second", files=60)
    (second / "00007.bin").write_bytes(b"changed")
    (workspace.folder / "weights.bin").write_bytes(content("weights", LARGE_FILE_BYTES))
    return workspace


@pytest.fixture
def pipeline(workspace: Workspace) -> Workspace:
    return prepared(workspace)


@pytest.fixture(scope="module")
def undisturbed(module_path: Path) -> StoreState:
    """What the pipeline comes to when nobody kills it."""
    workspace = prepared(Workspace.in_folder(module_path))
    workspace.run(PIPELINE).succeeded()
    return inspect_store(workspace.store)


def test_undisturbed_the_pipeline_makes_four_versions(undisturbed: StoreState) -> None:
    assert {name: len(versions) for name, versions in undisturbed.versions.items()} == {
        "data": 2,
        "model": 1,
        "weights": 1,
    }
    assert undisturbed.runs == {"collect": "finished", "train": "finished"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("point", "number"), POINTS)
def test_a_writer_killed_at_a_point_leaves_nothing_half_and_comes_to_the_same_end_when_run_again(
    pipeline: Workspace, undisturbed: StoreState, point: str, number: int, moment: str
) -> None:
    killed = pipeline.run(PIPELINE, at_point=(point, moment, str(number), "KILL"))
    assert killed.code == -signal.SIGKILL, f"it never came to this point: {killed}"
    assert_is_part_of(inspect_if_created(pipeline.store), undisturbed)

    pipeline.run(PIPELINE).succeeded()

    assert inspect_store(pipeline.store) == undisturbed


def test_what_was_acknowledged_before_the_kill_is_there(pipeline: Workspace, undisturbed: StoreState) -> None:
    writer = pipeline.start(PIPELINE, at_point=("taking a large file", "before", "3", "STOP"))
    assert writer.read_line() == "acknowledged"
    writer.process.kill()
    writer.wait()

    assert inspect_store(pipeline.store).versions["model"] == undisturbed.versions["model"]


def test_a_writer_killed_while_it_projects_lets_another_process_go_on_at_once(pipeline: Workspace) -> None:
    stuck = pipeline.start(PIPELINE, at_point=("committing the projection", "before", "3", "STOP"))
    assert stuck.read_line() == "stopped"
    other = pipeline.start_command("log", "weights.bin", "--name", "other")
    stuck.process.kill()
    stuck.wait()

    assert other.wait().succeeded().out.strip() == "team/faults/other:v0"
    inspect_store(pipeline.store)


@pytest.mark.slow
def test_a_writer_killed_at_random_moments_again_and_again_comes_to_the_same_end(
    pipeline: Workspace, undisturbed: StoreState, tmp_path: Path
) -> None:
    whole_s = seconds_of(prepared(Workspace.in_folder(tmp_path / "measured")))
    moments = random.Random(20)
    killed = 0
    for _ in range(RANDOM_KILLS):
        writer = pipeline.start(PIPELINE)
        time.sleep(moments.uniform(0.0, whole_s))
        writer.process.kill()
        killed += writer.wait().code == -signal.SIGKILL
        assert_is_part_of(inspect_if_created(pipeline.store), undisturbed)
    assert killed

    pipeline.run(PIPELINE).succeeded()

    assert inspect_store(pipeline.store) == undisturbed
    pipeline.command("replay").succeeded()
    pipeline.command("doctor").succeeded()


def seconds_of(workspace: Workspace) -> float:
    """How long the pipeline takes when nobody kills it, on this machine now."""
    started = time.monotonic()
    workspace.run(PIPELINE).succeeded()
    return time.monotonic() - started


def inspect_if_created(store: Path) -> StoreState | None:
    """What is there, unless the kill came before there was a whole store."""
    try:
        return inspect_store(store)
    except StoreUnavailable as unavailable:
        if "there is no" not in str(unavailable):
            raise
        return None


def assert_is_part_of(seen: StoreState | None, whole: StoreState) -> None:
    for name, versions in (seen.versions if seen is not None else {}).items():
        told = [(version.digest, version.files) for version in versions]
        assert told == [(version.digest, version.files) for version in whole.versions[name]][: len(told)]
