"""What a process does in the background while it has open runs."""

import threading
import time
from collections.abc import Callable

import pytest
from headwater._run import schedule as schedules
from headwater._run.schedule import Schedule

from tests.runtime.forks import in_a_fork
from tests.support.threads import threads_named

WAIT_S = 30


def test_an_action_is_called_when_it_is_due_and_again_as_it_says() -> None:
    schedule, calls, enough = Schedule(), [], threading.Event()

    def action() -> float | None:
        calls.append(time.monotonic())
        if len(calls) < 3:
            return 0.02
        enough.set()
        return None

    started_s = time.monotonic()
    schedule.add(action, after_s=0.02)

    assert enough.wait(WAIT_S)
    assert all(later - earlier >= 0.02 for earlier, later in zip([started_s, *calls], calls, strict=False))


def test_what_was_removed_is_not_called_and_does_not_keep_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "THREAD_IDLE_S", 0.05)
    schedule, called = Schedule(), threading.Event()

    def action() -> None:
        called.set()

    threads = threads_named("headwater-runs")
    schedule.add(action, after_s=600)
    (thread,) = threads_named("headwater-runs") - threads
    schedule.remove(action)

    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert not called.is_set()


def test_an_action_that_raises_is_not_called_again_and_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    schedule, bad_calls, good = Schedule(), [], threading.Event()

    def bad() -> None:
        bad_calls.append(1)
        raise ZeroDivisionError

    schedule.add(bad, after_s=0)
    schedule.add(_calling(good.set), after_s=0.1)

    assert good.wait(WAIT_S)
    assert (len(bad_calls), len(reported)) == (1, 1)


def test_a_forked_process_calls_none_of_its_parents_actions_and_those_of_its_own() -> None:
    of_parent, of_child = threading.Event(), threading.Event()
    parents = _calling(of_parent.set)
    schedules.schedule.add(parents, after_s=0.3)

    def check() -> bool:
        schedules.schedule.add(_calling(of_child.set), after_s=0.5)
        return of_child.wait(WAIT_S) and not of_parent.is_set()

    assert in_a_fork(check)
    assert of_parent.wait(WAIT_S)


def _calling(function: Callable[[], object]) -> Callable[[], None]:
    def action() -> None:
        function()

    return action
