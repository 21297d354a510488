"""An archiver that is killed at any step: what was archived counts, and the next one goes on."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog

from tests.consumer.test_archive import is_complete, manifests_in, records_in, records_of
from tests.faults.processes import Workspace
from tests.faults.stores import inspect_store

LOG = ("log", "data", "--name", "data")


@contextmanager
def embedded_log(workspace: Workspace) -> Iterator[EmbeddedEventLog]:
    with closing(EmbeddedEventLog.open(workspace.store / "log", create=False)) as log:
        yield log


def puts_of_a_whole_archive(workspace: Workspace) -> int:
    """How many files are put. They are the marker, the schemas, the records and their manifest."""
    workspace.command("archive", "whole").succeeded()
    return sum(1 for path in (workspace.folder / "whole").rglob("*") if path.is_file())


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("from_the_end", [0, 1, 2])
def test_an_archiver_that_is_killed_is_followed_by_one_that_goes_on(
    moment: str, from_the_end: int, workspace: Workspace
) -> None:
    workspace.fill("data", files=3)
    workspace.command(*LOG).succeeded()
    number = puts_of_a_whole_archive(workspace) - from_the_end
    folder = workspace.folder / "archive"

    killed = workspace.command("archive", "archive", at_point=("archiving in a folder", moment, str(number), "KILL"))
    counted = len(manifests_in(folder))
    workspace.command("archive", "archive").succeeded()

    assert killed.code == -9
    assert counted == (1 if (moment, from_the_end) == ("after", 0) else 0)
    with embedded_log(workspace) as log:
        assert records_in(folder) == records_of(log)
    assert is_complete(folder)


@pytest.mark.parametrize(
    ("point", "moment", "is_there"),
    [
        ("appending to a restored log", "before", False),
        ("appending to a restored log", "after", False),
        ("putting the restored log in place", "before", False),
        ("putting the restored log in place", "after", True),
    ],
)
def test_a_restore_that_is_killed_leaves_a_whole_log_or_none(
    point: str, moment: str, is_there: bool, workspace: Workspace
) -> None:
    workspace.fill("data", files=3)
    workspace.command(*LOG).succeeded()
    workspace.command("archive", "archive").succeeded()
    before = inspect_store(workspace.settings())
    with embedded_log(workspace) as log:
        records = len(records_of(log))
    shutil.rmtree(workspace.store / "log")

    killed = workspace.command("restore-log", "archive", at_point=(point, moment, "1", "KILL"))
    again = workspace.command("restore-log", "archive")

    assert (killed.code, again.code) == (-9, 1 if is_there else 0)
    assert "records are restored into a new one only" in again.err if is_there else again.succeeded()
    with embedded_log(workspace) as log:
        assert len(records_of(log)) == records
    assert inspect_store(workspace.settings()) == before
    assert not (workspace.store / "log-restoring").exists()


def test_several_restores_at_once_are_one(workspace: Workspace) -> None:
    workspace.fill("data", files=3)
    workspace.command(*LOG).succeeded()
    workspace.command("archive", "archive").succeeded()
    before = inspect_store(workspace.settings())
    shutil.rmtree(workspace.store / "log")

    codes = [one.wait().code for one in [workspace.start_command("restore-log", "archive") for _ in range(3)]]

    assert sorted(codes) == [0, 1, 1]
    assert inspect_store(workspace.settings()) == before


def test_a_log_is_archived_while_it_is_written_by_several_archivers(workspace: Workspace) -> None:
    workspace.fill("data", files=3)
    workspace.command(*LOG).succeeded()
    writers = [workspace.start_command("log", "data", "--name", f"data-{n}") for n in range(3)]

    archivers = []
    while any(writer.process.poll() is None for writer in writers):
        archivers += [workspace.start_command("archive", "archive") for _ in range(2)]
        archivers[-1].wait()
    for each in (*writers, *archivers[:-1:2]):
        each.wait().succeeded()
    workspace.command("archive", "archive").succeeded()

    folder: Path = workspace.folder / "archive"
    with embedded_log(workspace) as log:
        assert records_in(folder) == records_of(log)
    assert is_complete(folder)
