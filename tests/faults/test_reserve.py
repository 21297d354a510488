"""On a disk that is really full, what frees room works all the same, by what the store keeps in reserve for it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import PACK_BYTES_MAX
from headwater_stores import reserve
from headwater_stores.reserve import RESERVE, RESERVE_BYTES, RESERVE_BYTES_MIN, make_reserve, reserve_released

from tests.faults.processes import Workspace, content
from tests.support.disks import can_mount, filled, small_disk

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs a small disk of its own")

DISK_BYTES = 8 * 1024 * 1024
VERSIONS = 4


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A store on a small disk, with some versions and what a killed writer left."""
    workspace = Workspace.in_folder(tmp_path)
    with small_disk(DISK_BYTES) as disk:
        workspace.store = disk / "store"
        for n in range(VERSIONS):
            folder = workspace.fill(f"data-{n}", files=3, seed=n)
            (folder / "large.bin").write_bytes(content(str(n), 100_000))
            workspace.command("log", f"data-{n}", "--name", "data").succeeded()
        with FolderBlobStore.open(workspace.store / "blobs")._new_staged(0) as (_, target):
            os.write(target, bytes(100_000))
        yield workspace


@contextmanager
def full(workspace: Workspace) -> Iterator[None]:
    """A while in which the disk has no room at all; what is freed meanwhile is free."""
    with filled(workspace.store.parent):
        yield


def reserved(workspace: Workspace) -> int:
    """Bytes that are really allocated."""
    return (workspace.store / RESERVE).stat().st_blocks * 512


def refuses_writers(workspace: Workspace) -> bool:
    large = workspace.fill("more", files=1, seed=99)
    (large / "large.bin").write_bytes(content("more", 2_000_000))
    ended = workspace.command("log", "more", "--name", "more")
    return ended.code == 1 and "full" in ended.err


def test_a_store_has_its_reserve_from_the_beginning(workspace: Workspace) -> None:
    assert RESERVE_BYTES_MIN <= reserved(workspace) <= DISK_BYTES // 8


def test_the_reserve_is_enough_to_write_a_pack_anew(tmp_path: Path) -> None:
    (tmp_path / "headwater.json").write_text("{}")

    make_reserve(tmp_path)

    assert (tmp_path / RESERVE).stat().st_size == RESERVE_BYTES > PACK_BYTES_MAX


def test_versions_are_deleted_and_room_is_freed_where_writers_find_none(workspace: Workspace) -> None:
    before = reserved(workspace)
    with full(workspace):
        assert refuses_writers(workspace)

        workspace.command("rm", "data:v0").succeeded()
        workspace.command("prune", "data", "--keep", "1").succeeded()
        workspace.command("maintain").succeeded()
        freed = json.loads(workspace.command("gc", "--grace", "0s", "--json").succeeded().out)

        assert freed["deleted"] > 0
        assert reserved(workspace) >= before // 2
    workspace.command("maintain").succeeded()
    assert reserved(workspace) >= before
    assert len(json.loads(workspace.command("ls", "data", "--json").succeeded().out)) == 1


def test_who_is_killed_while_it_has_the_reserve_leaves_it_to_the_next(workspace: Workspace) -> None:
    before = reserved(workspace)
    with full(workspace):
        workspace.command("rm", "data:v0", at_point=("appending", "before", "1", "KILL"))
        assert reserved(workspace) == 0

        workspace.command("rm", "data:v0").succeeded()

        assert reserved(workspace) >= before // 2


def test_who_is_done_first_leaves_the_room_to_the_others_and_the_last_allocates_it_again(workspace: Workspace) -> None:
    before = reserved(workspace)
    with reserve_released(workspace.store):
        with reserve_released(workspace.store):
            assert reserved(workspace) == 0
        assert reserved(workspace) == 0

    assert reserved(workspace) == before


def test_nothing_is_made_where_there_is_no_store_or_hardly_any_room(tmp_path: Path) -> None:
    with reserve_released(tmp_path):
        pass
    with small_disk(reserve.RESERVE_BYTES_MIN * 4) as disk:
        (disk / "headwater.json").write_text("{}")
        make_reserve(disk)

        assert (disk / RESERVE).stat().st_size == 0
    assert list(tmp_path.iterdir()) == []
