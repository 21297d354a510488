"""How a process ends and what its run says about it: the two agree."""

import pytest

from tests.faults.processes import Ended, Workspace
from tests.faults.stores import inspect_store
from tests.support.forked import PIPE, ForkedProcess

OPEN = """
import asyncio, sys, threading
import headwater
run = headwater.init(id="r")
"""
# The last lines of a script that leaves its run open, its exit code, and the state of its run.
ENDINGS = {
    "nothing": ("", 0, "finished"),
    "sys.exit(0)": ("sys.exit(0)", 0, "finished"),
    "sys.exit(False)": ("sys.exit(False)", 0, "finished"),
    "sys.exit(3)": ("sys.exit(3)", 3, "failed"),
    "sys.exit(text)": ("sys.exit('no data')", 1, "failed"),
    "exit()": ("exit()", 0, "finished"),
    "quit(4)": ("quit(4)", 4, "failed"),
    "an error": ("1 / 0", 1, "failed"),
    "an error that a framework shows": ("try: 1 / 0\nexcept ZeroDivisionError: sys.exit(1)", 1, "failed"),
    "an exit that is caught": ("try: sys.exit(3)\nexcept SystemExit: pass", 0, "finished"),
    "an exit that is caught for another": ("try: sys.exit(3)\nexcept SystemExit: sys.exit(0)", 0, "finished"),
    "an exit that is raised again": ("try: sys.exit(3)\nexcept SystemExit as kept: raise", 3, "failed"),
    "an exit in a task": ("async def main(): sys.exit(3)\nasyncio.run(main())", 3, "failed"),
    "an exit of a thread": ("it = threading.Thread(target=sys.exit, args=(3,)); it.start(); it.join()", 0, "finished"),
}


@pytest.mark.parametrize(("ending", "code", "state"), ENDINGS.values(), ids=ENDINGS)
def test_a_run_left_open_ends_as_its_process_does(workspace: Workspace, ending: str, code: int, state: str) -> None:
    assert workspace.run(OPEN + ending).code == code

    assert inspect_store(workspace.behind().settings()).runs == {"r": state}


def test_an_exit_that_was_imported_before_the_run_began_is_seen(workspace: Workspace) -> None:
    assert workspace.run("from sys import exit\nimport headwater\nheadwater.init(id='r')\nexit(3)").code == 3

    assert inspect_store(workspace.behind().settings()).runs == {"r": "failed"}


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [
        ("sys.exit()", 0, "finished"),
        ("raise SystemExit(0)", 0, "finished"),
        ("raise SystemExit(3)", 3, "failed"),
        ("exit('no data')", 1, "failed"),
    ],
)
def test_a_with_block_sees_every_exit(workspace: Workspace, ending: str, code: int, state: str) -> None:
    ended = workspace.run(f"import sys, headwater\nwith headwater.init(id='r'):\n    {ending}")

    assert ended.code == code
    assert inspect_store(workspace.behind().settings()).runs == {"r": state}


def at_a_prompt(workspace: Workspace, *lines: str) -> str:
    """The state of the run after someone typed these lines."""
    script = "import code; code.interact(banner='', exitmsg='')"
    environment = {**workspace.settings(), "HEADWATER_QUIET": "true"}
    prompt = ForkedProcess(["-c", script], cwd=workspace.folder, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert prompt.stdin is not None
    prompt.stdin.write("".join(f"{line}\n" for line in lines))
    prompt.communicate(timeout=60)
    return inspect_store(workspace.behind().settings()).runs["r"]


START = "run = headwater.init(id='r')"


def test_at_a_prompt_only_errors_after_the_start_of_the_run_count(workspace: Workspace) -> None:
    assert at_a_prompt(workspace, "1 / 0", "import headwater", START) == "finished"
    assert at_a_prompt(workspace, "import headwater", START, "1 / 0") == "failed"
    assert at_a_prompt(workspace, "import headwater", START, "1 / 0", "exit()") == "finished"
    assert at_a_prompt(workspace, "import sys, headwater", START, "sys.exit(0)") == "finished"


def test_what_was_watched_is_as_before_when_the_last_run_is_over(workspace: Workspace) -> None:
    workspace.run("""
        import builtins, sys
        import headwater
        before = sys.exit, sys.excepthook, builtins.exit, builtins.quit, type(builtins.exit).__call__
        one, other = headwater.init(id="one"), headwater.init(id="other")
        one.finish()
        assert sys.exit is not before[0]
        other.finish()
        assert before == (sys.exit, sys.excepthook, builtins.exit, builtins.quit, type(builtins.exit).__call__)
    """).succeeded()


# --- what could not be logged -----------------------------------------------------------------------------------

TWO_TYPES = """
def log(run):
    for kind in ("dataset", "model"):
        artifact = headwater.Artifact("one", kind)
        with artifact.new_file("it.txt") as file:
            file.write(kind)
        run.log_artifact(artifact)
"""


def assert_refused(workspace: Workspace, ended: Ended) -> None:
    assert ended.code == 1, ended
    assert "is of type 'dataset', not 'model'" in ended.err
    assert inspect_store(workspace.behind().settings(), refused=True).runs == {"r": "failed"}


def test_a_process_whose_artifact_was_refused_ends_with_1_after_everything_else_that_runs_at_its_end(
    shared_workspace: Workspace,
) -> None:
    ended = shared_workspace.run(f"""
import atexit, os
atexit.register(lambda: print("registered before"))
import headwater
{TWO_TYPES}
log(headwater.init(id="r"))
atexit.register(lambda: print("registered after"))
left_open = open("left-open.txt", "w")
left_open.write("written")
print("no end of line", end="")
""")

    assert_refused(shared_workspace, ended)
    assert "Traceback" not in ended.err
    assert ended.out == "no end of lineregistered after\nregistered before\n"
    assert (shared_workspace.folder / "left-open.txt").read_text() == "written"


@pytest.mark.parametrize("leaving", ["", "sys.exit(0)"])
def test_a_block_whose_artifact_was_refused_raises_that_and_its_run_failed(workspace: Workspace, leaving: str) -> None:
    ended = workspace.run(f"""
import sys
import headwater
{TWO_TYPES}
with headwater.init(id="r") as run:
    log(run)
    {leaving}
""")

    assert_refused(workspace, ended)
    assert "EventRejected" in ended.err


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_of_multiprocessing_whose_artifact_was_refused_ends_with_1(workspace: Workspace, method: str) -> None:
    ended = workspace.run(f"""
import multiprocessing, sys
import headwater
{TWO_TYPES}
def work():
    log(headwater.init(id="r"))
    print("no end of line", end="")

if __name__ == "__main__":
    child = multiprocessing.get_context("{method}").Process(target=work)
    child.start()
    child.join()
    sys.exit(child.exitcode)
""")

    assert_refused(workspace, ended)
    assert ended.out == "no end of line"


def test_a_rejection_that_was_handled_fails_nothing(workspace: Workspace) -> None:
    ended = workspace.run(f"""
import headwater
{TWO_TYPES.replace("run.log_artifact(artifact)", "logged = run.log_artifact(artifact)")}
        try:
            logged.wait()
        except headwater.errors.EventRejected:
            print("handled")
log(headwater.init(id="r"))
""")

    assert (ended.succeeded().out, inspect_store(workspace.behind().settings(), refused=True).runs) == (
        "handled\n",
        {"r": "finished"},
    )
