"""The drills of docs/storage.md for a folder: its log, its database or both are lost while processes write."""

import json
import os
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.survivors import projected_offsets
from headwater_consumer.database import Database
from headwater_stores.projection_files import projection_file

from tests.faults.processes import HEADWATER, ROOT, WAIT_S, Started, Workspace
from tests.faults.stores import StoreState, inspect_store

WRITE = """
    import sys
    import headwater

    with headwater.init(id=sys.argv[1]) as run:
        for i in range(10_000):
            artifact = headwater.Artifact(sys.argv[1], "dataset")
            with artifact.new_file("i.txt") as file:
                file.write(str(i))
            run.log_artifact(artifact).wait()
            print(artifact.version, flush=True)
"""
VERSIONS = 5  # of each writer that are acknowledged between two steps
WRITERS = ("one", "two")


def acknowledged(writers: list[Started]) -> None:
    for writer in writers:
        for _ in range(VERSIONS):
            writer.read_line()


def end(writers: list[Started]) -> None:
    for writer in writers:
        writer.process.kill()
        writer.wait()


def archived(workspace: Workspace) -> StoreState:
    """What a store was when it was archived, while nobody wrote."""
    writers = [workspace.start(WRITE, f"{name}-before") for name in WRITERS]
    acknowledged(writers)
    end(writers)
    found = inspect_store(workspace.settings())
    workspace.command("archive", "archive").succeeded()
    return found


@pytest.mark.parametrize("lost", ["projection", "log", "both"])
def test_what_was_archived_is_all_there_and_what_is_missing_is_named(lost: str, workspace: Workspace) -> None:
    before = archived(workspace)
    writers = [workspace.start(WRITE, name) for name in WRITERS]
    acknowledged(writers)
    workspace.command("ls").succeeded()  # which projects what was written
    end(writers)
    whole = inspect_store(workspace.settings()) if lost == "projection" else before
    missing = missing_in(workspace)

    for name in ("projection", "log") if lost == "both" else (lost,):
        shutil.rmtree(workspace.store / name)
    if lost != "projection":
        report = json.loads(workspace.command("restore-log", "archive", "--json").succeeded().out)
        assert report["missing"] == ([missing] if lost == "log" else [])

    assert inspect_store(workspace.settings()) == whole
    assert list(workspace.store.glob("projection-before-*")) == [] or lost == "log"
    writers = [workspace.start(WRITE, f"{name}-after") for name in WRITERS]
    acknowledged(writers)
    end(writers)
    inspect_store(workspace.settings())


def missing_in(workspace: Workspace) -> dict[str, int]:
    """What the projection knows and the archive lacks, as whoever looks at both finds it."""
    archive = ArchivedLog.open(Archive.open(FolderPlace(Path(workspace.folder, "archive")), create=False), None)
    with closing(Database.open_sqlite(projection_file(workspace.store), create=False, read_only=True)) as database:
        projected = projected_offsets(database, archive.generation)[0]
    assert projected > archive.end(0)
    return {"partition": 0, "archived": archive.end(0), "projected": projected}


def test_the_page_can_be_followed_literally(workspace: Workspace) -> None:
    page = (ROOT / "docs" / "storage.md").read_text("utf-8")
    found = re.search(r"### A folder\n.*?```\n(.*?)```", page, re.DOTALL)
    assert found is not None
    workspace.fill("data", files=3)
    workspace.command("log", "data", "--name", "data").succeeded()
    before = inspect_store(workspace.settings())

    path = os.pathsep.join((str(HEADWATER.parent), os.environ["PATH"]))
    settings = {**os.environ, **workspace.settings(), "STORE": str(workspace.store), "PATH": path}
    script = ["bash", "-e", "-c", found[1]]
    done = subprocess.run(script, cwd=workspace.folder, env=settings, capture_output=True, text=True, timeout=WAIT_S)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "The two are the same."
    assert inspect_store(workspace.settings()) == before
