"""Forks, spawned processes and threads inside a run; and how a run ends when nobody ends it."""

import pytest

from tests.faults.processes import Workspace
from tests.faults.stores import inspect_store


@pytest.fixture
def workspace(shared_workspace: Workspace) -> Workspace:
    """What is asked here is asked in each way to run."""
    return shared_workspace


# What a worker of a data loader does: it uses what its parent's run uses, and logs something of its own.
WORKERS = """
    import multiprocessing, os, sys
    import headwater

    def log(name, text):
        with headwater.init(id=name) as run:
            run.use_artifact("data:latest")
            artifact = headwater.Artifact(name, "dataset")
            with artifact.new_file("it.txt") as file:
                file.write(text)
            run.log_artifact(artifact)

    def with_multiprocessing(method):
        context = multiprocessing.get_context(method)
        workers = [context.Process(target=log, args=(f"worker-{i}", str(i))) for i in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0, worker.exitcode

    def with_a_pool(method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pool.starmap(log, [(f"worker-{i}", str(i)) for i in range(3)])

    def with_fork():
        children = []
        for i in range(3):
            if child := os.fork():
                children.append(child)
                continue
            log(f"worker-{i}", str(i))
            os._exit(0)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0

    if __name__ == "__main__":
        with headwater.init(id="parent") as run:
            data = headwater.Artifact("data", "dataset")
            data.add_dir("data")
            run.log_artifact(data).wait()
            for i in range(20):  # on their way while the children are made
                pending = headwater.Artifact(f"pending-{i}", "dataset")
                with pending.new_file("it.txt") as file:
                    file.write(str(i))
                run.log_artifact(pending)
            how, _, method = sys.argv[1].partition(" ")
            if how == "process":
                with_multiprocessing(method)
            elif how == "pool":
                with_a_pool(method)
            else:
                with_fork()
            with headwater.Artifact("after", "dataset").new_file("it.txt") as file:
                file.write("never logged")
            after = headwater.Artifact("after", "dataset")
            after.add_dir("data")
            run.log_artifact(after)
            assert run.state == "running"
"""


@pytest.mark.parametrize("how", ["process fork", "process spawn", "process forkserver", "pool fork", "fork"])
def test_workers_log_their_own_and_the_parents_pending_artifacts_are_logged_once(
    workspace: Workspace, how: str
) -> None:
    workspace.fill("data", files=10)

    workspace.run(WORKERS, how).succeeded()

    seen = inspect_store(workspace.behind().settings())
    workers = {f"worker-{i}" for i in range(3)}
    assert set(seen.versions) == {"data", "after", *workers, *(f"pending-{i}" for i in range(20))}
    assert all(len(versions) == 1 for versions in seen.versions.values())
    assert seen.runs == dict.fromkeys({"parent", *workers}, "finished")
    assert {(worker, "data", 0) for worker in workers} == seen.uses


@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_child_that_ends_inside_its_parents_run_does_not_finish_it(workspace: Workspace, ending: str) -> None:
    ended = workspace.run(f"""
        import os, sys, time
        import headwater
        with headwater.init(id="parent") as run:
            artifact = headwater.Artifact("one", "dataset")
            with artifact.new_file("it.txt") as file:
                file.write("it")
            run.log_artifact(artifact)
            child = os.fork()
            if not child:
                {ending}
            os.waitpid(child, 0)
            assert headwater.Api().run("parent").state == "running"
    """).succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert seen.runs == {"parent": "finished"}, ended
    assert seen.numbers("one") == 1


def test_a_child_of_a_fork_goes_on_with_the_parents_run(workspace: Workspace) -> None:
    workspace.run("""
        import os
        import headwater
        run = headwater.init(id="parent")
        filled = headwater.Artifact("filled-before", "dataset")
        with filled.new_file("it.txt") as file:
            file.write("taken by the parent")
        child = os.fork()
        if not child:
            run.log_artifact(filled).wait()
            own = headwater.Artifact("own", "dataset")
            with own.new_file("it.txt") as file:
                file.write("taken by the child")
            run.log_artifact(own)
            run.finish()  # waits, but the run is not the child's to end
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert headwater.Api().run("parent").state == "running"
        run.log_artifact(filled)
        run.finish()
    """).succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert seen.numbers("filled-before") == seen.numbers("own") == 1
    assert seen.outputs == {("parent", "filled-before", 0), ("parent", "own", 0)}


