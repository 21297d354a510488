"""Commands that are killed at a step which only servers have, and run again. For the other steps: `tests/faults`."""

import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from headwater_consumer.operational.database import SCHEMA_SUFFIX

from tests.faults.processes import Workspace, content
from tests.faults.pruned_stores import check_collected, collect, log_and_prune
from tests.faults.stores import inspect_store
from tests.faults.test_imports import PIPELINE
from tests.faults.test_retention import LOG, live
from tests.service_faults.deployment import Deployment, deployed
from tests.support.projector_host import projected

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed commands")]  # one process, which shares a store

LARGE_BYTES = 17 * 1024 * 1024  # more than a pack has: three parts of an upload
Step = tuple[str, str, int]  # a point, "before" or "after" it, at which passing


@pytest.fixture(scope="module")
def shared(module_path: Path) -> Iterator[Deployment]:
    """A store for all tests, each of which has artifacts of its own."""
    with deployed(module_path) as deployment, projected(deployment.environment):
        yield deployment


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An artifact that no other test has."""
    return f"data-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def workspace(shared: Deployment, tmp_path: Path) -> Workspace:
    """With the store of all."""
    return at(shared, tmp_path)


@pytest.fixture(scope="module")
def source(module_path: Path) -> Workspace:
    """With a folder to be copied, archived and exported: small files and a large one, several versions, and runs."""
    source = Workspace.in_folder(module_path / "source")
    source.fill("data", files=3)
    (source.folder / "data" / "large").write_bytes(content("large", LARGE_BYTES))
    source.run(PIPELINE).succeeded()
    source.command("archive", "archive").succeeded()
    source.command("export", "model", "-o", "model.zip").succeeded()
    return source


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Deployment]:
    """Servers on which no store is yet, and that nobody projects."""
    (tmp_path / "servers").mkdir()
    with deployed(tmp_path / "servers") as deployment:
        yield deployment


def at(deployment: Deployment, folder: Path) -> Workspace:
    workspace = Workspace.in_folder(folder)
    workspace.environment = deployment.environment
    return workspace


def kill(workspace: Workspace, step: Step, *command: str) -> None:
    """Run a command that is killed at this step, and did not end before."""
    point, moment, number = step
    killed = workspace.command(*command, at_point=(point, moment, str(number), "KILL"))
    assert killed.code == -signal.SIGKILL, (step, killed)


def let_leases_end(deployment: Deployment) -> None:
    """Those of killed processes end by themselves, after LEASE_S."""
    with psycopg.connect(deployment.environment["HEADWATER_DATABASE_URL"], autocommit=True) as database:
        schema = deployment.environment["HEADWATER_DATABASE_SCHEMA"] + SCHEMA_SUFFIX
        assert database.execute(f"UPDATE {schema}.leases SET until_us = 0").rowcount == 1


def asked(workspace: Workspace, *command: str) -> Any:
    return json.loads(workspace.command(*command, "--json").succeeded().out)


def steps(*several: Step) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("step", several, ids=lambda step: f"{step[1]} {step[0]} {step[2]}")


@steps(
    ("appending to Kafka", "after", 1),  # it has purged
    ("publishing in a bucket", "before", 1),  # a pack was written anew
    ("appending to Kafka", "after", 3),  # it has condemned something
    ("deleting from a bucket", "after", 1),
)
def test_a_collection_that_is_killed_is_completed_by_the_next(empty: Deployment, tmp_path: Path, step: Step) -> None:
    workspace = at(empty, tmp_path)
    with projected(empty.environment):
        workspace.command("project", "--restore-days", "0").succeeded()
        kept = {"data": log_and_prune(workspace, "data")}

        kill(workspace, step, "gc", "--grace", "0s")
        collect(workspace)

        check_collected(workspace, kept)
        assert collect(workspace, "--dry-run")["deleted"] == 0
        assert asked(workspace, "replay")["same"] is True


@steps(("stamping", "before", 1), ("appending to Kafka", "before", 1), ("appending to Kafka", "after", 1))
def test_retention_that_is_killed_is_finished_by_the_next(workspace: Workspace, name: str, step: Step) -> None:
    workspace.run(LOG, name).succeeded()
    workspace.command("retention", "set", name, "--keep-last", "5").succeeded()

    kill(workspace, step, "maintain")
    workspace.command("maintain").succeeded()

    assert live(workspace, name) == [3, 4, 5, 6, 7]


@steps(("appending to Kafka", "before", 1), ("appending to Kafka", "after", 1))
def test_a_deletion_that_is_killed_is_finished_by_the_next(workspace: Workspace, name: str, step: Step) -> None:
    workspace.run(LOG, name).succeeded()

    kill(workspace, step, "prune", name, "--keep", "5")
    workspace.command("prune", name, "--keep", "5").succeeded()
    kill(workspace, step, "restore", f"{name}:v0")
    workspace.command("restore", f"{name}:v0").succeeded()

    assert live(workspace, name) == [0, 3, 4, 5, 6, 7]


@steps(
    ("making the topic", "before", 1),
    ("listing ancestors", "before", 1),
    ("sending a part", "after", 2),
    ("completing an upload", "before", 1),
    ("publishing in a bucket", "after", 1),
    ("appending to Kafka", "before", 1),
    ("appending to Kafka", "after", 1),
)
def test_a_copy_that_is_killed_is_gone_on_with(
    source: Workspace, empty: Deployment, tmp_path: Path, step: Step
) -> None:
    target = at(empty, tmp_path)
    copying = ("copy", "--from", str(source.store), "--to", "profile:faults")

    kill(target, step, *copying)
    let_leases_end(empty)
    target.command(*copying).succeeded()

    assert "nothing new" in target.command(*copying).succeeded().out
    empty.projector().joined()
    assert inspect_store(target.settings()) == inspect_store(source.settings())


@steps(
    ("publishing in a bucket", "before", 1),
    ("completing an upload", "after", 1),
    ("appending to Kafka", "before", 1),
    ("appending to Kafka", "after", 3),
)
def test_an_import_that_is_killed_is_gone_on_with_and_adds_nothing_twice(
    source: Workspace, empty: Deployment, tmp_path: Path, step: Step
) -> None:
    target = at(empty, tmp_path)
    importing = ("import", str(source.folder / "model.zip"))
    with projected(empty.environment):
        kill(target, step, *importing)
        let_leases_end(empty)
        target.command(*importing).succeeded()

        events = target.command("events").succeeded().out
        target.command(*importing).succeeded()
        assert target.command("events").succeeded().out == events
        assert inspect_store(target.settings()) == inspect_store(source.settings())


def test_an_export_that_is_killed_leaves_no_file(workspace: Workspace, name: str) -> None:
    workspace.fill("data", files=3)
    workspace.command("log", "data", "--name", name).succeeded()
    workspace.command("export", name, "-o", "whole.zip").succeeded()

    for moment in ("before", "after"):
        kill(workspace, ("reading from a bucket", moment, 1), "export", name, "-o", "again.zip")
        assert not (workspace.folder / "again.zip").exists()

    workspace.command("export", name, "-o", "again.zip").succeeded()
    assert (workspace.folder / "again.zip").read_bytes() == (workspace.folder / "whole.zip").read_bytes()


@steps(
    ("archiving in a bucket", "before", 1),  # the archive is not marked
    ("archiving in a bucket", "after", 1),
    ("archiving in a bucket", "before", 3),
    ("noting an archive elsewhere", "before", 1),
    ("noting an archive elsewhere", "after", 1),
    ("trimming", "before", 1),
    ("trimming", "after", 1),
)
def test_an_archiver_that_is_killed_is_followed_by_one_that_goes_on_and_trims(
    empty: Deployment, tmp_path: Path, step: Step
) -> None:
    workspace = at(empty, tmp_path)
    target = () if step[0] == "archiving in a bucket" else ("elsewhere",)
    trim = ("archive", *target, "--trim", "--keep", "0s")
    with projected(empty.environment):
        workspace.fill("data", files=1)
        workspace.command("log", "data", "--name", "data").succeeded()

        kill(workspace, step, *trim)
        workspace.command(*trim).succeeded()

        again = asked(workspace, *trim)
        assert (again["records"], again["trimmed"], again["behind"]) == (0, 0, [])
        assert asked(workspace, "archive", *target, "--check")["problems"] == []
        assert asked(workspace, "replay")["same"] is True


@steps(
    ("making the topic", "before", 1),
    ("listing ancestors", "before", 1),
    ("listing ancestors", "after", 1),
    ("appending to Kafka", "before", 1),
    ("appending to Kafka", "after", 1),
)
def test_a_restore_that_is_killed_is_completed_by_the_next(
    source: Workspace, empty: Deployment, tmp_path: Path, step: Step
) -> None:
    target = at(empty, tmp_path)
    restoring = ("restore-log", str(source.folder / "archive"))

    kill(target, step, *restoring)
    let_leases_end(empty)
    target.command(*restoring).succeeded()

    assert asked(target, *restoring)["records"] == 0
    empty.projector().joined()
    target.command("ls").succeeded()  # once it is projected
    assert asked(target, "replay")["new"] == asked(source, "replay")["new"]
    again = asked(target, *restoring)
    assert (again["records"], again["replay"]) == (0, False)


def test_of_two_restores_at_once_one_restores(source: Workspace, empty: Deployment, tmp_path: Path) -> None:
    target = at(empty, tmp_path)
    restoring = ("restore-log", str(source.folder / "archive"), "--json")

    started = [target.start_command(*restoring) for _ in range(2)]
    reports = [json.loads(one.wait().succeeded().out) for one in started]

    assert min(one["records"] for one in reports) == 0
    manifests = (source.folder / "archive").rglob("records/*/*/*.json")
    assert max(one["records"] for one in reports) == sum(json.loads(one.read_text())["records"] for one in manifests)


def test_a_store_that_goes_on_is_not_restored_into(source: Workspace, empty: Deployment, tmp_path: Path) -> None:
    target = at(empty, tmp_path)
    restoring = ("restore-log", str(source.folder / "archive"))
    target.command(*restoring).succeeded()
    empty.projector().joined()
    target.fill("more", files=1)
    target.command("log", "more", "--name", "more").succeeded()

    refused = target.command(*restoring)

    assert refused.code == 1
    assert "something was logged there" in refused.err
