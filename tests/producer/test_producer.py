"""Events get their place in their writer's order, and stay in the spool until the log has confirmed them."""

import getpass
import os
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from headwater_producer import producer as module
from headwater_producer.producer import Producer, user_at_host
from headwater_schemas import headers, keys
from headwater_schemas.codec import EventTooLarge
from headwater_schemas.errors import DurabilityUnknown, InvalidInput, StoreUnavailable
from headwater_schemas.events import AccessGranted, RulesChanged, RunFinished, RunStarted, VersionRecalled
from headwater_schemas.limits import EVENT_BYTES_MAX
from headwater_schemas.names import check_label
from headwater_schemas.positions import Cut

from tests.contract.test_blob_processes import in_a_fork
from tests.producer.logs import WHO, FailingLog, Time, on_log, producer_on
from tests.support.memory_log import MemoryLog

RUN, OTHER_RUN = "team/vision/r1", "team/vision/r2"
PAYLOAD_BYTES = 100  # of an event in these tests, at least


def started(run: str = RUN, **more: str) -> RunStarted:
    return RunStarted(run=run, **more)  # type: ignore[arg-type] # each test knows its fields


def of_size(size: int) -> RunStarted:
    """An event of that many bytes and a few more."""
    return started(config='{"a":"' + "x" * size + '"}')


def gone() -> StoreUnavailable:
    return StoreUnavailable("the log does not answer.")


# --- a writer's order ---------------------------------------------------------------------------------------------


def test_sequences_are_dense_from_zero_for_each_key() -> None:
    producer = producer_on(log := MemoryLog())

    first = producer.send([started(), started(OTHER_RUN), RunFinished(run=RUN, state="finished")])
    second = producer.send([RunFinished(run=OTHER_RUN, state="failed")])
    producer.confirm()

    key, other = keys.run_key(RUN), keys.run_key(OTHER_RUN)
    assert [(sent.key, sent.sequence) for sent in (*first, *second)] == [(key, 0), (other, 0), (key, 1), (other, 1)]
    assert {sent.session for sent in (*first, *second)} == {producer.session}
    there = [(stamped.event.key, stamped.origin.sequence) for stamped in on_log(log)]
    assert there == [(key, 0), (other, 0), (key, 1), (other, 1)]


def test_an_event_says_who_wrote_it_when_and_why() -> None:
    now = datetime(2025, 1, 2, tzinfo=UTC)
    log = MemoryLog()
    producer = Producer(log, author=WHO, clock=lambda: now)

    producer.send([started()], message="because")
    now += timedelta(seconds=1)
    producer.send([started(OTHER_RUN)])
    producer.confirm()

    first, second = (stamped.origin for stamped in on_log(log))
    assert (first.author, first.message, first.clock) == (WHO, "because", datetime(2025, 1, 2, tzinfo=UTC))
    assert (second.author, second.message, second.clock) == (WHO, None, datetime(2025, 1, 2, 0, 0, 1, tzinfo=UTC))
    assert first.session == second.session == producer.session
    (record, _) = log.read(0, after=-1)
    assert record.headers == headers.of_event(on_log(log)[0])


def test_who_writes_is_the_user_and_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_at_host() == f"{getpass.getuser()}@{socket.gethostname()}"

    def nameless() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert user_at_host() == f"{os.getuid()}@{socket.gethostname()}"


def test_an_author_with_an_absurd_name_can_still_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "x" * 5000)

    assert check_label(user_at_host(), "author")


def test_each_producer_is_a_session_of_its_own() -> None:
    log = MemoryLog()

    assert producer_on(log).session != producer_on(log).session


def test_of_events_that_are_sent_together_all_are_taken_or_none() -> None:
    producer = producer_on(log := MemoryLog())
    producer.send([started()])

    for wrong in (of_size(EVENT_BYTES_MAX), started(config="\ud800")):
        with pytest.raises(InvalidInput):
            producer.send([started(), started(OTHER_RUN), wrong])
    (sent,) = producer.send([started()])
    producer.confirm()

    assert sent.sequence == 1, "what was not taken leaves no gap"
    assert [stamped.origin.sequence for stamped in on_log(log)] == [0, 1]


def test_an_event_that_is_too_large_is_refused_naming_its_size_and_the_limit() -> None:
    with pytest.raises(EventTooLarge, match=f"run-started event has 90.,... bytes; at most {EVENT_BYTES_MAX:,}"):
        producer_on(MemoryLog()).send([of_size(EVENT_BYTES_MAX)])


