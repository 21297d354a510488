"""On a disk that is really full, deleted content comes free: packs are written anew within the reserve, what says how
much is kept is taken, and a server takes it from its clients.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from headwater_stores.reserve import RESERVE

from tests.faults.processes import Workspace
from tests.support.disks import can_mount, filled, small_disk
from tests.support.server_host import served

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs a small disk of its own")

DISK_BYTES = 10 * 1024 * 1024
FILES, KEPT = 20, 5
FILE_BYTES = 20_000  # a quarter of a pack is kept, which the reserve has room for
LARGE_FILE_BYTES = 290_000  # a quarter of a pack is more than the reserve
GC = ("gc", "--grace", "0s", "--json")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """With a store on a small disk."""
    workspace = Workspace.in_folder(tmp_path)
    with small_disk(DISK_BYTES) as disk:
        workspace.store = disk / "store"
        yield workspace


@contextmanager
def full(workspace: Workspace, *, room_bytes: int = 0) -> Iterator[None]:
    """A while in which the disk is full; what is freed meanwhile is free."""
    with filled(workspace.store.parent, leave_bytes=room_bytes):
        yield


def log(workspace: Workspace, size: int = FILE_BYTES) -> dict[str, bytes]:
    """Two versions, of which the second has a quarter of the first one's pack; the files of the second."""
    folder = workspace.fill("data", files=FILES, size=size)
    workspace.command("log", "data", "--name", "data").succeeded()
    for file in sorted(folder.iterdir())[KEPT:]:
        file.unlink()
    workspace.command("log", "data", "--name", "data").succeeded()
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def asked(workspace: Workspace, *arguments: str) -> Any:
    return json.loads(workspace.command(*arguments).succeeded().out)


def free_bytes(workspace: Workspace) -> int:
    room = os.statvfs(workspace.store)
    return room.f_bavail * room.f_frsize


def reserved(workspace: Workspace) -> int:
    return (workspace.store / RESERVE).stat().st_blocks * 512


def check_kept(workspace: Workspace, kept: dict[str, bytes]) -> None:
    workspace.command("get", "data:v1", "got").succeeded()
    assert {file.name: file.read_bytes() for file in (workspace.folder / "got").iterdir()} == kept
    told = asked(workspace, "doctor", "--verify", "--json")
    assert {one["state"] for one in told if one["check"] == "stored content"} == {"ok"}


def test_a_pack_is_written_anew_and_what_is_dead_of_it_comes_free(workspace: Workspace) -> None:
    kept = log(workspace)
    reserve = reserved(workspace)

    with full(workspace):
        workspace.command("project", "--restore-days", "0").succeeded()
        workspace.command("rm", "data:v0").succeeded()
        collected = asked(workspace, *GC)

        dead = (FILES - KEPT) * FILE_BYTES
        assert collected["kinds"]["rewritten_packs"] == {"objects": 1, "bytes": dead}
        assert free_bytes(workspace) + reserved(workspace) - reserve > dead // 2, "the rest went to the databases"
        assert asked(workspace, *GC)["deleted"] == 0
    check_kept(workspace, kept)


def test_a_pack_that_the_reserve_has_no_room_for_stays_and_is_written_anew_once_there_is_room(
    workspace: Workspace,
) -> None:
    kept = log(workspace, LARGE_FILE_BYTES)
    assert reserved(workspace) < KEPT * LARGE_FILE_BYTES

    with full(workspace):
        workspace.command("project", "--restore-days", "0").succeeded()
        workspace.command("rm", "data:v0").succeeded()
        stays = workspace.command("gc", "--grace", "0s").succeeded()
        assert "1 pack not written anew: the disk has no room for that." in stays.out
        assert asked(workspace, *GC)["packs_left"] == 1
    collected = asked(workspace, *GC)

    dead = (FILES - KEPT) * LARGE_FILE_BYTES
    assert (collected["packs_left"], collected["bytes_freed"]) == (0, dead)
    check_kept(workspace, kept)


def test_what_says_which_versions_and_drafts_are_kept_can_be_changed(workspace: Workspace) -> None:
    log(workspace)
    workspace.command("log", "data", "--name", "data", "--distributed-id", "open").succeeded()

    with full(workspace):
        workspace.command("project", "--restore-days", "0", "--draft-idle-days", "1").succeeded()
        workspace.command("retention", "set", "--keep-last", "2").succeeded()
        workspace.command("retention", "set", "data", "--keep-last", "1").succeeded()
        workspace.command("drafts", "--discard", "open").succeeded()
        deleted = asked(workspace, "maintain", "--yes", "--json")["versions_deleted"]
        assert asked(workspace, *GC)["kinds"]["rewritten_packs"]["objects"] == 1
        workspace.command("retention", "remove", "data").succeeded()

    assert [one["version"] for one in deleted] == ["team/faults/data:v0"]
    assert asked(workspace, "drafts", "--json") == []


@pytest.mark.parametrize("room_bytes", [0, 32_768, 262_144], ids="{} bytes left".format)
def test_a_server_deletes_for_its_clients_and_refuses_their_content(workspace: Workspace, room_bytes: int) -> None:
    kept = log(workspace)
    workspace.command("log", "data", "--name", "data", "--distributed-id", "open").succeeded()
    reserve = reserved(workspace)
    workspace.fill("more", files=1, size=2_000_000)

    with served(workspace.store) as url:
        client = replace(workspace, environment={"HEADWATER_URL": url}, is_served=True)
        client.command("ls").succeeded()
        with full(workspace, room_bytes=room_bytes):
            writer = client.start_command("log", "more", "--name", "more")
            client.command("project", "--restore-days", "0").succeeded()
            client.command("drafts", "--discard", "open").succeeded()
            client.command("rm", "data:v0").succeeded()
            assert asked(workspace, *GC)["kinds"]["rewritten_packs"]["objects"] == 1
            assert [one["artifact"] for one in asked(workspace, "ls", "--json")] == ["team/faults/data"]
        writer.wait()
    workspace.command("maintain").succeeded()
    assert reserved(workspace) >= reserve
    check_kept(workspace, kept)
    assert asked(workspace, "drafts", "--json") == []
    assert [one["artifact"] for one in asked(workspace, "ls", "data", "--json")] == ["team/faults/data:v1"]
