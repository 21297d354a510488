"""`headwater gc` beside real writers, that live, are stopped, or are killed."""

import signal
from pathlib import Path

from tests.faults.processes import Workspace, content
from tests.faults.pruned_stores import check_collected, collect, log_and_prune
from tests.faults.stores import inspect_store
from tests.support.modes import EMBEDDED, OVER_HTTP, SERVICE

WRITERS = 3
LARGE_BYTES = 9_000_000  # two parts of an upload
LOG = ("log", "data", "--name", "data")
GRACE = {EMBEDDED: "0s", SERVICE: "1s", OVER_HTTP: "30s"}


def fill(folder: Path, seed: str) -> None:
    folder.mkdir()
    for i in range(2):
        (folder / f"large-{i}.bin").write_bytes(content(f"{seed}/large/{i}", LARGE_BYTES))
    for i in range(100):
        (folder / f"small-{i}.bin").write_bytes(content(f"{seed}/small/{i}", 10_000))


def test_writers_lose_nothing_to_a_collection_that_runs_all_the_time(shared_workspace: Workspace, mode: str) -> None:
    """A bucket cannot tell who lives, so there it is given the second that a part may take; nor can a server tell who
    will name what was uploaded."""
    names = [f"data-{writer}" for writer in range(WRITERS)]
    for name in names:
        fill(shared_workspace.folder / name, name)
    writers = [shared_workspace.start_command("log", name, "--name", name) for name in names]

    while any(writer.process.poll() is None for writer in writers):
        collect(shared_workspace, grace=GRACE[mode])

    assert sorted(writer.wait().succeeded().out for writer in writers) == [f"team/faults/{name}:v0\n" for name in names]
    seen = inspect_store(shared_workspace.behind().settings(), was_collected=True)
    assert [seen.versions[name][0].files for name in names] == [102] * WRITERS
    collect(shared_workspace)  # what a writer stored again is there twice
    left = collect(shared_workspace, "--dry-run")
    assert [left[name] for name in ("deleted", "bytes_freed", "recent", "recent_bytes")] == [0] * 4


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


# --- content of versions that were deleted ------------------------------------------------------------------------

STEPS = (
    ("purging", "before"),
    ("stamping", "after"),
    ("purging", "after"),
    ("rewriting a pack", "before"),
    ("rewriting a pack", "after"),
    ("condemning", "after"),
    ("looking at all objects", "before"),
    ("deleting what is condemned", "after"),
    ("remembering a collection", "before"),
    ("remembering a collection", "after"),
)


def test_a_collection_that_is_killed_at_any_step_is_completed_by_the_next(workspace: Workspace) -> None:
    """Long, as each step takes several processes."""
    operator = workspace.behind()
    operator.command("project", "--restore-days", "0").succeeded()
    kept: dict[str, dict[str, bytes]] = {}
    for number, (point, moment) in enumerate(STEPS):
        kept[f"data-{number}"] = log_and_prune(workspace, f"data-{number}")

        killed = operator.command("gc", "--grace", "0s", at_point=(point, moment, "1", "KILL"))
        collect(workspace)

        assert killed.code == -signal.SIGKILL, (point, moment)
        check_collected(workspace, kept)
    assert collect(workspace, "--dry-run")["deleted"] == 0


def test_two_collections_at_once_do_no_harm(shared_workspace: Workspace) -> None:
    workspace = shared_workspace
    workspace.behind().command("project", "--restore-days", "0").succeeded()
    kept = {name: log_and_prune(workspace, name) for name in ("one", "two", "three")}

    both = [workspace.behind().start_command("gc", "--grace", "0s") for _ in range(2)]
    for one in both:
        one.wait().succeeded()
    collect(workspace)

    check_collected(workspace, kept)
