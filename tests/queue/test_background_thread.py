"""The thread that works off the queue while nobody waits for it."""

import threading
import time
from itertools import count

import pytest
from headwater._commit import write_queue
from headwater._commit.outcomes import Outcomes

from tests.queue.scripted import DONE_WITHIN_S, ObservedQueue, ScriptedTask, gone, wait_for
from tests.support.threads import threads_named

LOGGING = "headwater-logging"  # the name of the thread
alone = pytest.mark.usefixtures("no_thread")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_what_is_put_is_done_although_nobody_waits() -> None:
    desk = ObservedQueue()
    first = desk.put("a")
    wait_for(lambda: first.done)

    second = desk.put("b")
    wait_for(lambda: second.done)

    assert desk.asked.count("resolve a") == desk.asked.count("resolve b") == 1


@pytest.mark.usefixtures("impatient")
def test_an_idle_thread_ends_and_the_next_task_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "THREAD_IDLE_S", 0.02)
    desk, before = ObservedQueue(), threads_named(LOGGING)
    for number in range(3):
        task = desk.put(f"{number}")
        wait_for(lambda task=task: task.done)  # type: ignore[misc] # bound now
        wait_for(lambda: threads_named(LOGGING) <= before)

    assert not desk.queue.busy


@pytest.mark.usefixtures("impatient")
def test_one_thread_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, before = ObservedQueue(), threads_named(LOGGING)

    tasks = [desk.put(f"{number}") for number in range(50)]
    new = threads_named(LOGGING) - before
    wait_for(lambda: all(task.done for task in tasks))

    assert len(new) == 1
    assert all(thread.daemon for thread in new), "a process that ends does not wait for it"


@pytest.mark.usefixtures("impatient")
def test_tasks_that_are_put_within_a_moment_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.5)
    desk = ObservedQueue()

    tasks = [desk.put(name) for name in "abc"]
    wait_for(lambda: all(task.done for task in tasks))

    assert [asked for asked in desk.asked if asked.startswith("look")] == ["look up a,b,c"]


def test_while_callers_wait_again_and_again_the_thread_leaves_the_queue_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 1.0)
    monkeypatch.setattr(write_queue, "LINGERS_MAX", 60)
    desk, senders = ObservedQueue(), []

    class Observed(ScriptedTask):
        def send(self) -> None:
            senders.append(threading.current_thread())
            super().send()

    started_s = time.monotonic()
    while time.monotonic() - started_s < 1.5:
        desk.queue.put(Observed(desk, "a")).result()
        time.sleep(0.02)
    assert set(senders) == {threading.current_thread()}

    last = desk.queue.put(Observed(desk, "b"))
    wait_for(lambda: last.done)
    assert senders[-1].name == "headwater-logging"


@pytest.mark.usefixtures("impatient")
def test_after_an_error_the_thread_waits_for_the_next_task_and_then_tries_again() -> None:
    desk = ObservedQueue()
    desk.confirms.append(gone())
    first = desk.put("a")
    wait_for(lambda: "confirm" in desk.asked)
    time.sleep(0.1)
    assert desk.asked == ["send a", "confirm"], "trying at once is of no use"

    second = desk.put("b")
    wait_for(lambda: first.done and second.done)

    assert desk.asked.count("send a") == 1


@pytest.mark.usefixtures("impatient")
def test_after_an_error_the_thread_waits_also_where_more_tasks_wait_behind_those_that_were_sent() -> None:
    desk = ObservedQueue()
    desk.confirms.extend([gone()] * 1000)

    class First(ScriptedTask):
        def send(self) -> None:
            desk.put("b", needs_prior_outcomes=True)
            super().send()

    desk.queue.put(First(desk, "a"))
    wait_for(lambda: "confirm" in desk.asked)
    time.sleep(0.1)

    assert desk.asked == ["send a", "confirm"], "trying at once is of no use"


