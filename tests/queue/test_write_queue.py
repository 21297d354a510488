"""The queue by itself: in which order tasks are sent, what they share, and what becomes of those that fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from headwater._commit import write_queue
from headwater._commit.outcomes import Outcomes
from headwater_runtime.retries import Retries
from headwater_schemas.errors import EventRejected, InvalidInput, Reason, StoreUnavailable

from tests.producer.logs import Time
from tests.queue.scripted import KEY, ObservedQueue, gone

alone = pytest.mark.usefixtures("no_thread")
STALLED_S = write_queue.STALLED_PATIENCE_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time passes for the queue only while it pauses."""
    clock, backoff = Time(), write_queue.OUTAGE_BACKOFF

    def start(*, deadline: float) -> Retries:
        return backoff.start(deadline=deadline, clock=lambda: clock.now_s, sleep=clock.sleep)

    monkeypatch.setattr(write_queue, "OUTAGE_BACKOFF", SimpleNamespace(start=start))
    monkeypatch.setattr(write_queue, "time", SimpleNamespace(monotonic=lambda: clock.now_s, sleep=clock.sleep))
    return clock


# --- batches ------------------------------------------------------------------------------------------------------


@alone
def test_tasks_share_one_append_and_one_look_up_in_the_order_of_their_calls() -> None:
    desk = ObservedQueue()
    tasks = [desk.put(name) for name in "abc"]
    assert (desk.asked, desk.queue.busy) == ([], True)

    desk.queue.flush()

    assert desk.asked == [
        "send a", "send b", "send c", "confirm", "reach", "look up a,b,c", "resolve a", "resolve b", "resolve c"
    ]  # fmt: skip
    assert [task.result() for task in tasks] == ["a", "b", "c"]
    assert not desk.queue.busy


@alone
def test_a_batch_has_no_more_tasks_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = ObservedQueue()
    for name in "abc":
        desk.put(name)

    desk.queue.flush()

    assert [asked for asked in desk.asked if asked.startswith("look up")] == ["look up a,b", "look up c"]


@alone
def test_a_task_that_needs_what_became_of_others_is_sent_after_that() -> None:
    desk = ObservedQueue()
    desk.put("a", needs_prior_outcomes=True)
    desk.put("b")
    desk.put("c", needs_prior_outcomes=True)
    desk.put("d")

    desk.queue.flush()

    sent = [asked for asked in desk.asked if asked.startswith(("send", "look"))]
    assert sent == ["send a", "send b", "look up a,b", "send c", "send d", "look up c,d"]


@alone
def test_events_that_no_rule_can_reject_need_only_be_durable() -> None:
    desk = ObservedQueue()
    desk.put("a", rejectable=False)
    desk.put("b", rejectable=False)

    desk.queue.flush()

    assert desk.asked == ["send a", "send b", "confirm", "resolve a", "resolve b"]


@alone
def test_one_that_can_be_rejected_is_enough_to_wait_for_the_projection() -> None:
    desk = ObservedQueue()
    desk.put("a", rejectable=False, is_draft=False)
    desk.put("b")

    desk.queue.flush()

    assert desk.asked[2:5] == ["confirm", "reach", "look up b"]


@alone
def test_a_task_that_sends_more_is_resolved_again_with_the_next_batch() -> None:
    desk = ObservedQueue()
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
    desk = ObservedQueue()
    desk.put("a", resolves=[None])
    for name in "bcd":
        desk.put(name)

    desk.queue.flush()

    assert [asked for asked in desk.asked if asked.startswith("look")] == ["look up a,b", "look up a,c", "look up d"]


# --- waiting ------------------------------------------------------------------------------------------------------


@alone
def test_who_waits_for_one_task_processes_no_batch_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 1)
    desk = ObservedQueue()
    desk.put("a")
    second, third = desk.put("b"), desk.put("c")

    assert second.result() == "b"

    assert (second.done, third.done, desk.queue.busy) == (True, False, True)
    asked = list(desk.asked)
    assert second.result() == "b"
    assert desk.asked == asked, "what is known is not asked for again"


@alone
def test_flushing_an_empty_queue_asks_for_nothing() -> None:
    desk = ObservedQueue()

    desk.queue.flush()

    assert desk.asked == []


@alone
def test_progress_says_how_many_are_done_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = ObservedQueue()
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
    desk = ObservedQueue()
    desk.put("a")
    assert not desk.queue.affecting_names(KEY)

    task = desk.put("b", affects_names=True)
    assert desk.queue.affecting_names(KEY) == [task]
    assert not desk.queue.affecting_names("collection:team/vision/b")
    desk.confirms.append(gone())
    with pytest.raises(StoreUnavailable):
        desk.queue.flush()
    assert desk.queue.affecting_names(KEY) == [task], "it is sent, and not known to be accepted"
    desk.queue.flush()

    assert not desk.queue.affecting_names(KEY)


