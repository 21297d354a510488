"""An import that is killed at any step is gone on with, and adds nothing twice; several at once are one."""

from pathlib import Path

import pytest

from tests.faults.processes import Workspace
from tests.faults.stores import StoreState, inspect_store

PIPELINE = """
    import headwater

    for n in range(2):
        with headwater.init(job_type="collect", id=f"collect-{n}") as run:
            data = headwater.Artifact("data", type="dataset")
            data.add_dir("data")
            with data.new_file("n.txt") as file:
                file.write(str(n))
            run.log_artifact(data, aliases=["good"]).wait()
    with headwater.init(job_type="train", id="train") as run:
        run.use_artifact("data:v0", use_as="old")
        run.use_artifact("data:good")
        model = headwater.Artifact("model", type="model")
        with model.new_file("weights") as file:
            file.write("0.5")
        run.log_artifact(model).wait()
"""


@pytest.fixture
def exported(workspace: Workspace) -> Workspace:
    """With an export of a model and what it was made from."""
    workspace.fill("data", files=3)
    workspace.run(PIPELINE).succeeded()
    workspace.command("export", "model", "-o", "model.zip").succeeded()
    return workspace


def other(workspace: Workspace) -> Workspace:
    """The same user with another store."""
    return Workspace(workspace.folder, workspace.store.parent / "other", workspace.cache)


def state_of(workspace: Workspace) -> StoreState:
    return inspect_store(workspace.settings())


def events_of(workspace: Workspace) -> int:
    return len(workspace.command("events").succeeded().out.splitlines())


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("point", "number"),
    [
        ("making the log", 1),
        ("taking a pack", 1),
        ("storing", 1),
        ("storing", 2),
        *[("appending", number) for number in range(1, 11)],
    ],
)
def test_an_import_that_is_killed_is_gone_on_with(point: str, number: int, moment: str, exported: Workspace) -> None:
    there = other(exported)

    killed = there.command("import", "model.zip", at_point=(point, moment, str(number), "KILL"))
    there.command("import", "model.zip").succeeded()

    assert killed.code == -9
    assert state_of(there) == state_of(exported)
    count = events_of(there)
    there.command("import", "model.zip").succeeded()
    assert events_of(there) == count


def test_several_imports_at_once_add_up_to_one(exported: Workspace) -> None:
    there = other(exported)

    for one in [there.start_command("import", "model.zip") for _ in range(3)]:
        one.wait().succeeded()

    assert state_of(there) == state_of(exported)


@pytest.mark.parametrize("number", [1, 2])
def test_an_export_that_is_killed_leaves_no_file(number: int, exported: Workspace) -> None:
    killed = exported.command(
        "export", "model", "-o", "again.zip", at_point=("downloading", "before", str(number), "KILL")
    )

    assert killed.code == -9
    assert not Path(exported.folder / "again.zip").exists()
    exported.command("export", "model", "-o", "again.zip").succeeded()
    assert (exported.folder / "again.zip").read_bytes() == (exported.folder / "model.zip").read_bytes()
