"""`headwater gc` beside real writers, that live, are stopped, or are killed."""

import json
from pathlib import Path
from typing import Any

from tests.faults.processes import Workspace, content
from tests.faults.stores import inspect_store
from tests.support.modes import EMBEDDED

WRITERS = 3
LARGE_BYTES = 9_000_000  # two parts of an upload
LOG = ("log", "data", "--name", "data")


def collect(workspace: Workspace, *options: str, grace: str = "0s") -> Any:
    return json.loads(workspace.command("gc", "--grace", grace, "--json", *options).succeeded().out)


def fill(folder: Path, seed: str) -> None:
    folder.mkdir()
    for i in range(2):
        (folder / f"large-{i}.bin").write_bytes(content(f"{seed}/large/{i}", LARGE_BYTES))
    for i in range(100):
        (folder / f"small-{i}.bin").write_bytes(content(f"{seed}/small/{i}", 10_000))


def test_writers_lose_nothing_to_a_collection_that_runs_all_the_time(shared_workspace: Workspace, mode: str) -> None:
    """A bucket cannot tell who lives, so there it is given the second that a part may take."""
    names = [f"data-{writer}" for writer in range(WRITERS)]
    for name in names:
        fill(shared_workspace.folder / name, name)
    writers = [shared_workspace.start_command("log", name, "--name", name) for name in names]

    while any(writer.process.poll() is None for writer in writers):
        collect(shared_workspace, grace="0s" if mode == EMBEDDED else "1s")

    assert sorted(writer.wait().succeeded().out for writer in writers) == [f"team/faults/{name}:v0\n" for name in names]
    seen = inspect_store(shared_workspace.settings())
    assert [seen.versions[name][0].files for name in names] == [102] * WRITERS
    assert collect(shared_workspace, "--dry-run") | {"dry_run": 0} == dict.fromkeys(
        ("dry_run", "deleted", "bytes_freed", "recent", "recent_bytes"), 0
    )


def test_a_writer_that_is_stopped_for_long_keeps_what_it_staged_and_a_killed_one_does_not(
    workspace: Workspace,
) -> None:
    fill(workspace.folder / "data", "data")
    writers = [workspace.start_command(*LOG, at_point=("storing", "before", "1", "STOP")) for _ in range(2)]
    assert [writer.read_line() for writer in writers] == ["stopped"] * 2
    assert collect(workspace)["deleted"] == 0

    killed, stopped = writers
    killed.process.kill()
    killed.wait()
    told = collect(workspace, "--dry-run")
    assert told["bytes_freed"] == 2 * LARGE_BYTES + 100 * 10_000
    assert collect(workspace) == told | {"dry_run": False}
    assert collect(workspace)["deleted"] == 0, "the other one lives"
    stopped.process.kill()
    stopped.wait()
    assert collect(workspace) == told | {"dry_run": False}

    assert workspace.command(*LOG).succeeded().out == "team/faults/data:v0\n"
    assert list((workspace.store / "blobs" / "staging").iterdir()) == []