# --- partitions that stand still ----------------------------------------------------------------------------------


@alone
def test_who_waits_for_one_task_does_not_wait_for_the_partitions_of_others() -> None:
    desk = ObservedQueue()
    stuck, healthy = desk.put("stuck", partition=1), desk.put("healthy", partition=2)
    desk.stopped[1] = -1

    assert healthy.result() == "healthy"

    assert desk.waited == [({2}, write_queue.PATIENCE_S)]
    assert (stuck.done, desk.queue.busy) == (False, True)
    del desk.stopped[1]
    assert stuck.result() == "stuck"


@alone
def test_a_partition_that_stands_still_is_waited_for_once_and_delays_no_other_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_queue, "TASKS_PER_BATCH", 2)
    desk = ObservedQueue()
    desk.stopped[1] = -1
    stuck = [desk.put(f"stuck {number}", partition=1) for number in range(5)]
    healthy = [desk.put(f"healthy {number}", partition=2) for number in range(5)]
    larger = desk.put("larger", partition=2, needs_prior_outcomes=True)

    assert larger.result() == "larger"

    assert all(task.done for task in healthy)
    assert not any(task.done for task in stuck)
    patient = [partitions for partitions, patience_s in desk.waited if patience_s == write_queue.PATIENCE_S]
    assert sum(1 in partitions for partitions in patient) == 1


@alone
def test_what_a_stopped_partition_delayed_is_done_once_it_moves() -> None:
    desk = ObservedQueue()
    desk.stopped[1] = -1
    first, second = desk.put("first", partition=1), desk.put("second", partition=1)
    desk.put("other", partition=2).result()

    desk.stopped[1] = 0
    assert first.result() == "first"
    assert not second.done
    del desk.stopped[1]
    desk.queue.flush()

    assert second.result() == "second"
    assert desk.asked.count("send first") == desk.asked.count("resolve first") == 1


@alone
def test_a_partition_that_is_only_slow_is_waited_for_patiently_again() -> None:
    desk = ObservedQueue()
    desk.stopped[1] = -1
    tasks = [desk.put(f"{number}", partition=1) for number in range(3)]
    ask = desk.ask

    def move_and_ask(*about: Any, patience_s: float) -> Outcomes:
        desk.stopped[1] += 1
        return ask(*about, patience_s=patience_s)

    desk.ask = move_and_ask  # type: ignore[method-assign]
    desk.queue.flush()

    assert all(task.done for task in tasks)
    assert desk.waited == [({1}, write_queue.PATIENCE_S), ({1}, STALLED_S), ({1}, write_queue.PATIENCE_S)]


@alone
def test_a_projection_that_stands_still_is_reported_after_the_time_of_the_log(clock: Time) -> None:
    desk = ObservedQueue()
    desk.stopped[1] = -1
    stuck, healthy = desk.put("stuck", partition=1), desk.put("healthy", partition=2)
    ask = desk.ask

    def take_time(*about: Any, patience_s: float) -> Outcomes:
        clock.now_s += patience_s
        return ask(*about, patience_s=patience_s)

    desk.ask = take_time  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match=r"the projection stands still before {1: 0}"):
        desk.queue.flush()

    assert healthy.done
    assert not stuck.done
    assert 120 < clock.now_s < 130
    with pytest.raises(StoreUnavailable):
        stuck.result()
    assert 240 < clock.now_s < 260
    desk.stopped.clear()
    assert stuck.result() == "stuck"


@alone
def test_who_waits_for_a_while_gets_an_error_then_though_others_get_on(clock: Time) -> None:
    desk = ObservedQueue()
    desk.stopped[1] = -1
    stuck = desk.put("stuck", partition=1)
    ask = desk.ask

    def take_time(*about: Any, patience_s: float) -> Outcomes:
        clock.now_s += patience_s
        desk.put("other", partition=2)
        return ask(*about, patience_s=patience_s)

    desk.ask = take_time  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="after 7 s"):
        stuck.result(7.0)

    assert not stuck.done


@alone
def test_who_waits_for_a_while_gets_the_result_even_where_it_comes_at_the_last_moment(clock: Time) -> None:
    desk = ObservedQueue()
    task = desk.put("a")
    ask = desk.ask

    def take_time(*about: Any, patience_s: float) -> Outcomes:
        clock.now_s += 2 * patience_s
        return ask(*about, patience_s=patience_s)

    desk.ask = take_time  # type: ignore[method-assign]

    assert task.result(1.0) == "a"


@alone
def test_what_was_waited_for_in_vain_is_not_waited_for_again(clock: Time) -> None:
    desk = ObservedQueue()
    desk.stopped[1], desk.given_up = -1, {1}
    stuck, healthy = desk.put("stuck", partition=1), desk.put("healthy", partition=2)

    with pytest.raises(StoreUnavailable):
        desk.queue.flush()

    assert healthy.done
    assert not stuck.done
    assert len(desk.waited) <= 3


