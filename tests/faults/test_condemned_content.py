"""Content that a writer found stored is condemned and deleted before the writer's events are on the log.

The writer is a real process that is stopped in between, for longer than any grace. Its user notices nothing.
"""

import re
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
from headwater_schemas.object_names import attempt_of

from tests.faults.collections import collect_all
from tests.faults.processes import NAMESPACE, Ended, Started, Workspace, content
from tests.faults.stores import contents_of, opened, read_back
from tests.support.modes import OVER_HTTP

LARGE_BYTES = 2_000_000  # an object by itself
TOLD = "headwater: faults/new:v0, 2 of 2 files new, 2.0 MB stored\n"  # as always

LOG_AND_DELETE = """
    import headwater

    with headwater.init() as run:
        old = run.log_artifact("data", name="old").wait()
    old.delete(delete_aliases=True)
"""
ADD_DIR = """
    import headwater

    with headwater.init() as run:
        data = headwater.Artifact("new", "dataset")
        data.add_dir("data")
        run.log_artifact(data)
"""
WRITE = """
    import headwater

    with headwater.init() as run:
        data = headwater.Artifact("new", "dataset")
        for name, size in (("small", 1_000), ("large", 2_000_000)):
            with data.new_file(name, "wb") as file:
                file.write(open(f"data/{name}", "rb").read())
        run.log_artifact(data)
"""
UPSERT = """
    import sys, headwater

    with headwater.init(id=sys.argv[1]) as run:
        data = headwater.Artifact("new", "dataset")
        data.add_file(f"data/{sys.argv[1]}")
        run.upsert_artifact(data, distributed_id="parts")
"""
FINISH = """
    import headwater

    with headwater.init() as run:
        run.finish_artifact(headwater.Artifact("new", "dataset"), distributed_id="parts").wait()
"""
# Files count as unchanged from the first moment, wherever they are.
TRUSTING = """
from headwater._ingest import trust

trust.TRUSTED_AGE_NS, trust.SILENT_FILE_SYSTEMS = -1 << 62, frozenset()
"""


def fill(workspace: Workspace) -> Path:
    folder = workspace.folder / "data"
    folder.mkdir()
    (folder / "small").write_bytes(content("small", 1_000))
    (folder / "large").write_bytes(content("large", LARGE_BYTES))
    return folder


def log_and_delete(workspace: Workspace) -> None:
    """The same content as a version that is deleted by the time that it is collected."""
    workspace.run(LOG_AND_DELETE).succeeded()


def objects_of(workspace: Workspace, name: str) -> set[str]:
    """The objects of v0, the only version, after reading all of it."""
    with opened(workspace.behind().settings()) as stores:
        (info,) = stores.reads.version_infos(f"{NAMESPACE}/{name}")
        contents = list(contents_of(stores.database, info))
        read_back(stores, contents)
        return {place.object_name for place, _ in contents}


def paused(workspace: Workspace, script: str, *arguments: str, moment: str = "after") -> Started:
    """A writer that is stopped when it publishes its content."""
    writer = workspace.start(script, *arguments, at_point=("publishing", moment, "1", "PAUSE"))
    assert writer.read_line() == "stopped"
    return writer


def goes_on(writer: Started) -> Ended:
    writer.resume()
    return writer.wait().succeeded()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_files_that_were_found_stored_are_read_again(shared_workspace: Workspace, mode: str, moment: str) -> None:
    fill(shared_workspace)
    log_and_delete(shared_workspace)
    writer = paused(shared_workspace, ADD_DIR, moment=moment)
    gone = collect_all(shared_workspace)

    ended = goes_on(writer)

    assert ended.err == TOLD
    assert shared_workspace.command("drafts", "--json").succeeded().out == "[]\n"
    objects = objects_of(shared_workspace, "new")
    assert objects.isdisjoint(gone)
    if mode != OVER_HTTP:  # a server does not name objects by their content
        assert [attempt_of(name) for name in sorted(objects)] == [1, None]