def test_children_of_a_fork_upsert_what_their_parent_filled_and_drafts_of_what_it_asked_for(
    workspace: Workspace,
) -> None:
    ended = workspace.run("""
        import os
        import headwater

        def part(name, path, size=1):
            artifact = headwater.Artifact(name, "dataset")
            with artifact.new_file(path, "wb") as file:
                file.write(path.encode() * size)
            return artifact

        def in_children(*artifacts):
            children = []
            for number, artifact in enumerate(artifacts):
                if child := os.fork():
                    children.append(child)
                    continue
                with headwater.init(group="job", id=f"{artifact.name}-{number}") as run:
                    run.upsert_artifact(artifact)
                os._exit(0)
            for child in children:
                assert os.waitpid(child, 0)[1] == 0

        def finish(name):
            with headwater.init(group="job") as run:
                version = run.finish_artifact(headwater.Artifact(name, "dataset")).wait()
            version.download(name)
            version.verify(name)
            print(version.source_name, *version.manifest.entries)

        filled = [part("filled", f"small-{i}") for i in range(3)] + [part("filled", "large", 1_000_000)]
        in_children(*filled)
        finish("filled")
        drafts = [part("based", "base").save().new_draft() for _ in range(3)]
        for number, draft in enumerate(drafts):
            with draft.new_file(f"new-{number}") as file:
                file.write("new")
        in_children(*drafts)
        finish("based")
    """).succeeded()

    assert ended.out.splitlines() == [
        "filled:v0 large small-0 small-1 small-2",
        "based:v1 base new-0 new-1 new-2",
    ]


def test_waiting_in_a_child_for_what_the_parent_logs_says_where_to_wait(workspace: Workspace) -> None:
    workspace.run("""
        import os
        import headwater
        from headwater._commit.write_queue import WriteQueue
        WriteQueue._work = lambda queue: None  # so that it is still pending when the child asks
        with headwater.init() as run:
            artifact = headwater.Artifact("one", "dataset")
            with artifact.new_file("it.txt") as file:
                file.write("it")
            run.log_artifact(artifact)
            child = os.fork()
            if not child:
                try:
                    artifact.wait()
                except headwater.HeadwaterError as error:
                    assert "before it forked" in str(error), error
                    os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """).succeeded()

    assert inspect_store(workspace.behind().settings()).numbers("one") == 1


@pytest.mark.slow
def test_children_forked_at_any_moment_of_the_logging_threads_work_disturb_nothing(workspace: Workspace) -> None:
    workspace.run("""
        import os
        import headwater
        with headwater.init(id="parent") as run:
            children = []
            for i in range(40):
                for name in ("shared", f"own-{i}"):
                    artifact = headwater.Artifact(name, "dataset")
                    with artifact.new_file("it.txt") as file:
                        file.write(f"{name} {i}")
                    run.log_artifact(artifact)  # the thread is somewhere in it when the fork comes
                child = os.fork()
                if not child:
                    mine = headwater.Artifact("children", "dataset")
                    with mine.new_file("it.txt") as file:
                        file.write(str(i))
                    run.log_artifact(mine).wait()
                    os._exit(0)
                children.append(child)
            assert {os.waitpid(child, 0)[1] for child in children} == {0}
    """).succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert (seen.numbers("shared"), seen.numbers("children")) == (40, 40)
    assert all(seen.numbers(f"own-{i}") == 1 for i in range(40))
    assert seen.runs == {"parent": "finished"}


def test_threads_that_log_at_once_each_get_their_versions(workspace: Workspace) -> None:
    workspace.run("""
        from concurrent.futures import ThreadPoolExecutor
        import headwater
        with headwater.init(id="r") as run:
            def log(number):
                for i in range(10):
                    artifact = headwater.Artifact("shared" if number % 2 else f"own-{number}", "dataset")
                    with artifact.new_file("it.txt") as file:
                        file.write(f"{number} {i}")
                    run.log_artifact(artifact)
                    if i % 3 == 0:
                        assert headwater.Api().artifact(artifact.qualified_name).digest == artifact.digest
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(log, range(8)))
    """).succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert seen.numbers("shared") == 40
    assert all(seen.numbers(f"own-{number}") == 10 for number in (0, 2, 4, 6))


# How a run ends when nobody ends it