@alone
def test_a_projection_that_cannot_be_reached_is_an_error_at_once() -> None:
    desk = ObservedQueue()
    desk.reaches.append(gone())
    task = desk.put("a")

    with pytest.raises(StoreUnavailable):
        task.result()

    assert task.result() == "a"
    assert desk.asked.count("send a") == 1


# --- tasks that fail ----------------------------------------------------------------------------------------------


@alone
@pytest.mark.parametrize(
    "error", [InvalidInput("too large"), OSError("unreadable"), gone()], ids=lambda e: type(e).__name__
)
def test_a_task_that_cannot_be_sent_fails_alone(error: Exception) -> None:
    desk = ObservedQueue()
    failing, other = desk.put("a", sends=[error]), desk.put("b")

    assert other.result() == "b"

    assert (failing.done, failing.failed, failing.unraised_error) == (True, True, error)
    assert desk.asked == ["send a", "send b", "confirm", "reach", "look up b", "resolve b"]
    for _ in range(2):
        with pytest.raises(type(error)):
            failing.result()
        assert failing.unraised_error is None
    assert (other.failed, other.unraised_error) == (False, None)


@alone
def test_a_task_that_is_rejected_fails_alone() -> None:
    desk = ObservedQueue()
    rejected = EventRejected("sealed before.", reason=Reason.DRAFT_SEALED)
    failing, other = desk.put("a", resolves=[rejected]), desk.put("b")

    with pytest.raises(EventRejected):
        failing.result()

    assert other.done
    assert other.result() == "b"


@alone
def test_nothing_is_confirmed_where_nothing_could_be_sent() -> None:
    desk = ObservedQueue()
    desk.put("a", sends=[InvalidInput("?")])

    desk.queue.flush()

    assert desk.asked == ["send a"]


@alone
def test_while_the_log_does_not_answer_tasks_stay_and_are_not_sent_again() -> None:
    desk = ObservedQueue()
    task = desk.put("a")
    desk.confirms += [gone(), gone()]

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            task.result()
        assert (task.done, desk.queue.busy) == (False, True)

    assert task.result() == "a"
    assert desk.asked == ["send a", *["confirm"] * 3, "reach", "look up a", "resolve a"]


@alone
def test_while_the_projection_does_not_answer_tasks_stay_and_are_not_sent_again() -> None:
    desk = ObservedQueue()
    task = desk.put("a")
    desk.look_ups.append(gone())

    with pytest.raises(StoreUnavailable):
        desk.queue.flush()

    assert (task.done, task.failed) == (False, False)
    assert task.result() == "a"
    assert desk.asked.count("send a") == 1


@alone
@pytest.mark.parametrize(
    ("outage_s", "pauses"),
    [(0.0, []), (0.25, [0.1]), (5.0, [0.1, 0.2, 0.4, 0.8, 1.6]), (5.5, [0.1, 0.2, 0.4, 0.8, 1.6, 2.0])],
)
def test_a_server_may_be_away_for_as_long_as_the_store_says(clock: Time, outage_s: float, pauses: list[float]) -> None:
    desk = ObservedQueue(outage_s=outage_s)
    task = desk.put("a", sends=[gone() for _ in range(9)])

    with pytest.raises(StoreUnavailable):
        task.result()

    assert clock.slept == pauses
    assert desk.asked == ["send a"] * (len(pauses) + 1)


@alone
def test_an_outage_is_waited_for_once_however_much_is_to_be_logged_meanwhile(clock: Time) -> None:
    desk = ObservedQueue(outage_s=5.0)
    tasks = [desk.put(name, sends=[gone() for _ in range(9)]) for name in "abc"]

    desk.queue.flush()

    assert all(task.failed for task in tasks)
    assert sum(clock.slept) <= 5.0
    assert desk.put("d", sends=[gone()]).failed is False  # not sent yet
    desk.queue.flush()
    later = [desk.put("e"), desk.put("f", sends=[gone()])]
    desk.queue.flush()
    assert not any(task.failed for task in later), "after a success an outage is another one"


@alone
def test_a_server_that_is_back_in_time_is_an_outage_that_nobody_notices(clock: Time) -> None:
    desk = ObservedQueue(outage_s=1.0)
    task = desk.put("a", sends=[gone()])

    assert task.result() == "a"
    assert desk.asked == ["send a", "send a", "confirm", "reach", "look up a", "resolve a"]


@alone
def test_an_error_other_than_an_outage_is_not_tried_again() -> None:
    desk = ObservedQueue(outage_s=60.0)
    desk.put("a", sends=[InvalidInput("too large")])

    desk.queue.flush()

    assert desk.asked == ["send a"]


@alone
@pytest.mark.parametrize("when", ["sending", "confirming", "looking up", "resolving"])
def test_ctrl_c_loses_nothing_and_does_nothing_twice(when: str) -> None:
    desk = ObservedQueue()
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