@alone
def test_where_no_thread_can_be_started_who_waits_does_it() -> None:
    desk = ObservedQueue()
    numbers = count()

    tasks = [desk.put(f"{next(numbers)}") for _ in range(3)]
    assert not any(task.done for task in tasks)

    assert [task.result() for task in tasks] == ["0", "1", "2"]


@pytest.mark.usefixtures("impatient")
def test_a_thread_that_could_not_be_started_is_started_with_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = threading.Thread.start, []

    def start_later(thread: threading.Thread) -> None:
        if thread.name == "headwater-logging" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_later)
    desk = ObservedQueue()
    first, second = desk.put("a"), desk.put("b")

    wait_for(lambda: first.done and second.done)


@pytest.mark.usefixtures("impatient")
def test_who_waits_and_the_thread_never_process_at_once() -> None:
    desk, inside, most = ObservedQueue(), [0], [0]

    class Slow(ScriptedTask):
        def send(self) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.005)
            inside[0] -= 1

    tasks = [desk.queue.put(Slow(desk, f"{number}")) for number in range(20)]
    assert [task.result() for task in tasks] == [f"{number}" for number in range(20)]
    assert most == [1]


def test_while_who_waits_asks_the_thread_sends_what_comes_and_else_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.01)
    desk, is_answered = ObservedQueue(), threading.Event()
    ask = desk.ask

    def ask_slowly(*asked: object, patience_s: float) -> Outcomes:
        if threading.current_thread().name != "headwater-logging":
            assert is_answered.wait(DONE_WITHIN_S)
        return ask(*asked, patience_s=patience_s)  # type: ignore[arg-type] # as it was asked

    monkeypatch.setattr(desk, "ask", ask_slowly)
    first = desk.put("a")
    caller = threading.Thread(target=first.result)
    caller.start()
    wait_for(lambda: "confirm" in desk.asked)
    time.sleep(0.3)
    assert desk.asked.count("confirm") <= 3, "it looks again and again"

    second = desk.put("b", partition=1)
    wait_for(lambda: second.done)
    assert not first.done

    is_answered.set()
    caller.join()
    wait_for(lambda: not desk.queue.busy)


@pytest.fixture
def slow(impatient: None, monkeypatch: pytest.MonkeyPatch) -> "SlowDesk":
    """A queue whose thread gets no answer before the test says so."""
    desk = SlowDesk()
    monkeypatch.setattr(desk, "ask", desk.ask_slowly)
    return desk


class SlowDesk(ObservedQueue):
    """Who asks in the thread waits until `is_answered` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.is_answered = threading.Event(), threading.Event()
        self._ask_at_once = self.ask

    def ask_slowly(self, *asked: object, patience_s: float) -> Outcomes:
        if threading.current_thread().name == LOGGING:
            self.is_asked.set()
            assert self.is_answered.wait(DONE_WITHIN_S)
        return self._ask_at_once(*asked, patience_s=patience_s)  # type: ignore[arg-type] # as it was asked


def test_who_waits_for_what_the_thread_asks_about_has_its_answer_and_does_not_ask_again(slow: SlowDesk) -> None:
    task = slow.put("a")
    assert slow.is_asked.wait(DONE_WITHIN_S)
    threading.Timer(0.2, slow.is_answered.set).start()

    assert task.result() == "a"
    assert slow.asked.count("reach") == 1


def test_who_waits_for_something_does_not_wait_for_other_partitions_that_the_thread_asks_about(
    slow: SlowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.1)
    first, second = slow.put("a"), slow.put("b", partition=1)
    assert slow.is_asked.wait(DONE_WITHIN_S)

    assert first.result() == "a"

    slow.is_answered.set()
    wait_for(lambda: second.done)


def test_who_waits_asks_where_the_thread_was_told_that_nobody_answers(slow: SlowDesk) -> None:
    slow.reaches.append(gone())
    task = slow.put("a")
    assert slow.is_asked.wait(DONE_WITHIN_S)
    threading.Timer(0.2, slow.is_answered.set).start()

    assert task.result() == "a"
    assert slow.asked.count("reach") == 2