def test_a_broadcast_is_the_same_event_in_every_partition() -> None:
    producer = producer_on(log := MemoryLog(3))
    granted = AccessGranted(scope="team/vision", principal="headwater|grace", role="writer")

    sent = producer.send([RulesChanged(broadcast="0" * 32, project="team/vision", rule="r", value="{}"), granted])
    assert producer.pending == 4
    producer.confirm()

    assert [one.sequence for one in sent] == [0, 0], "of keys of their own, so that no partition misses a number"
    changed = [[s for s in on_log(log, partition) if isinstance(s.event, RulesChanged)] for partition in range(3)]
    assert [len(found) for found in changed] == [1, 1, 1]
    assert len({found[0].id for found in changed}) == 1
    assert sum(len(on_log(log, partition)) for partition in range(3)) == 4


# --- confirming ---------------------------------------------------------------------------------------------------


def test_nothing_is_on_the_log_before_it_is_confirmed() -> None:
    producer = producer_on(log := MemoryLog())

    producer.send([started(), started(OTHER_RUN)])

    assert (producer.pending, on_log(log)) == (2, [])
    producer.confirm()
    assert (producer.pending, len(on_log(log))) == (0, 2)
    producer.confirm()
    assert len(on_log(log)) == 2


def test_confirming_gives_the_cut_that_holds_everything_sent_so_far() -> None:
    log = MemoryLog(4)
    producer = producer_on(log, records_per_append=3)
    runs = [f"team/vision/r{n}" for n in range(20)]

    assert producer.confirm() == Cut(log.generation)
    producer.send([started(run) for run in runs[:10]])
    first = producer.confirm()
    ends = dict(log.ends())
    producer.send([started(run) for run in runs[10:11]])
    second = producer.confirm()

    assert first == Cut(log.generation, {partition: end for partition, end in ends.items() if end >= 0})
    partition = log.partition_of(keys.run_key(runs[10]))
    assert second == Cut(log.generation, {**first.offsets, partition: log.end(partition)})


def test_an_append_has_no_more_records_than_its_bound() -> None:
    log = FailingLog()
    producer = producer_on(log, records_per_append=3)

    producer.send([started() for _ in range(7)])
    producer.confirm()

    assert [len(tried) for tried in log.tried] == [3, 3, 1]
    assert [stamped.origin.sequence for stamped in on_log(log)] == list(range(7))


def test_an_append_has_no_more_bytes_than_its_bound_but_always_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FailingLog()
    producer = producer_on(log)
    producer.send([of_size(size) for size in (300, 300, 300, 5000, 10, 10)])
    sizes = [len(payload) for payload in _payloads(log, producer)]
    monkeypatch.setattr(module, "BYTES_PER_APPEND", sizes[0] + sizes[1])

    producer.send([of_size(size) for size in (300, 300, 300, 5000, 10, 10)])
    producer.confirm()

    assert [len(tried) for tried in log.tried[1:]] == [2, 1, 1, 2]


def _payloads(log: MemoryLog, producer: Producer) -> list[bytes]:
    producer.confirm()
    return [record.payload for record in log.read(0, after=-1)]


def test_the_spool_is_bounded_and_has_room_again_once_it_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = producer_on(log := MemoryLog())
    producer.send([of_size(1000)])
    (size,) = map(len, _payloads(log, producer))
    monkeypatch.setattr(module, "SPOOL_BYTES_MAX", 2 * size)

    for _ in range(3):  # the last one is taken while exactly the bound waits
        producer.send([of_size(1000)])
    with pytest.raises(StoreUnavailable, match=f"{3 * size:,} bytes of events wait for the log"):
        producer.send([of_size(1000)])
    producer.confirm()
    (sent,) = producer.send([of_size(1000)])

    assert sent.sequence == 4


# --- logs that do not answer --------------------------------------------------------------------------------------


def test_a_log_that_always_refuses_is_tried_eight_times_and_not_for_two_minutes() -> None:
    log, time = FailingLog(*[gone() for _ in range(99)]), Time()
    producer = producer_on(log, time)
    producer.send([started()])

    with pytest.raises(StoreUnavailable, match="the log does not answer"):
        producer.confirm()

    assert len(log.tried) == 8
    assert time.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert producer.pending == 1


def test_pauses_between_tries_double_up_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APPEND_BACKOFF", replace(module.APPEND_BACKOFF, attempts_max=12))
    log, time = FailingLog(*[gone() for _ in range(11)]), Time()
    producer = producer_on(log, time)
    producer.send([started()])

    producer.confirm()

    assert time.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("failure", [DurabilityUnknown, StoreUnavailable])
