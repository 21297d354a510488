"""The queue by itself: in which order tasks are sent, what they share, and what becomes of those that fail."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from types import SimpleNamespace

import pytest
from headwater._commit import write_queue
from headwater._commit.write_queue import Task, WriteQueue
from headwater_runtime.retries import Retries
from headwater_schemas.errors import EventRejected, InvalidInput, Reason, StoreUnavailable

from tests.producer.logs import Time

DONE_WITHIN_S = 20.0

alone = pytest.mark.usefixtures("no_thread")


class Desk:
    """A queue, and in order what it asks for: "send a", "confirm", "confirm projected", "look up a,b", "resolve a"."""

    def __init__(self, *, outage_s: float = 0.0) -> None:
        self.asked: list[str] = []
        self.confirms: list[BaseException] = []  # to be raised, one a call
        self.look_ups: list[BaseException] = []
        self.queue = WriteQueue(self._confirm, self._look_up, outage_s=outage_s)

    def _confirm(self, *, projected: bool) -> None:
        self.asked.append("confirm projected" if projected else "confirm")
        _raise_next(self.confirms)

    def _look_up(self, drafts: Sequence[tuple[str, str]]) -> None:
        self.asked.append("look up " + ",".join(draft for _, draft in drafts))
        _raise_next(self.look_ups)

    def put(self, name: str, **more: object) -> "ScriptedTask":
        task = ScriptedTask(self, name, **more)  # type: ignore[arg-type] # as they were given
        self.queue.put(task)
        return task


class ScriptedTask(Task[str]):
    """A task that says what is asked of it, and fails as it is told to."""

    def __init__(
        self,
        desk: Desk,
        name: str,
        *,
        sends: Sequence[BaseException] = (),
        resolves: Sequence[BaseException | None] = (),  # None: it sends more
        rejectable: bool = True,
        needs_prior_outcomes: bool = False,
        affects_names: bool = False,
        is_draft: bool = True,
    ) -> None:
        super().__init__(desk.queue)
        self.rejectable, self.needs_prior_outcomes = rejectable, needs_prior_outcomes
        self.affects_names = affects_names
        self._desk, self._name, self._is_draft = desk, name, is_draft
        self._sends, self._resolves = list(sends), list(resolves)

    @property
    def draft(self) -> tuple[str, str] | None:
        return ("team/vision/a", self._name) if self._is_draft else None

    def send(self) -> None:
        self._desk.asked.append(f"send {self._name}")
        _raise_next(self._sends)

    def resolve(self) -> bool:
        self._desk.asked.append(f"resolve {self._name}")
        if self._resolves:
            error = self._resolves.pop(0)
            if error is None:
                return False
            raise error
        self.succeed(self._name)
        return True


def _raise_next(errors: list[BaseException]) -> None:
    if errors:
        raise errors.pop(0)


def gone() -> StoreUnavailable:
    return StoreUnavailable("the log does not answer.")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "nobody did it"
        time.sleep(0.005)


# --- batches ------------------------------------------------------------------------------------------------------


@alone
def test_tasks_share_one_append_and_one_look_up_in_the_order_of_their_calls() -> None:
    desk = Desk()
    tasks = [desk.put(name) for name in "abc"]
    assert (desk.asked, desk.queue.busy) == ([], True)

    desk.queue.flush()

    assert desk.asked == [
        "send a", "send b", "send c", "confirm projected", "look up a,b,c", "resolve a", "resolve b", "resolve c"
    ]  # fmt: skip
    assert [task.result() for task in tasks] == ["a", "b", "c"]
    assert not desk.queue.busy


@alone
def test_a_batch_has_no_more_tasks_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = Desk()
    for name in "abc":
        desk.put(name)

    desk.queue.flush()

    assert [asked for asked in desk.asked if asked.startswith("look up")] == ["look up a,b", "look up c"]


@alone
def test_a_task_that_needs_what_became_of_others_is_sent_after_that() -> None:
    desk = Desk()
    desk.put("a", needs_prior_outcomes=True)
    desk.put("b")
    desk.put("c", needs_prior_outcomes=True)
    desk.put("d")

    desk.queue.flush()

    sent = [asked for asked in desk.asked if asked.startswith(("send", "look"))]
    assert sent == ["send a", "send b", "look up a,b", "send c", "send d", "look up c,d"]


@alone
def test_events_that_no_rule_can_reject_need_only_be_durable() -> None:
    desk = Desk()
    desk.put("a", rejectable=False)
    desk.put("b", rejectable=False)

    desk.queue.flush()

    assert desk.asked == ["send a", "send b", "confirm", "resolve a", "resolve b"]


@alone
def test_one_that_can_be_rejected_is_enough_to_wait_for_the_projection() -> None:
    desk = Desk()
    desk.put("a", rejectable=False, is_draft=False)
    desk.put("b")

    desk.queue.flush()

    assert desk.asked[2:4] == ["confirm projected", "look up b"]


@alone
def test_a_task_that_sends_more_is_resolved_again_with_the_next_batch() -> None:
    desk = Desk()
    more = desk.put("a", resolves=[None, None])
    desk.put("b")

    desk.queue.flush()

    assert [asked for asked in desk.asked if asked.startswith(("send", "look"))] == [
        "send a", "send b", "look up a,b", "look up a", "look up a"
    ]  # fmt: skip
    assert more.result() == "a"


@alone
def test_tasks_that_sent_more_count_in_the_next_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = Desk()
    desk.put("a", resolves=[None])
    for name in "bcd":
        desk.put(name)

    desk.queue.flush()

    assert [asked for asked in desk.asked if asked.startswith("look")] == ["look up a,b", "look up a,c", "look up d"]


# --- waiting ------------------------------------------------------------------------------------------------------


@alone
def test_who_waits_for_one_task_processes_no_batch_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 1)
    desk = Desk()
    desk.put("a")
    second, third = desk.put("b"), desk.put("c")

    assert second.result() == "b"

    assert (second.done, third.done, desk.queue.busy) == (True, False, True)
    asked = list(desk.asked)
    assert second.result() == "b"
    assert desk.asked == asked, "what is known is not asked for again"


@alone
def test_flushing_an_empty_queue_asks_for_nothing() -> None:
    desk = Desk()

    desk.queue.flush()

    assert desk.asked == []


@alone
def test_progress_says_how_many_are_done_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = Desk()
    desk.put("before")
    desk.queue.flush()
    desk.put("a", sends=[InvalidInput("?")])
    desk.put("b", resolves=[None])
    desk.put("c", resolves=[InvalidInput("?")])
    desk.put("d")
    seen: list[tuple[int, int]] = []

    desk.queue.flush(progress=lambda *now: seen.append(now))

    assert seen == [(2, 4), (4, 4)]


@alone
def test_what_affects_names_does_so_until_it_is_done() -> None:
    desk = Desk()
    desk.put("a")
    assert not desk.queue.affects_names

    desk.put("b", affects_names=True)
    assert desk.queue.affects_names
    desk.confirms.append(gone())
    with pytest.raises(StoreUnavailable):
        desk.queue.flush()
    assert desk.queue.affects_names, "it is sent, and not known to be accepted"
    desk.queue.flush()

    assert not desk.queue.affects_names


# --- tasks that fail ----------------------------------------------------------------------------------------------


@alone
@pytest.mark.parametrize(
    "error", [InvalidInput("too large"), OSError("unreadable"), gone()], ids=lambda e: type(e).__name__
)
def test_a_task_that_cannot_be_sent_fails_alone(error: Exception) -> None:
    desk = Desk()
    failing, other = desk.put("a", sends=[error]), desk.put("b")

    assert other.result() == "b"

    assert (failing.done, failing.failed, failing.unraised_error) == (True, True, error)
    assert desk.asked == ["send a", "send b", "confirm projected", "look up b", "resolve b"]
    for _ in range(2):
        with pytest.raises(type(error)):
            failing.result()
        assert failing.unraised_error is None
    assert (other.failed, other.unraised_error) == (False, None)


@alone
def test_a_task_that_is_rejected_fails_alone() -> None:
    desk = Desk()
    rejected = EventRejected("sealed before.", reason=Reason.DRAFT_SEALED)
    failing, other = desk.put("a", resolves=[rejected]), desk.put("b")

    with pytest.raises(EventRejected):
        failing.result()

    assert other.done
    assert other.result() == "b"


@alone
def test_nothing_is_confirmed_where_nothing_could_be_sent() -> None:
    desk = Desk()
    desk.put("a", sends=[InvalidInput("?")])

    desk.queue.flush()

    assert desk.asked == ["send a"]


@alone
def test_while_the_log_does_not_answer_tasks_stay_and_are_not_sent_again() -> None:
    desk = Desk()
    task = desk.put("a")
    desk.confirms += [gone(), gone()]

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            task.result()
        assert (task.done, desk.queue.busy) == (False, True)

    assert task.result() == "a"
    assert desk.asked == ["send a", *["confirm projected"] * 3, "look up a", "resolve a"]


@alone
def test_while_the_projection_does_not_answer_tasks_stay_and_are_not_sent_again() -> None:
    desk = Desk()
    task = desk.put("a")
    desk.look_ups.append(gone())

    with pytest.raises(StoreUnavailable):
        desk.queue.flush()

    assert (task.done, task.failed) == (False, False)
    assert task.result() == "a"
    assert desk.asked.count("send a") == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time passes for the queue only while it pauses."""
    clock, backoff = Time(), write_queue.OUTAGE_BACKOFF

    def start(*, deadline: float) -> Retries:
        return backoff.start(deadline=deadline, clock=lambda: clock.now_s, sleep=clock.sleep)

    monkeypatch.setattr(write_queue, "OUTAGE_BACKOFF", SimpleNamespace(start=start))
    monkeypatch.setattr(write_queue, "time", SimpleNamespace(monotonic=lambda: clock.now_s, sleep=clock.sleep))
    return clock


