"""Beside `headwater gc`, which deletes objects and rewrites packs: a replay, in every step of it, and a download."""

import json
from typing import Any

import pytest

from tests.faults.processes import Started, Workspace, content
from tests.faults.pruned_stores import check_collected, collect, log_and_prune

FILES, FILE_BYTES = 20, 1_000_000  # in two packs

replays = pytest.mark.on_stores  # through a server, nothing is replayed or collected


def pruned(workspace: Workspace) -> dict[str, dict[str, bytes]]:
    """With an object and most of a pack to be deleted; the files of the version that stays."""
    workspace.command("project", "--restore-days", "0").succeeded()
    return {"data": log_and_prune(workspace, "data")}


def replayed(workspace: Workspace, *options: str) -> Any:
    """What a replay reports, after which the projection in use is what the log says."""
    return json.loads(workspace.command("replay", "--json", *options).succeeded().out)


def paused(workspace: Workspace, *command: str, at: str, number: str = "1") -> Started:
    """A command that is stopped before this point."""
    started = workspace.start_command(*command, at_point=(at, "before", number, "PAUSE"))
    assert started.read_line() == "stopped"
    return started


def report_of(command: Started) -> Any:
    """What a command reports that went on."""
    command.resume()
    return json.loads(command.wait().succeeded().out)


@replays
@pytest.mark.parametrize("point", ["replaying", "comparing projections"])
def test_a_replay_beside_which_all_was_collected_finds_what_it_would_have_found(
    point: str, shared_workspace: Workspace
) -> None:
    kept = pruned(shared_workspace)
    before = replayed(shared_workspace)
    replay = paused(shared_workspace, "replay", "--json", at=point)

    collected = collect(shared_workspace)
    found = report_of(replay)

    assert found == before, "of the same events"
    assert (collected["purged"], collected["kinds"]["rewritten_packs"]["objects"]) == (1, 1)
    after = replayed(shared_workspace)
    assert after["records"] > before["records"]
    check_collected(shared_workspace, kept)


@replays
def test_a_projection_that_was_replayed_before_a_collection_and_takes_its_place_after_it_catches_up(
    shared_workspace: Workspace,
) -> None:
    kept = pruned(shared_workspace)
    replay = paused(shared_workspace, "replay", "--replace", "--json", at="replacing the projection")

    collected = collect(shared_workspace)
    expected = replayed(shared_workspace)
    found = report_of(replay)

    assert found["records"] < expected["records"]
    assert collect(shared_workspace) == {**collected, **dict.fromkeys(("deleted", "bytes_freed", "purged"), 0), **EMPTY}
    assert replayed(shared_workspace) == expected
    check_collected(shared_workspace, kept)


NOTHING = {"objects": 0, "bytes": 0}
KINDS = ("deleted_versions", "rewritten_packs", "unnamed_objects", "staged")
EMPTY: dict[str, Any] = {"kinds": dict.fromkeys(KINDS, NOTHING), "collections": {}}


@replays
@pytest.mark.parametrize("point", ["condemning", "looking at all objects", "deleting what is condemned"])
def test_a_collection_beside_which_the_projection_was_replaced_deletes_nothing_that_is_needed(
    point: str, shared_workspace: Workspace
) -> None:
    kept = pruned(shared_workspace)
    collection = paused(shared_workspace, "gc", "--grace", "0s", "--json", at=point)

    assert replayed(shared_workspace, "--replace")["replaced"] is True
    kept["more"] = log_and_prune(shared_workspace, "more")
    report_of(collection)

    collect(shared_workspace)
    assert replayed(shared_workspace)["same"] is True
    check_collected(shared_workspace, kept)


def test_a_download_goes_on_where_a_collection_deleted_the_pack_that_it_was_reading(
    shared_workspace: Workspace,
) -> None:
    folder = shared_workspace.fill("data", files=FILES, size=FILE_BYTES)
    shared_workspace.command("log", "data", "--name", "data").succeeded()
    for file in sorted(folder.iterdir())[::2]:
        file.unlink()
    shared_workspace.command("log", "data", "--name", "data").succeeded()
    shared_workspace.behind().command("project", "--restore-days", "0").succeeded()
    shared_workspace.command("rm", "data:v0").succeeded()
    reader = paused(shared_workspace, "get", "data:v1", "got", at="fetching", number="2")

    collected = collect(shared_workspace)
    reader.resume()
    reader.wait().succeeded()

    assert collected["kinds"]["rewritten_packs"]["objects"] > 0
    got = shared_workspace.folder / "got"
    assert {file.name: file.read_bytes() for file in got.iterdir()} == {
        f"{i:05}.bin": content(f"0/{i}", FILE_BYTES) for i in range(1, FILES, 2)
    }
