"""A copy of a store that is killed at any step is gone on with; several at once are one."""

from pathlib import Path

import pytest

from tests.faults.processes import Workspace
from tests.faults.stores import inspect_store

LARGE = 17 * 1024 * 1024  # bytes: more than a pack has


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """With two versions of small files and a large one."""
    workspace.fill("data", files=3)
    workspace.command("log", "data", "--name", "data").succeeded()
    (workspace.folder / "data" / "large").write_bytes(bytes(LARGE))
    workspace.command("log", "data", "--name", "data").succeeded()
    return workspace


def copy_of(workspace: Workspace) -> Path:
    return workspace.store.parent / "copy"


def copying(workspace: Workspace) -> tuple[str, ...]:
    return "copy", "--from", str(workspace.store), "--to", str(copy_of(workspace))


def look(workspace: Workspace, store: Path) -> object:
    return inspect_store({**workspace.settings(), "HEADWATER_URL": str(store)})


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "point",
    [
        "making the store",
        "making the log",
        "making the blob store",
        "taking a pack",
        "taking a large file",
        "storing",
        "letting go of a pack",
        "appending",
    ],
)
def test_a_copy_that_is_killed_is_gone_on_with(point: str, moment: str, filled: Workspace) -> None:
    killed = filled.command(*copying(filled), at_point=(point, moment, "1", "KILL"))
    if (copy_of(filled) / "projection").exists():  # as far as it goes, it is whole
        filled.environment = {"HEADWATER_URL": str(copy_of(filled))}
        assert "no object is lost" in filled.command("doctor", "--verify").out
        filled.environment = {}

    filled.command(*copying(filled)).succeeded()

    assert killed.code == -9
    assert look(filled, copy_of(filled)) == look(filled, filled.store)
    assert "nothing new" in filled.command(*copying(filled)).succeeded().out


def test_several_copies_at_once_are_one(filled: Workspace) -> None:
    ended = [one.wait() for one in [filled.start_command(*copying(filled)) for _ in range(3)]]

    assert [one.code for one in ended] == [0, 0, 0], ended
    assert sum("nothing new" in one.out for one in ended) == 2
    assert look(filled, copy_of(filled)) == look(filled, filled.store)
