"""The store's folder is removed or replaced while a process has it open, as in a notebook."""

import pytest

from tests.faults.processes import Workspace
from tests.faults.stores import inspect_store

COMMON = """
import os
import shutil
import sys

import headwater
from headwater.errors import StoreMissing

STORE = os.environ["HEADWATER_URL"]


def artifact(name):
    made = headwater.Artifact(name, "dataset")
    with made.new_file(name) as file:
        file.write(name)
    return made


def log(name):
    with headwater.init() as run:
        run.log_artifact(artifact(name))


def remove():
    shutil.rmtree(STORE)


def replace():
    remove()
    shutil.copytree("other", STORE)


os.environ["HEADWATER_URL"] = "other"
artifact("other").save()
os.environ["HEADWATER_URL"] = STORE


CHANGES = {"removed": remove, "replaced": replace}
change = CHANGES[sys.argv[1]]
"""
SAID = "is not there any more: the store was removed or replaced while it was open"


@pytest.fixture(params=["removed", "replaced"])
def change(request: pytest.FixtureRequest) -> str:
    """What happens to the store's folder."""
    return request.param


def test_each_init_and_each_question_opens_what_is_there_now(workspace: Workspace, change: str) -> None:
    workspace.run(
        COMMON
        + """
log("first")
api = headwater.Api()
assert api.artifact_exists("first")
change()
assert not api.artifact_exists("first") and not headwater.Api().artifact_exists("first")
assert api.artifact_exists("other") == (sys.argv[1] == "replaced")
log("second")
assert api.artifact_exists("second")
change()
artifact("third").save()
assert [found.name for found in headwater.Api().artifacts("dataset", "third")] == ["third:v0"]
""",
        change,
    ).succeeded()

    assert inspect_store(workspace.store).numbers("third") == 1


def test_a_store_that_was_put_back_is_used_as_it_is(workspace: Workspace) -> None:
    workspace.run(
        COMMON
        + """
log("first")
shutil.copytree(STORE, "copy")
remove()
shutil.copytree("copy", STORE)
log("second")
""",
        "removed",
    ).succeeded()

    state = inspect_store(workspace.store)
    assert (state.numbers("first"), state.numbers("second")) == (1, 1)


LOST_RUNS = {
    "left by an error": """
with headwater.init() as run:
    run.log_artifact(artifact("first")).wait()
    change()
    run.log_artifact(artifact("second"))
    run.log_artifact(artifact("third")).wait()
""",
    "finished by hand": """
run = headwater.init()
run.log_artifact(artifact("first")).wait()
change()
run.log_artifact(artifact("second"))
run.finish()
""",
    "left open": """
run = headwater.init()
run.log_artifact(artifact("first")).wait()
change()
run.log_artifact(artifact("second"))
""",
    "left open twice": """
runs = [headwater.init(), headwater.init()]
artifact("first").save()
change()
""",
}


@pytest.mark.parametrize("script", LOST_RUNS.values(), ids=LOST_RUNS)
def test_in_the_middle_of_a_run_it_is_one_error_told_once(workspace: Workspace, change: str, script: str) -> None:
    ended = workspace.run(COMMON + script, change)

    told = [line for line in ended.err.splitlines() if SAID in line]
    assert len(told) == 1, ended.err
    assert "headwater.init" in told[0]


def test_what_comes_after_a_lost_run_goes_to_the_store_that_is_there(workspace: Workspace, change: str) -> None:
    ended = workspace.run(
        COMMON
        + """
lost = headwater.init(id="lost")
artifact("first").save()
change()
with headwater.init(id="new"):
    artifact("second").save()
artifact("third").save()  # in no run: the lost one is over
assert lost.state == "failed"
""",
        change,
    )

    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err  # the lost run was not recorded
    state = inspect_store(workspace.store)
    assert (state.numbers("second"), state.numbers("third")) == (1, 1)
    assert {run for run, _, _ in state.outputs} >= {"new"}
    assert "lost" not in state.runs


def test_an_artifact_that_was_filled_before_says_to_be_filled_again(workspace: Workspace, change: str) -> None:
    ended = workspace.run(
        COMMON
        + """
filled = artifact("data")
change()
with headwater.init() as run:
    try:
        run.log_artifact(filled)
    except headwater.errors.InvalidInput as error:
        print(error)
""",
        change,
    )

    assert ended.code == 0, ended.err
    assert "data was filled for a store that was removed or replaced since. Create the artifact again." in ended.out