@alone
@pytest.mark.parametrize(
    ("outage_s", "pauses"),
    [(0.0, []), (0.25, [0.1]), (5.0, [0.1, 0.2, 0.4, 0.8, 1.6]), (5.5, [0.1, 0.2, 0.4, 0.8, 1.6, 2.0])],
)
def test_a_server_may_be_away_for_as_long_as_the_store_says(clock: Time, outage_s: float, pauses: list[float]) -> None:
    desk = Desk(outage_s=outage_s)
    task = desk.put("a", sends=[gone() for _ in range(9)])

    with pytest.raises(StoreUnavailable):
        task.result()

    assert clock.slept == pauses
    assert desk.asked == ["send a"] * (len(pauses) + 1)


@alone
def test_a_server_that_is_back_in_time_is_an_outage_that_nobody_notices(clock: Time) -> None:
    desk = Desk(outage_s=1.0)
    desk.look_ups.append(gone())
    task = desk.put("a", sends=[gone()])

    assert task.result() == "a"
    assert desk.asked == ["send a", "send a", "confirm projected", "look up a", "look up a", "resolve a"]


@alone
def test_an_error_other_than_an_outage_is_not_tried_again() -> None:
    desk = Desk(outage_s=60.0)
    desk.put("a", sends=[InvalidInput("too large")])

    desk.queue.flush()

    assert desk.asked == ["send a"]