UNFINISHED = """
    import headwater
    run = headwater.init(id="left-open")
    for i in range(30):
        artifact = headwater.Artifact(f"artifact-{i}", "dataset")
        with artifact.new_file("it.txt") as file:
            file.write(str(i))
        run.log_artifact(artifact)
"""


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        ("", "finished"),
        ("import sys; sys.exit(0)", "finished"),
        ("raise RuntimeError('broken')", "failed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", "failed"),
    ],
)
def test_a_run_left_open_is_finished_at_exit_with_everything_logged(
    workspace: Workspace, ending: str, state: str
) -> None:
    workspace.run(f"{UNFINISHED}\n    {ending}\n")

    seen = inspect_store(workspace.behind().settings())
    assert len(seen.versions) == 30
    assert seen.runs == {"left-open": state}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize(("ending", "state"), [("pass", "finished"), ("raise RuntimeError('broken')", "failed")])
def test_a_run_left_open_in_a_process_of_multiprocessing_is_finished_too(
    workspace: Workspace, method: str, ending: str, state: str
) -> None:
    workspace.run(f"""
        import multiprocessing
        import headwater

        def work():
            run = headwater.init(id="left-open")
            for i in range(5):
                artifact = headwater.Artifact(f"artifact-{{i}}", "dataset")
                with artifact.new_file("it.txt") as file:
                    file.write(str(i))
                run.log_artifact(artifact)
            {ending}

        if __name__ == "__main__":
            with headwater.init(id="parent"):
                child = multiprocessing.get_context("{method}").Process(target=work)
                child.start()
                child.join()
    """)

    seen = inspect_store(workspace.behind().settings())
    assert len(seen.versions) == 5
    assert seen.runs == {"parent": "finished", "left-open": state}


def test_a_second_init_finishes_nothing_and_sees_what_was_logged_before(workspace: Workspace) -> None:
    workspace.run("""
        import headwater
        first = headwater.init(id="first")
        artifact = headwater.Artifact("one", "dataset")
        with artifact.new_file("it.txt") as file:
            file.write("it")
        first.log_artifact(artifact)
        with headwater.init(id="second") as second:
            assert second.use_artifact("one:latest").digest == artifact.digest
            assert headwater.Api().run("first").state == "running"
        assert (first.state, second.state) == ("running", "finished")
        first.log_artifact(__file__, name="script")
    """).succeeded()

    seen = inspect_store(workspace.behind().settings())
    assert set(seen.versions) == {"one", "script"}
    assert seen.runs == {"first": "finished", "second": "finished"}
    assert seen.uses == {("second", "one", 0)}


def test_what_could_not_be_logged_before_exit_is_said(workspace: Workspace) -> None:
    script = """
        import os, shutil, sys
        import headwater, psycopg
        from headwater._commit.write_queue import WriteQueue
        from headwater_producer import producer
        from headwater_runtime.retries import Backoff
        WriteQueue._work = lambda queue: None  # so that nothing is logged before the store is gone
        os.environ["HEADWATER_OUTAGE_SECONDS"] = "1"  # the store does not come back
        producer.APPEND_BACKOFF = Backoff(pause_s_min=0.05, pause_s_max=5.0, attempts_max=2)
        run = headwater.init(id="r")
        artifact = headwater.Artifact("one", "dataset")
        with artifact.new_file("it.txt") as file:
            file.write("it")
        run.log_artifact(artifact)
        if os.path.isdir(sys.argv[1]):
            shutil.rmtree(sys.argv[1])
        else:
            with psycopg.connect(os.environ["HEADWATER_DATABASE_URL"]) as database:
                database.execute(f"DROP SCHEMA {sys.argv[1]} CASCADE")
    """
    store = workspace.settings().get("HEADWATER_DATABASE_SCHEMA", str(workspace.store))

    ended = workspace.run(script, store)

    assert "some artifacts were not logged" in ended.err, ended
    assert ("the server's store" if workspace.is_served else store) in ended.err
    assert "Traceback" not in ended.err


def test_a_rejection_that_nobody_waited_for_is_said_at_exit(workspace: Workspace) -> None:
    ended = workspace.run("""
        import headwater
        run = headwater.init(id="r")
        for kind in ("dataset", "model"):
            artifact = headwater.Artifact("one", kind)
            with artifact.new_file("it.txt") as file:
                file.write(kind)
            run.log_artifact(artifact)
    """)

    assert "some artifacts were not logged" in ended.err, ended
    assert "dataset" in ended.err
    assert "model" in ended.err
