"""Runs that are alive, crashed, killed, or ended by hand."""

import signal
import textwrap
import threading
import time
from collections.abc import Callable
from itertools import islice

import headwater
import pytest
from headwater._commit.tasks import EventsTask
from headwater._run import heartbeat, upkeep
from headwater.errors import InvalidInput, NotFound
from headwater_consumer import queries

from tests.support.forked import DEVNULL, PIPE, ForkedProcess
from tests.support.stores import StoreUnderTest

WAIT_S = 30


# A signal that comes just before a long sleep begins does not end that sleep: Python handles it only afterwards.
WAITING = """
    def wait():
        import time
        while True:
            time.sleep(0.05)
"""


def process(script: str) -> ForkedProcess:
    """A process that runs `script`, says "ready" when the run is open, and waits for its end by `wait()`."""
    started = ForkedProcess(["-c", textwrap.dedent(WAITING) + textwrap.dedent(script)], stdout=PIPE, stderr=DEVNULL)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def info_of(run: str) -> queries.RunInfo:
    """What is recorded about a run by now."""
    info = headwater.Api().run(run)._info
    assert info is not None
    return info


def waited_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


OPEN_RUN = """
    import headwater
    run = headwater.init(id="r1", config={"lr": 1}, tags=["t"], job_type="train")
    run._writer.client.queue.flush()
    run.summary["step"] = 3
    print("ready", flush=True)
    wait()
"""


# --- heartbeats ---------------------------------------------------------------------------------------------------


def test_heartbeats_come_after_five_minutes_and_then_at_doubling_intervals_up_to_an_hour() -> None:
    assert list(islice(heartbeat.intervals(), 7)) == [300, 600, 1200, 2400, 3600, 3600, 3600]


