"""Many processes at one store: no errors, dense numbers, everybody sees what they wrote and nobody sees a half."""

import json
from statistics import median

import pytest

from tests.faults.processes import Started, Workspace
from tests.faults.stores import inspect_store


@pytest.fixture
def workspace(shared_workspace: Workspace) -> Workspace:
    """What is asked here is asked in each way to run."""
    return shared_workspace


WRITERS = 16
COMMITS = 20
STORES_MADE = 8

WRITER = """
    import json, sys, time
    import headwater
    number, commits = int(sys.argv[1]), int(sys.argv[2])
    name = "shared" if number % 2 else f"own-{number}"
    headwater.init(id=f"writer-{number}").finish()
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.monotonic()
    versions = []
    with headwater.init(id=f"writer-{number}") as run:
        for i in range(commits):
            artifact = headwater.Artifact(name, "dataset")
            for part in ("a", "b", "c"):
                with artifact.new_file(f"{part}.txt") as file:
                    file.write(f"{number} {i} {part}")
            run.log_artifact(artifact).wait()
            seen = headwater.Api().artifact(artifact.qualified_name)
            assert seen.digest == artifact.digest, artifact.qualified_name
            versions.append(artifact.version)
    print(json.dumps({"name": name, "versions": versions, "took_s": time.monotonic() - started}))
"""

# Recomputes what it reads, from the rows of the listing.
READER = """
    import os, select, sys
    import headwater
    from headwater._artifact.artifact import stored_version
    from tests.faults.stores import digest_of_listing
    print("ready", flush=True)
    sys.stdin.readline()
    api, looks, seen = headwater.Api(), 0, set()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for name in ("shared:latest", "own-0:latest"):
            try:
                stored = stored_version(api.artifact(name))
                info = stored.info
            except headwater.errors.NotFound:
                continue
            assert digest_of_listing(stored.client.stores.database, info) == info.digest, info
            assert info.entry_count == 3, info
            looks += 1
            seen.add(info.version)
    print(looks, len(seen))
"""


def start_all(processes: list[Started]) -> None:
    for process in processes:
        assert process.read_line() == "ready"
    for process in processes:
        process.send_line("go")


@pytest.mark.slow
def test_sixteen_writers_and_a_reader_at_once_lose_nothing_and_see_nothing_half(workspace: Workspace) -> None:
    workspace.run("import headwater; headwater.init().finish()").succeeded()
    reader = workspace.behind().start(READER)  # reads the tables
    writers = [workspace.start(WRITER, str(number), str(COMMITS)) for number in range(WRITERS)]
    start_all([reader, *writers])

    told = [json.loads(writer.wait().succeeded().out.splitlines()[-1]) for writer in writers]
    reader.send_line("stop")
    looks, versions_seen = map(int, reader.wait().succeeded().out.split())

    shared = [version for one in told if one["name"] == "shared" for version in one["versions"]]
    assert len(set(shared)) == len(shared) == WRITERS // 2 * COMMITS
    seen = inspect_store(workspace.behind().settings())
    assert seen.numbers("shared") == len(shared)
    assert all(seen.numbers(f"own-{number}") == COMMITS for number in range(0, WRITERS, 2))
    assert looks > versions_seen > 1
    report_times([one["took_s"] for one in told], looks)


def report_times(took_s: list[float], looks: int) -> None:
    """Said, not judged: a busy machine is no fault."""
    ratio = max(took_s) / median(took_s)
    print(f"{WRITERS} writers: {WRITERS * COMMITS / max(took_s):.0f} commits/s, slowest {ratio:.2f} of the median")
    print(f"one reader beside them: {looks} looks")


def test_processes_that_make_the_same_store_at_once_share_it(workspace: Workspace) -> None:
    script = """
        import sys
        import headwater
        from headwater._commit.client import client_for  # loaded before, so that the making is what happens at once
        print("ready", flush=True)
        sys.stdin.readline()
        with headwater.init(id=f"maker-{sys.argv[1]}") as run:
            artifact = headwater.Artifact("made", "dataset")
            with artifact.new_file("who.txt") as file:
                file.write(sys.argv[1])
            run.log_artifact(artifact)
    """
    makers = [workspace.start(script, str(number)) for number in range(STORES_MADE)]
    start_all(makers)

    for maker in makers:
        maker.wait().succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert seen.numbers("made") == STORES_MADE
    assert set(seen.runs.values()) == {"finished"}
    assert len(seen.runs) == STORES_MADE


def test_two_commands_at_once_on_a_new_store_both_do_their_work(workspace: Workspace) -> None:
    workspace.fill("data", files=5)
    commands = [workspace.start_command("log", "data", "--name", name) for name in ("one", "other")]

    for command in commands:
        command.wait().succeeded()

    assert {
        name: len(versions) for name, versions in inspect_store(workspace.behind().settings()).versions.items()
    } == {
        "one": 1,
        "other": 1,
    }


def test_writers_of_the_same_content_at_once_make_one_version(workspace: Workspace) -> None:
    workspace.fill("data", files=5)
    commands = [workspace.start_command("log", "data", "--name", "same") for _ in range(4)]

    told = {command.wait().succeeded().out for command in commands}

    assert told == {"team/faults/same:v0\n"}
    assert inspect_store(workspace.behind().settings()).numbers("same") == 1