@pytest.mark.parametrize("writes_first", [False, True], ids=["lost", "written"])
def test_what_failed_is_sent_again_as_the_same_bytes_and_nothing_overtakes_it(
    failure: type[StoreUnavailable], writes_first: bool
) -> None:
    log = FailingLog(failure("?"), failure("?"), writes_first=writes_first)
    producer = producer_on(log)
    producer.send([started(), started(OTHER_RUN)])

    producer.confirm()

    assert len(log.tried) == 3
    assert log.tried[0] == log.tried[1] == log.tried[2]
    assert (producer.pending, len(on_log(log))) == (0, 6 if writes_first else 2)


def test_an_error_that_no_further_try_can_mend_is_raised_at_once() -> None:
    log = FailingLog(InvalidInput("such a record is not taken."))
    producer = producer_on(log)
    producer.send([started()])

    with pytest.raises(InvalidInput):
        producer.confirm()

    assert (len(log.tried), producer.pending) == (1, 1)


def test_the_next_confirm_sends_what_the_last_one_could_not() -> None:
    log = FailingLog(*[gone() for _ in range(8)])
    producer = producer_on(log)
    producer.send([started()])
    with pytest.raises(StoreUnavailable):
        producer.confirm()
    producer.send([RunFinished(run=RUN, state="finished")])

    cut = producer.confirm()

    assert [stamped.origin.sequence for stamped in on_log(log)] == [0, 1]
    assert cut == Cut(log.generation, {0: log.end(0)})


def test_trying_ends_with_the_time_that_was_given() -> None:
    log, time = FailingLog(*[gone() for _ in range(99)]), Time()
    producer = producer_on(log, time)
    producer.send([started()])

    with pytest.raises(StoreUnavailable):
        producer.confirm(timeout_s=0.2)

    assert (len(log.tried), time.slept) == (3, [0.05, 0.1])
    assert log.timeouts_s == [pytest.approx(0.2), pytest.approx(0.15), pytest.approx(0.05)]


def test_one_append_has_at_most_thirty_seconds_and_never_none() -> None:
    log, time = FailingLog(), Time()
    producer = producer_on(log, time)
    producer.send([started()])
    producer.confirm()
    producer.send([started()])
    producer.confirm(timeout_s=0.0)

    assert log.timeouts_s == [30.0, 0.05]


def test_time_that_an_append_took_is_not_there_for_the_next_one() -> None:
    log, time = FailingLog(gone()), Time()
    producer = producer_on(log, time)
    producer.send([started()])

    def pass_time() -> None:
        time.now_s += 100.0

    log.before_append = pass_time
    producer.confirm()

    assert log.timeouts_s == [30.0, pytest.approx(19.95)]


# --- where events are ---------------------------------------------------------------------------------------------


def test_events_have_the_smallest_cut_that_holds_them_whatever_else_was_sent() -> None:
    log = MemoryLog(4)
    producer = producer_on(log, records_per_append=3)
    runs = [f"team/vision/r{n}" for n in range(20)]

    sent = [producer.send([started(run), started(run)]) for run in runs]
    assert producer.cut_of(sent[0]) == Cut(log.generation), "it is not confirmed"
    producer.confirm()

    for run, events in zip(runs, sent, strict=True):
        partition = log.partition_of(keys.run_key(run))
        offset = max(r.position.offset for r in log.read(partition, after=-1) if r.key == keys.run_key(run))
        assert producer.cut_of(events) == Cut(log.generation, {partition: offset})


def test_the_cut_of_a_broadcast_holds_it_in_every_partition() -> None:
    producer = producer_on(log := MemoryLog(3))

    sent = producer.send([RulesChanged(broadcast="0" * 32, project="team/vision", rule="r", value="{}")])
    producer.send([started(f"team/vision/r{n}") for n in range(20)])
    producer.confirm()

    firsts = {partition: log.read(partition, after=-1)[0].position.offset for partition in range(3)}
    assert producer.cut_of(sent) == Cut(log.generation, firsts)
    assert producer.cut_of([]) == Cut(log.generation)


def test_what_was_sent_twice_is_where_it_was_confirmed() -> None:
    producer = producer_on(log := FailingLog(DurabilityUnknown("?"), writes_first=True))

    sent = producer.send([started()])
    producer.confirm()

    assert producer.cut_of(sent) == Cut(log.generation, {0: log.end(0)})


