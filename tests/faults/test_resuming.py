"""What was staged whole when somebody pressed Ctrl-C is not stored again by the same command, in each way to run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_blobs.port import PACK_BYTES_MAX

from tests.faults.processes import Ended, Workspace, content
from tests.faults.stores import inspect_store, opened
from tests.support.modes import EMBEDDED

SMALL_FILES, SMALL_BYTES = 20, 1_000_000  # more than a pack
LARGE_FILES, LARGE_BYTES = 8, 2_000_000
ALL_BYTES = SMALL_FILES * SMALL_BYTES + LARGE_FILES * LARGE_BYTES
LOG = ("log", "data", "--name", "data")
INTERRUPT = ("ingesting a large file", "before", "6", "INT")  # of two threads or four, the others have begun


# Through a server nothing is staged on this machine: what was uploaded is in the store, so that a writer that goes on
# uploads again what no version has.
kept_where_it_was_staged = pytest.mark.on_stores


@pytest.fixture
def filled(shared_workspace: Workspace) -> Workspace:
    folder = shared_workspace.folder / "data"
    folder.mkdir()
    for kind, count, size in (("small", SMALL_FILES, SMALL_BYTES), ("large", LARGE_FILES, LARGE_BYTES)):
        for i in range(count):
            (folder / f"{kind}-{i}.bin").write_bytes(content(f"{kind}/{i}", size))
    return shared_workspace


def interrupted(workspace: Workspace) -> Ended:
    ended = workspace.command(*LOG, at_point=INTERRUPT)
    assert ended.code == 130, ended
    assert "run the command again to continue" in ended.err
    return ended


def files_in(folder: Path) -> Iterator[tuple[int, int]]:
    """The inode and size of each staged file, or object."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            yield path.stat().st_ino, path.stat().st_size


def content_in(workspace: Workspace, mode: str) -> dict[str, int]:
    """All staged files and objects by inode, of a folder; all objects by name, of a bucket; and their sizes."""
    if mode == EMBEDDED:
        folders = [workspace.store / "blobs" / name for name in ("staging", "objects")]
        return {str(inode): size for folder in folders for inode, size in files_in(folder)}
    with opened(workspace.behind().settings()) as stores:
        return {found.name: found.size for found in stores.blobs.list_objects()}


@kept_where_it_was_staged
def test_the_command_goes_on_from_what_was_staged_whole(filled: Workspace, mode: str) -> None:
    interrupted(filled)
    before = content_in(filled, mode)
    assert PACK_BYTES_MAX <= sum(before.values()) < ALL_BYTES
    assert LARGE_BYTES in before.values()

    assert filled.command(*LOG).succeeded().out == "team/faults/data:v0\n"

    after = content_in(filled, mode)
    assert before.items() <= after.items(), "what was staged is what the version has"
    assert sum(after.values()) == ALL_BYTES, "nothing is stored twice"
    assert inspect_store(filled.behind().settings()).versions["data"][0].files == SMALL_FILES + LARGE_FILES


def test_a_command_that_is_interrupted_again_and_again_comes_to_its_end(filled: Workspace, mode: str) -> None:
    interrupted(filled)
    interrupted(filled)

    filled.command(*LOG).succeeded()

    assert filled.is_served or sum(content_in(filled, mode).values()) == ALL_BYTES, "nothing is stored twice"
    assert inspect_store(filled.behind().settings()).numbers("data") == 1


@kept_where_it_was_staged
def test_what_was_collected_meanwhile_is_stored_again(filled: Workspace, mode: str) -> None:
    interrupted(filled)
    staged = sum(content_in(filled, mode).values())
    told = json.loads(filled.command("gc", "--grace", "0s", "--json").succeeded().out)
    assert told["bytes_freed"] == staged  # in a bucket, where these are objects already, as what nothing names

    filled.command(*LOG).succeeded()

    assert sum(content_in(filled, mode).values()) == ALL_BYTES
    assert inspect_store(filled.behind().settings()).versions["data"][0].files == SMALL_FILES + LARGE_FILES


@kept_where_it_was_staged
def test_a_script_without_a_run_goes_on_too(filled: Workspace, mode: str) -> None:
    script = """
        import headwater
        data = headwater.Artifact("data", "dataset")
        data.add_dir("data")
        data.save()
    """
    assert "KeyboardInterrupt" in filled.run(script, at_point=INTERRUPT).err
    before = content_in(filled, mode)
    assert sum(before.values()) >= PACK_BYTES_MAX

    filled.run(script).succeeded()

    assert before.items() <= content_in(filled, mode).items()
    assert sum(content_in(filled, mode).values()) == ALL_BYTES


@kept_where_it_was_staged
def test_a_script_that_fails_after_it_has_added_goes_on_too(filled: Workspace, mode: str) -> None:
    script = """
        import sys
        import headwater
        data = headwater.Artifact("data", "dataset")
        data.add_dir("data")
        if sys.argv[1:]:
            raise KeyboardInterrupt
        data.save()
    """
    assert "KeyboardInterrupt" in filled.run(script, "interrupted").err
    before = content_in(filled, mode)
    assert sum(before.values()) >= PACK_BYTES_MAX + LARGE_FILES * LARGE_BYTES

    filled.run(script).succeeded()

    assert before.items() <= content_in(filled, mode).items()
    assert sum(content_in(filled, mode).values()) == ALL_BYTES
