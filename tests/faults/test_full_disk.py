"""A full disk: an error that names the folder, what was there stays, and with room again the same thing succeeds."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.processes import Ended, Workspace, content
from tests.faults.stores import inspect_store, opened
from tests.support.disks import can_mount, filled, small_disk

DISK_BYTES = 16 * 1024 * 1024
ROOM_BYTES = 256 * 1024  # left on the "full" disk: some things fit, what is tried does not
LARGE_BYTES = 2 * 1024 * 1024

LOG_LARGE = ("log", "large", "--name", "large")


@pytest.fixture(params=["full", "nearly full"])
def room_bytes(request: pytest.FixtureRequest) -> int:
    """How much a full disk still takes."""
    return 0 if request.param == "full" else ROOM_BYTES


@pytest.fixture
def disk_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose store is on a disk that can be filled, with a first version in it."""
    with ExitStack() as stack:
        workspace = Workspace.in_folder(tmp_path)
        if can_mount():
            workspace.store = stack.enter_context(small_disk(DISK_BYTES)) / "store"
        first = workspace.fill("first", files=5)
        (first / "large.bin").write_bytes(content("first", LARGE_BYTES))
        workspace.command("log", "first", "--name", "first").succeeded()
        large = workspace.fill("large", files=5, seed=1)
        (large / "large.bin").write_bytes(content("large", LARGE_BYTES))
        yield workspace


@contextmanager
def full(workspace: Workspace, *, room_bytes: int = 0) -> Iterator[None]:
    """A while in which the store's disk takes no more. Without mounting nothing is taken at all."""
    if can_mount():
        with filled(workspace.store.parent, leave_bytes=room_bytes):
            yield
        return
    workspace.refused = workspace.store
    yield
    workspace.refused = None


def assert_says_that_it_is_full(ended: Ended, workspace: Workspace) -> None:
    assert ended.code == 1, ended
    assert "full" in ended.err
    assert str(workspace.store) in ended.err
    assert "Traceback" not in ended.err


def test_logging_on_a_full_disk_names_the_folder_and_succeeds_once_there_is_room(
    disk_workspace: Workspace, room_bytes: int
) -> None:
    before = inspect_store(disk_workspace.store).versions

    with full(disk_workspace, room_bytes=room_bytes):
        refused = disk_workspace.command(*LOG_LARGE)

    assert_says_that_it_is_full(refused, disk_workspace)
    assert inspect_store(disk_workspace.store).versions == before
    assert disk_workspace.command(*LOG_LARGE).succeeded().out == "team/faults/large:v0\n"
    assert inspect_store(disk_workspace.store).numbers("large") == 1


def test_on_a_full_disk_everything_can_be_read(disk_workspace: Workspace) -> None:
    with full(disk_workspace, room_bytes=ROOM_BYTES):  # readers of a write-ahead log share a small file about it
        disk_workspace.command("get", "first", "out").succeeded()
        listed = disk_workspace.command("ls").succeeded()

    assert "first" in listed.out
    assert (disk_workspace.folder / "out" / "large.bin").read_bytes() == content("first", LARGE_BYTES)


# Fills the disk from within, at the point that is meant, and makes room again.
FILLING = """
    import os, sys
    from contextlib import suppress
    import headwater
    from headwater_producer import producer
    from headwater_runtime.retries import Backoff
    producer.APPEND_BACKOFF = Backoff(pause_s_min=0.05, pause_s_max=5.0, attempts_max=2)  # no room comes by itself
    where, point = sys.argv[1], sys.argv[2]
    filler = os.path.join(os.path.dirname(where), "filler")

    def fill():
        room = os.statvfs(os.path.dirname(where))
        with suppress(OSError), open(filler, "wb") as file:  # others may have taken some of it meanwhile
            file.write(bytes(room.f_bavail * room.f_frsize))

    run = headwater.init(id="r")
    while run._writer.client.queue.busy:
        pass
    artifact = headwater.Artifact("second", "dataset")
    artifact.add_dir("large")
    if point == "appending":  # the bytes are there; what is about them does not fit
        from headwater_eventlog.embedded import EmbeddedEventLog as owner
        name = "append"
    else:
        from headwater_consumer.writing.runner import Projector as owner
        name = "project_after"
    plain = getattr(owner, name)
    def at_the_point(*arguments, **options):
        if not os.path.exists(filler):
            fill()
        return plain(*arguments, **options)
    setattr(owner, name, at_the_point)
    run.log_artifact(artifact)
    for i in range(40):  # so much that it does not fit into what the files have already
        more = headwater.Artifact(f"more-{i}", "dataset", metadata={"text": "x" * 2000})
        more.add_file("large/00000.bin")
        run.log_artifact(more)
    try:
        artifact.wait()
    except headwater.errors.StoreUnavailable as error:
        print(error)
    else:
        raise AssertionError("it was not full")
    setattr(owner, name, plain)
    os.unlink(filler)
    assert artifact.wait().version == "v0"
    run.finish()
"""


