"""A process that forks in the middle of something: the child has a queue and locks of its own."""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import headwater
import pytest
from headwater._commit import client as clients

from tests.queue.artifacts import filled
from tests.support.stores import StoreUnderTest

ENDS_WITHIN_S = 20.0


class Lookups:
    """The look-ups of a project's digest algorithm in this process: while they are held, they wait to go on."""

    def __init__(self) -> None:
        self.held = False
        self.began, self.go_on = threading.Event(), threading.Event()


@pytest.fixture
def looking_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    lookups, look_up, here = Lookups(), clients.digest_algorithm, os.getpid()

    def wait_here(*arguments: Any) -> str:
        if lookups.held and os.getpid() == here:
            lookups.began.set()
            lookups.go_on.wait()
        return look_up(*arguments)

    monkeypatch.setattr(clients, "digest_algorithm", wait_here)
    yield lookups
    lookups.go_on.set()


def _exit_code_of(process: int) -> int | None:
    """None where it did not end in time; then it is ended."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_continues_a_version_although_the_parent_began_with_another_project_as_it_forked(
    store: StoreUnderTest, looking_up: Lookups
) -> None:
    with headwater.init() as run:
        version = run.log_artifact(filled({"a": "1"})).wait()
    looking_up.held = True
    thread = threading.Thread(target=_log_to_another_project)
    thread.start()
    assert looking_up.began.wait(ENDS_WITHIN_S)

    child = os.fork()
    if not child:
        code = 1
        try:
            draft = version.new_draft()
            with draft.new_file("b") as file:
                file.write("2")
            with headwater.init() as run:
                code = int(run.log_artifact(draft).wait().version != "v1")
        finally:
            os._exit(code)
    code_of_child = _exit_code_of(child)
    looking_up.go_on.set()
    thread.join()

    assert code_of_child == 0
    assert headwater.Api().artifact("pets:latest").file_count == 2
    assert headwater.Api().artifact("team/plants/trees:latest").version == "v0"


def _log_to_another_project() -> None:
    with headwater.init(project="plants") as run:
        run.log_artifact(filled({"a": "1"}, "trees")).wait()