def test_an_open_run_says_when_its_next_heartbeat_is_due(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FIRST_S", 1)
    with headwater.init(id="r1"):
        started = info_of("r1")
        waited_until(lambda: info_of("r1").heartbeat_us != started.heartbeat_us)
        beat = info_of("r1")

    assert started.heartbeat_us is not None
    assert started.heartbeat_due_us == started.heartbeat_us + 1_000_000
    assert beat.heartbeat_us is not None
    assert beat.heartbeat_due_us == beat.heartbeat_us + 2_000_000
    assert headwater.Api().run("r1").state == "finished"


def test_a_run_whose_heartbeat_is_overdue_by_as_much_again_is_crashed_and_goes_on_when_it_is_heard_of(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with headwater.init(id="r1") as run:
        states = []
        for later_us in (0, 599_000_000, 601_000_000):
            now_us = time.time_ns() // 1000 + later_us
            monkeypatch.setattr("headwater._run.run.now_us", lambda now_us=now_us: now_us)
            states.append((headwater.Api().run("r1").state, next(iter(headwater.Api().runs())).state))
        assert states == [("running", "running"), ("running", "running"), ("crashed", "crashed")]
        assert run.state == "running", "the process that has it knows better"

    assert headwater.Api().run("r1").state == "finished"


def test_a_heartbeat_waits_for_nothing_that_is_being_logged(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FIRST_S", 1)
    started, go_on = threading.Event(), threading.Event()

    class Upload(EventsTask):
        def send(self) -> None:
            started.set()
            assert go_on.wait(WAIT_S)

    with headwater.init(id="r1") as run:
        client = run._writer.client
        before = info_of("r1")
        client.enqueue(Upload(client.queue, client.session, [], rejectable=False, affects_names=False))
        assert started.wait(WAIT_S)

        def heard_of_us() -> int | None:
            client.session.catch_up()
            info = client.stores.reads.run_info(run.path)
            return None if info is None else info.heartbeat_us

        waited_until(lambda: heard_of_us() != before.heartbeat_us)
        go_on.set()


# --- signals ------------------------------------------------------------------------------------------------------


def test_sigterm_records_that_a_run_was_killed_and_ends_the_process_as_before(
    store: StoreUnderTest,
) -> None:
    started = process(OPEN_RUN)
    started.terminate()

    assert started.wait(WAIT_S) == -signal.SIGTERM
    found = headwater.Api().run("r1")
    assert (found.state, found.config, found.summary, found.tags) == ("killed", {"lr": 1}, {"step": 3}, ("t",))


def test_sigterm_right_after_the_start_finds_the_run_recorded(store: StoreUnderTest) -> None:
    started = process(
        """
        import headwater
        run = headwater.init(id="r1")
        print("ready", flush=True)
        wait()
        """
    )
    started.terminate()

    assert started.wait(WAIT_S) == -signal.SIGTERM
    assert headwater.Api().run("r1").state == "killed"


def test_sigterm_records_what_waits_behind_a_large_file(store: StoreUnderTest) -> None:
    started = process(
        """
        import threading, time
        import headwater
        from headwater._run import upkeep
        upkeep.FIRST_LOOK_S = 0.05
        run = headwater.init(id="r1")
        queue = run._writer.client.queue
        queue.flush()
        with queue._flushing:  # as while a large file is uploaded
            run.summary["step"] = 3
            while not queue._queue:
                time.sleep(0.02)
            print("ready", flush=True)
            wait()
        """
    )
    started.terminate()

    assert started.wait(WAIT_S) == -signal.SIGTERM
    found = headwater.Api().run("r1")
    assert (found.state, found.summary) == ("killed", {"step": 3})


def test_a_handler_of_the_scripts_own_is_called_as_ever(store: StoreUnderTest) -> None:
    for before in (True, False):
        handling = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
        started = process(
            f"""
            import signal, sys
            import headwater
            {handling if before else ""}
            run = headwater.init(id="r{int(before)}")
            {"" if before else handling}
            print("ready", flush=True)
            wait()
            """
        )
        started.terminate()

        assert started.wait(WAIT_S) == 3
        assert headwater.Api().run(f"r{int(before)}").state != "killed"


def test_no_handler_stays_when_no_run_is_open(store: StoreUnderTest) -> None:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    first, second = headwater.init(), headwater.init()
    handler = signal.getsignal(signal.SIGTERM)
    first.finish()
    assert (callable(handler), signal.getsignal(signal.SIGTERM)) == (True, handler)
    second.finish()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_forked_process_that_is_terminated_leaves_its_parents_run_open(store: StoreUnderTest) -> None:
    started = process(
        """
        import os, signal, time
        import headwater
        with headwater.init(id="r1"):
            child = os.fork()
            if not child:
                wait()
            time.sleep(0.2)
            os.kill(child, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
            print("ready", flush=True)
        """
    )

    assert started.wait(WAIT_S) == 0
    assert headwater.Api().run("r1").state == "finished"


def test_sigterm_while_the_main_thread_waits_for_a_log_that_does_not_answer_ends_the_process(
    store: StoreUnderTest,
) -> None:
    started = process(
        """
        import headwater
        from headwater._run import termination
        termination.RECORD_S_MAX = 0.5
        run = headwater.init(id="r1")
        run._writer.client.queue.flush()
        producer = run._writer.client.session.producer
        with producer._appending:  # as while an append goes on
            print("ready", flush=True)
            wait()
        """
    )
    before_s = time.monotonic()
    started.terminate()

    assert started.wait(WAIT_S) == -signal.SIGTERM
    assert time.monotonic() - before_s < 15  # the machine may be busy
    assert headwater.Api().run("r1").state == "running"


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_run_whose_process_is_gone_is_ended_by_hand_and_keeps_what_is_known_about_it(store: StoreUnderTest) -> None:
    started = process(OPEN_RUN)
    started.kill()
    assert started.wait(WAIT_S) == -signal.SIGKILL
    before = info_of("r1")

    headwater.Api().run("r1").finish("failed")

    found = headwater.Api().run("r1")
    assert (found.state, found.config, found.tags, found.job_type) == ("failed", {"lr": 1}, ("t",), "train")
    assert info_of("r1").started_us == before.started_us


def test_a_run_that_ended_cannot_be_ended_again_through_the_api(store: StoreUnderTest) -> None:
    with headwater.init(id="r1"):
        opened = headwater.Api().run("r1")

    headwater.Api().run("r1").finish("failed")  # has ended: nothing to do
    with pytest.raises(InvalidInput, match=r"has ended \(finished\)"):
        opened.finish("failed")
    with pytest.raises(NotFound):
        headwater.Api().run("r2")
    assert headwater.Api().run("r1").state == "finished"


def test_an_open_run_gives_back_the_memory_that_starting_it_took(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back = threading.Event()
    monkeypatch.setattr(upkeep, "give_back", given_back.set)
    monkeypatch.setattr(upkeep, "GIVE_BACK_S", 0.01)

    with headwater.init():
        assert given_back.wait(WAIT_S)
