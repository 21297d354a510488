"""`headwater maintain` deletes what retention does not keep: beside others, stopped between its decision and its event,
killed at any step, and twice at once.
"""

import json
import signal
from typing import Any

import pytest
from headwater_consumer import queries

from tests.faults.processes import NAMESPACE, Workspace
from tests.faults.stores import check_replay, opened

DATA = f"{NAMESPACE}/data"
VERSIONS = 8
KEPT = 5
DECIDED = ("stamping", "before", "1", "PAUSE")  # nothing was sent yet

LOG = f"""
    import headwater, sys
    for n in range({VERSIONS}):
        artifact = headwater.Artifact(sys.argv[1], "dataset")
        with artifact.new_file("a.txt") as file:
            file.write(str(n))
        artifact.save()
"""
USE = """
    import headwater
    with headwater.init(id="user") as run:
        run.use_artifact("data:v1")
"""


@pytest.fixture
def filled(shared_workspace: Workspace) -> Workspace:
    """v0 to v7, of which the policy keeps the newest five, and what is used or has an alias."""
    fill(shared_workspace)
    return shared_workspace


def fill(workspace: Workspace) -> None:
    workspace.run(LOG, "data").succeeded()
    workspace.command("retention", "set", "--keep-last", str(KEPT), "--keep-used", "--keep-aliased").succeeded()


def maintained(workspace: Workspace) -> Any:
    return json.loads(workspace.command("maintain", "--json").succeeded().out)


def deleted(report: Any) -> list[str]:
    return [one["version"].removeprefix(f"{DATA}:") for one in report["versions_deleted"]]


def live(workspace: Workspace, name: str = "data") -> list[int]:
    """The versions that are there, once a replay says the same."""
    with opened(workspace.settings()) as stores:
        check_replay(stores)
        return sorted(info.version for info in queries.version_infos(stores.database, f"{NAMESPACE}/{name}"))


def test_an_alias_and_a_use_that_came_before_the_deletion_win(filled: Workspace) -> None:
    operator = filled.behind()
    maintenance = operator.start_command("maintain", "--json", at_point=DECIDED)
    assert maintenance.read_line() == "stopped"

    filled.command("alias", "data:v0", "prod").succeeded()
    filled.run(USE).succeeded()
    maintenance.resume()

    report = json.loads(maintenance.wait().succeeded().out)
    assert deleted(report) == ["v2"]
    (alias, use) = [one["why"] for one in report["versions_kept"]]
    assert "data:v0 has got the alias 'prod' since its deletion was decided on" in alias
    assert "data:v1 was used by a run since its deletion was decided on" in use
    assert live(operator) == [0, 1, 3, 4, 5, 6, 7]
    assert deleted(maintained(operator)) == []


def test_a_version_that_was_restored_before_a_second_maintenance_acts_stays(filled: Workspace) -> None:
    operator = filled.behind()
    slow = operator.start_command("maintain", "--json", at_point=DECIDED)
    assert slow.read_line() == "stopped"

    assert deleted(maintained(operator)) == ["v0", "v1", "v2"]
    filled.command("restore", "data:v0").succeeded()
    slow.resume()

    report = json.loads(slow.wait().succeeded().out)
    assert deleted(report) == []
    assert ["was restored" in one["why"] for one in report["versions_kept"]] == [True]
    assert live(operator) == [0, 3, 4, 5, 6, 7]


def test_of_two_at_once_each_version_is_deleted_by_one(filled: Workspace) -> None:
    operator = filled.behind()
    both = [operator.start_command("maintain", "--json") for _ in range(2)]

    reports = [json.loads(one.wait().succeeded().out) for one in both]

    assert sorted(version for report in reports for version in deleted(report)) == ["v0", "v1", "v2"]
    assert live(operator) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "point",
    [
        ("stamping", "before", "1"),
        ("stamping", "after", "2"),
        ("appending", "before", "2"),
        ("appending", "after", "1"),
        ("committing the projection", "before", "1"),
        ("committing the projection", "after", "1"),
        ("discarding idle drafts", "after", "1"),
        ("finishing broadcasts", "before", "1"),
        ("retiring sessions", "before", "1"),
        ("retiring sessions", "after", "1"),
        ("counting what takes up room", "before", "1"),
    ],
    ids=" ".join,
)
def test_one_that_was_killed_is_finished_by_the_next(workspace: Workspace, point: tuple[str, ...]) -> None:
    fill(workspace)
    workspace.run(LOG, "more").succeeded()

    killed = workspace.command("maintain", at_point=(*point, "KILL"))
    assert killed.code == -signal.SIGKILL, killed
    maintained(workspace)

    assert live(workspace) == live(workspace, "more") == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "point",
    [
        ("stamping", "before", "1"),
        ("appending", "before", "1"),
        ("appending", "after", "1"),
        ("committing the projection", "before", "1"),
        ("committing the projection", "after", "1"),
    ],
    ids=" ".join,
)
def test_who_is_killed_while_it_deletes_or_restores_can_run_it_again(
    workspace: Workspace, point: tuple[str, ...]
) -> None:
    workspace.run(LOG, "data").succeeded()
    commands = (("prune", "data", "--keep", "5"), ("rm", "data:v3"), ("restore", "data:v0"))

    killed = [workspace.command(*command, at_point=(*point, "KILL")) for command in commands]
    again = [workspace.command(*command) for command in commands]

    assert [one.code for one in killed] == [-signal.SIGKILL] * len(commands), killed
    assert all(one.code == 0 or "deleted" in one.err for one in again), again  # a version may be deleted by now
    assert live(workspace) == [0, 4, 5, 6, 7]