@pytest.mark.parametrize("point", ["appending", "projecting"])
def test_a_disk_that_fills_while_events_are_written_is_said_and_with_room_the_same_artifact_is_logged(
    disk_workspace: Workspace, point: str
) -> None:
    if not can_mount():
        assert_the_refusal_comes_from_the_folder(disk_workspace, point)
        return

    told = disk_workspace.run(FILLING, str(disk_workspace.store), point).succeeded().out

    assert "full" in told
    assert str(disk_workspace.store / {"appending": "log", "projecting": "projection"}[point]) in told
    seen = inspect_store(disk_workspace.store)
    assert seen.numbers("second") == 1
    assert seen.runs["r"] == "finished"


def assert_the_refusal_comes_from_the_folder(workspace: Workspace, point: str) -> None:
    """Where nothing can be mounted: only this folder of the store takes no more."""
    folder = workspace.store / {"appending": "log", "projecting": "projection"}[point]
    workspace.refused = folder
    refused = workspace.command(*LOG_LARGE)
    workspace.refused = None

    assert refused.code == 1
    assert str(folder) in refused.err
    workspace.command(*LOG_LARGE).succeeded()
    assert inspect_store(workspace.store).numbers("large") == 1


def test_a_disk_too_full_for_a_store_is_said(tmp_path: Path) -> None:
    workspace = Workspace.in_folder(tmp_path)
    workspace.fill("data", files=2)
    with ExitStack() as stack:
        if can_mount():
            workspace.store = stack.enter_context(small_disk(DISK_BYTES)) / "store"
            workspace.store.mkdir()
            with filled(workspace.store.parent):
                refused = workspace.command("log", "data", "--name", "data")
        else:
            workspace.store.mkdir()
            workspace.refused = workspace.store
            refused = workspace.command("log", "data", "--name", "data")
            workspace.refused = None

        assert refused.code == 1, refused
        assert str(workspace.store) in refused.err
        assert "Traceback" not in refused.err
        workspace.command("log", "data", "--name", "data").succeeded()
        assert inspect_store(workspace.store).numbers("data") == 1


def test_a_full_disk_of_the_cache_does_not_matter(tmp_path: Path) -> None:
    workspace = Workspace.in_folder(tmp_path)
    workspace.fill("data", files=20)
    with ExitStack() as stack:
        if can_mount():
            disk = stack.enter_context(small_disk(1024 * 1024))
            workspace.cache = disk / "cache"
            stack.enter_context(filled(disk))
        else:
            workspace.refused = workspace.cache
        logged = workspace.command("log", "data", "--name", "data")
        again = workspace.command("log", "data", "--name", "data")

    assert (logged.succeeded().err, again.succeeded().out) == (
        "headwater: faults/data:v0, 20 of 20 files new, 2.0 kB stored\n",
        "team/faults/data:v0\n",
    )


def test_what_a_full_disk_refused_leaves_no_rubbish(disk_workspace: Workspace) -> None:
    with full(disk_workspace):
        disk_workspace.command(*LOG_LARGE)

    with opened(disk_workspace.store) as stores:
        assert list(stores.blobs.abandoned()) == []