@pytest.mark.parametrize("deletes", [True, False], ids=["deleted", "condemned"])
def test_files_that_the_writer_itself_stored_are_stored_again(
    shared_workspace: Workspace, mode: str, deletes: bool
) -> None:
    fill(shared_workspace)
    writer = paused(shared_workspace, ADD_DIR)
    gone = collect_all(shared_workspace, deletes=deletes)
    assert mode == OVER_HTTP or len(gone) == 2

    assert goes_on(writer).err == TOLD

    assert objects_of(shared_workspace, "new").isdisjoint(gone)


def test_what_was_written_for_the_version_and_is_in_no_file_is_stored_again(shared_workspace: Workspace) -> None:
    folder = fill(shared_workspace)
    log_and_delete(shared_workspace)
    writer = paused(shared_workspace, WRITE)
    gone = collect_all(shared_workspace)
    shutil.rmtree(folder)

    assert goes_on(writer).err == TOLD

    assert objects_of(shared_workspace, "new").isdisjoint(gone)


def test_files_that_were_not_even_read_since_they_are_unchanged_are_read_now(workspace: Workspace) -> None:
    folder = fill(workspace)
    script = TRUSTING + dedent(ADD_DIR)
    workspace.run(script).succeeded()
    workspace.run('import headwater; headwater.Api().artifact("new:v0").delete(delete_aliases=True)').succeeded()
    for name in folder.iterdir():
        name.chmod(0o444)
    writer = paused(workspace, script)
    gone = collect_all(workspace)

    assert goes_on(writer).out == ""

    with opened(workspace.settings()) as stores:
        (info,) = stores.reads.version_infos(f"{NAMESPACE}/new")
        contents = list(contents_of(stores.database, info))
        read_back(stores, contents)
    assert info.version == 1
    assert gone.isdisjoint(place.object_name for place, _ in contents)


def test_both_writers_of_a_shared_draft_send_again_what_was_condemned(shared_workspace: Workspace) -> None:
    fill(shared_workspace)
    log_and_delete(shared_workspace)
    writers = [paused(shared_workspace, UPSERT, name) for name in ("small", "large")]
    gone = collect_all(shared_workspace)

    for writer in writers:
        goes_on(writer)
    shared_workspace.run(FINISH).succeeded()

    assert objects_of(shared_workspace, "new").isdisjoint(gone)
    with opened(shared_workspace.behind().settings()) as stores:
        assert [info.entry_count for info in stores.reads.version_infos(f"{NAMESPACE}/new")] == [2]


def test_files_that_are_gone_are_copied_from_condemned_objects_while_those_are_there(
    shared_workspace: Workspace, mode: str
) -> None:
    folder = fill(shared_workspace)
    log_and_delete(shared_workspace)
    writer = paused(shared_workspace, ADD_DIR)
    gone = collect_all(shared_workspace, deletes=False)
    shutil.rmtree(folder)

    if mode == OVER_HTTP:  # a server gives nobody what no version has
        writer.resume()
        assert writer.wait().code == 1
        return
    assert goes_on(writer).err == TOLD
    assert objects_of(shared_workspace, "new").isdisjoint(gone)


def test_what_is_nowhere_any_more_is_named_and_nothing_is_half_visible(shared_workspace: Workspace) -> None:
    folder = fill(shared_workspace)
    log_and_delete(shared_workspace)
    writer = paused(shared_workspace, ADD_DIR)
    collect_all(shared_workspace)
    (folder / "large").write_bytes(content("other", LARGE_BYTES))

    writer.resume()
    ended = writer.wait()

    assert ended.code == 1
    *_, line = ended.err.strip().splitlines()
    assert re.search(r"'large' cannot be logged to team/faults/new: content \S+ is not stored .* Add it again", line)
    with opened(shared_workspace.behind().settings()) as stores:
        assert stores.reads.version_infos(f"{NAMESPACE}/new") == []