# --- sessions -----------------------------------------------------------------------------------------------------


class Clock:
    """A machine's clock, which a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_process_that_lives_long_takes_a_new_session_long_before_its_own_is_retired() -> None:
    clock, log = Clock(), MemoryLog()
    producer = Producer(log, author=WHO, clock=clock)

    sessions = []
    for _ in range(40):
        (sent,) = producer.send([started()])
        producer.confirm()
        sessions.append(sent.session)
        clock.now += timedelta(hours=6)

    assert [sent.sequence for sent in producer.send([started()])] == [0], "each session numbers its own events"
    assert len(set(sessions)) == 8
    assert all(sessions.count(session) == 5 for session in sessions), "one lasts a day"
    assert sessions == sorted(sessions)
    assert keys.session_start_ms(sessions[0]) == 1000 * int(datetime(2026, 1, 2, tzinfo=UTC).timestamp())


def test_no_session_ends_while_its_events_are_not_confirmed() -> None:
    clock, log = Clock(), FailingLog(*[gone() for _ in range(8)])
    producer = Producer(log, author=WHO, clock=clock, timer=Time().timer())

    (first,) = producer.send([started()])
    clock.now += timedelta(days=3)
    with pytest.raises(StoreUnavailable):
        producer.confirm()
    (second,) = producer.send([started()])
    producer.confirm()
    (third,) = producer.send([started()])

    assert first.session == second.session != third.session
    assert (first.sequence, second.sequence, third.sequence) == (0, 1, 0)


@pytest.mark.parametrize("wrong", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)])
def test_a_session_that_began_by_a_wrong_clock_ends_once_the_clock_is_right(wrong: datetime) -> None:
    clock = Clock()
    right, clock.now = clock.now, wrong
    producer = Producer(MemoryLog(), author=WHO, clock=clock)
    before = producer.session

    clock.now = right
    (sent,) = producer.send([started()])

    assert keys.session_start_ms(before) == 1000 * int(wrong.timestamp())
    assert keys.session_start_ms(sent.session) == 1000 * int(right.timestamp())


# --- threads ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("frequent_switches")
def test_threads_send_while_others_confirm() -> None:
    producer = producer_on(log := MemoryLog(), records_per_append=64)
    ended = threading.Event()

    def send() -> None:
        for number in range(150):
            producer.send([started(f"team/vision/r{number}")] * 10)

    def confirm() -> None:
        while not ended.is_set() or producer.pending:
            producer.confirm()

    with ThreadPoolExecutor(4) as threads:
        confirming = [threads.submit(confirm) for _ in range(2)]
        for sending in [threads.submit(send) for _ in range(2)]:
            sending.result()
        ended.set()
        for confirmed in confirming:
            confirmed.result()

    sequences = Counter((s.event.key, s.origin.sequence) for s in on_log(log))
    assert len(sequences) == 3000
    assert set(sequences.values()) == {1}


# --- after a fork -------------------------------------------------------------------------------------------------


def test_a_child_of_a_fork_is_another_writer_and_sends_nothing_of_its_parent() -> None:
    log = MemoryLog()
    producer = producer_on(log)
    (before,) = producer.send([started()])

    def in_child() -> tuple[str, int, int, list[str]]:
        waiting = producer.send([VersionRecalled(collection="team/vision/a", version=0, reason="bad"), started()])
        sequences = [sent.sequence for sent in waiting]
        producer.confirm()
        return producer.session, sequences[0] + sequences[1], producer.pending, [s.event.name for s in on_log(log)]

    session, sequences, pending, names = in_a_fork(in_child)  # type: ignore[misc]
    producer.confirm()

    assert session not in (before.session, "")
    assert (sequences, pending, names) == (0, 0, ["version-recalled", "run-started"])
    assert [stamped.origin.session for stamped in on_log(log)] == [before.session]


@pytest.mark.usefixtures("frequent_switches")
def test_threads_of_a_child_lose_nothing_as_they_become_another_writer() -> None:
    producer = producer_on(log := MemoryLog())
    producer.send([started()])

    def in_child() -> tuple[int, int]:
        together = threading.Barrier(8)

        def send(number: int) -> None:
            together.wait()
            producer.send([started(f"team/vision/r{number}")])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(send, range(8)))
        producer.confirm()
        return len(on_log(log)), len({stamped.origin.session for stamped in on_log(log)})

    assert {in_a_fork(in_child) for _ in range(20)} == {(8, 1)}
