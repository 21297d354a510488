"""A process that forks in the middle of something: the child has a queue and locks of its own."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import headwater
import pytest
from headwater._commit import client as clients
from headwater._commit.task import Task
from headwater_consumer import queries
from headwater_schemas.events import RunStarted, VersionCommitted
from headwater_stores.config.settings import read_settings

from tests.queue.artifacts import filled
from tests.queue.test_disturbed import on_log
from tests.support.stores import StoreUnderTest

ENDS_WITHIN_S = 20.0

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(check: Callable[[], bool]) -> bool:
    """Whether `check` holds in a forked child, and the child ends in time."""
    child = os.fork()
    if not child:
        holds = False
        try:
            holds = check()
        finally:
            os._exit(not holds)
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


class Lookups:
    """The look-ups of a project's digest algorithm in this process: while they are held, they wait to go on."""

    def __init__(self) -> None:
        self.held = False
        self.began, self.go_on = threading.Event(), threading.Event()


@pytest.fixture
def looking_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    lookups, look_up, here = Lookups(), queries.chosen_algorithm, os.getpid()

    def wait_here(*arguments: Any) -> str | None:
        if lookups.held and os.getpid() == here:
            lookups.began.set()
            lookups.go_on.wait()
        return look_up(*arguments)

    monkeypatch.setattr(queries, "chosen_algorithm", wait_here)
    yield lookups
    lookups.go_on.set()


def test_a_child_continues_a_version_although_the_parent_began_with_another_project_as_it_forked(
    store: StoreUnderTest, looking_up: Lookups
) -> None:
    def log_to_another_project() -> None:
        with headwater.init(project="plants") as run:
            run.log_artifact(filled({"a": "1"}, "trees")).wait()

    def continue_version() -> bool:
        draft = version.new_draft()
        with draft.new_file("b") as file:
            file.write("2")
        with headwater.init() as run:
            return run.log_artifact(draft).wait().version == "v1"

    with headwater.init() as run:
        version = run.log_artifact(filled({"a": "1"})).wait()
    looking_up.held = True
    thread = threading.Thread(target=log_to_another_project)
    thread.start()
    assert looking_up.began.wait(ENDS_WITHIN_S)

    is_continued = in_child(continue_version)
    looking_up.go_on.set()
    thread.join()

    assert is_continued
    assert headwater.Api().artifact("pets:latest").file_count == 2
    assert headwater.Api().artifact("team/plants/trees:latest").version == "v0"


@pytest.mark.usefixtures("store", "no_thread", "frequent_switches")
def test_threads_of_a_child_share_one_queue_from_the_first_moment() -> None:
    def log_from_threads() -> bool:
        together = threading.Barrier(8)

        def start_run(number: int) -> Task[None]:
            together.wait()
            return client.send([RunStarted(run=f"team/animals/{number}")])

        with ThreadPoolExecutor(8) as threads:
            tasks = list(threads.map(start_run, range(8)))
        client.queue.flush()
        return all(task.done for task in tasks)

    with headwater.init():
        client = clients.client_for(read_settings(), create=False)

        assert all(in_child(log_from_threads) for _ in range(20))


@pytest.mark.usefixtures("no_thread")
def test_a_child_that_ends_the_run_leaves_to_the_parent_what_the_parent_put(store: StoreUnderTest) -> None:
    def finish_run() -> bool:
        run.finish()
        return [event for event in on_log(store) if isinstance(event, VersionCommitted)] == []

    with headwater.init() as run:
        artifact = run.log_artifact(filled({"a": "1"}))
        assert artifact.state == "pending"

        assert in_child(finish_run)

    assert artifact.version == "v0"
    assert len([event for event in on_log(store) if isinstance(event, VersionCommitted)]) == 1