@alone
@pytest.mark.parametrize("when", ["sending", "confirming", "looking up", "resolving"])
def test_ctrl_c_loses_nothing_and_does_nothing_twice(when: str) -> None:
    desk = Desk()
    first = desk.put("a")
    second = desk.put(
        "b",
        sends=[KeyboardInterrupt()] if when == "sending" else [],
        resolves=[KeyboardInterrupt()] if when == "resolving" else [],
    )
    desk.confirms += [KeyboardInterrupt()] if when == "confirming" else []
    desk.look_ups += [KeyboardInterrupt()] if when == "looking up" else []
    seen: list[tuple[int, int]] = []

    with pytest.raises(KeyboardInterrupt):
        desk.queue.flush()
    assert desk.queue.busy
    desk.queue.flush(progress=lambda *now: seen.append(now))

    assert (first.result(), second.result()) == ("a", "b")
    assert desk.asked.count("send a") == desk.asked.count("resolve a") == 1
    assert desk.asked.count("send b") == (2 if when == "sending" else 1)
    assert seen[-1] == ((1, 1) if when == "resolving" else (2, 2))


# --- the thread ---------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_what_is_put_is_done_although_nobody_waits() -> None:
    desk = Desk()
    first = desk.put("a")
    wait_for(lambda: first.done)

    second = desk.put("b")
    wait_for(lambda: second.done)

    assert desk.asked.count("resolve a") == desk.asked.count("resolve b") == 1


@pytest.mark.usefixtures("impatient")
def test_an_idle_thread_ends_and_the_next_task_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "THREAD_IDLE_S", 0.02)
    desk, before = Desk(), set(threading.enumerate())
    for number in range(3):
        task = desk.put(f"{number}")
        wait_for(lambda task=task: task.done)  # type: ignore[misc] # bound now
        wait_for(lambda: set(threading.enumerate()) <= before)

    assert not desk.queue.busy


@pytest.mark.usefixtures("impatient")
def test_one_thread_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, before = Desk(), set(threading.enumerate())

    tasks = [desk.put(f"{number}") for number in range(50)]
    new = set(threading.enumerate()) - before
    wait_for(lambda: all(task.done for task in tasks))

    assert len(new) == 1
    assert {thread.name for thread in new} == {"headwater-logging"}
    assert all(thread.daemon for thread in new), "a process that ends does not wait for it"


@pytest.mark.usefixtures("impatient")
def test_tasks_that_are_put_within_a_moment_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "LINGER_S", 0.5)
    desk = Desk()

    tasks = [desk.put(name) for name in "abc"]
    wait_for(lambda: all(task.done for task in tasks))

    assert [asked for asked in desk.asked if asked.startswith("look")] == ["look up a,b,c"]


@pytest.mark.usefixtures("impatient")
def test_after_an_error_the_thread_waits_for_the_next_task_and_then_tries_again() -> None:
    desk = Desk()
    desk.confirms.append(gone())
    first = desk.put("a")
    wait_for(lambda: "confirm projected" in desk.asked)
    time.sleep(0.1)
    assert desk.asked == ["send a", "confirm projected"], "trying at once is of no use"

    second = desk.put("b")
    wait_for(lambda: first.done and second.done)

    assert desk.asked.count("send a") == 1


@alone
def test_where_no_thread_can_be_started_who_waits_does_it() -> None:
    desk = Desk()
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
    desk = Desk()
    first, second = desk.put("a"), desk.put("b")

    wait_for(lambda: first.done and second.done)


@pytest.mark.usefixtures("impatient")
def test_who_waits_and_the_thread_never_process_at_once() -> None:
    desk, inside, most = Desk(), [0], [0]

    class Slow(ScriptedTask):
        def send(self) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.005)
            inside[0] -= 1

    tasks = [desk.queue.put(Slow(desk, f"{number}")) for number in range(20)]
    assert [task.result() for task in tasks] == [f"{number}" for number in range(20)]
    assert most == [1]
