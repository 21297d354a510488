"""What `EventLog` promises, of every adapter."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.port import BYTES_PER_READ_MAX, RECORDS_PER_APPEND_MAX, EventLog, NewRecord, Record
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.limits import EVENT_BYTES_MAX, HEADERS_BYTES_MAX
from headwater_schemas.positions import BEFORE_FIRST

from tests.contract.event_logs import LogPlace, each_adapter, fresh_place
from tests.support.warm_processes import warm

WAIT_S = 60.0
PROCESSES = 16
APPENDS_EACH = 8
BATCH = 5

pytestmark = each_adapter


@pytest.fixture
def place(adapter: str, tmp_path: Path) -> LogPlace:
    return fresh_place(adapter, tmp_path / "log")


@pytest.fixture
def log(place: LogPlace) -> Iterator[EventLog]:
    log = place.open()
    yield log
    log.close()


def everything(log: EventLog, *, limit: int = 1000) -> list[Record]:
    """All records, partition by partition."""
    found: list[Record] = []
    for partition in range(log.partitions):
        after = BEFORE_FIRST
        while batch := log.read(partition, after=after, limit=limit):
            found += batch
            after = batch[-1].position.offset
    return found


def payloads(log: EventLog) -> list[bytes]:
    return [record.payload for record in everything(log)]


def records_of(key: str, *payloads: bytes) -> list[NewRecord]:
    return [NewRecord(key, payload) for payload in payloads]


def test_a_record_comes_back_as_it_was_appended(log: EventLog) -> None:
    headers = (("ce_id", b"1"), ("ünï", b"\x00\xff"), ("ce_id", b"2"), ("empty", b""), ("", b"nameless"))
    payload = bytes(range(256))

    (position,) = log.append([NewRecord("collection:e/p/näme", payload, headers)], timeout_s=WAIT_S)

    (record,) = everything(log)
    assert (record.position, record.key, record.payload, record.headers) == (
        position,
        "collection:e/p/näme",
        payload,
        headers,
    )


def test_an_empty_payload_without_headers_comes_back(log: EventLog) -> None:
    log.append([NewRecord("k", b"")], timeout_s=WAIT_S)

    (record,) = everything(log)
    assert (record.payload, record.headers) == (b"", ())


def test_what_was_appended_is_in_the_store_itself(log: EventLog, place: LogPlace) -> None:
    positions = log.append(records_of("k", b"one", b"two"), timeout_s=WAIT_S)

    expected = [(p.partition, p.offset, "k", b) for p, b in zip(positions, (b"one", b"two"), strict=True)]
    assert place.raw() == expected


def test_records_of_one_append_stand_in_the_order_given(log: EventLog) -> None:
    given = [str(number).encode() for number in range(200)]

    positions = log.append(records_of("k", *given), timeout_s=WAIT_S)

    assert payloads(log) == given
    assert positions == sorted(positions) == [record.position for record in everything(log)]
    assert len(set(positions)) == len(positions)


def test_later_appends_stand_after_earlier_ones(log: EventLog) -> None:
    for payload in (b"first", b"second", b"third"):
        log.append(records_of("k", payload), timeout_s=WAIT_S)

    assert payloads(log) == [b"first", b"second", b"third"]


def test_an_empty_append_writes_nothing(log: EventLog, place: LogPlace) -> None:
    assert log.append([], timeout_s=WAIT_S) == []

    assert place.raw() == []


def test_equal_keys_stand_in_the_partition_that_the_log_names(log: EventLog) -> None:
    keys = [f"collection:e/p/n{number}" for number in range(20)]

    positions = log.append([NewRecord(key, b"") for key in keys + keys], timeout_s=WAIT_S)

    assert [position.partition for position in positions] == [log.partition_of(key) for key in keys + keys]
    assert all(0 <= position.partition < log.partitions for position in positions)


def test_a_record_can_be_put_in_a_partition_of_ones_choice(log: EventLog) -> None:
    wanted = list(range(log.partitions))

    positions = log.append([NewRecord("k", b"", partition=number) for number in wanted], timeout_s=WAIT_S)

    assert [position.partition for position in positions] == wanted


def test_the_end_is_the_last_records_offset(log: EventLog) -> None:
    partition = log.partition_of("k")
    assert log.end(partition) == BEFORE_FIRST

    positions = log.append(records_of("k", b"one", b"two"), timeout_s=WAIT_S)

    assert log.end(partition) == positions[-1].offset
    assert log.ends() == {number: log.end(number) for number in range(log.partitions)}


def test_reading_starts_after_the_offset_and_stops_at_the_limit(log: EventLog) -> None:
    positions = log.append(records_of("k", b"0", b"1", b"2", b"3"), timeout_s=WAIT_S)
    partition = positions[0].partition

    assert [r.payload for r in log.read(partition, after=positions[0].offset, limit=2)] == [b"1", b"2"]
    assert log.read(partition, after=positions[-1].offset) == []
    assert log.read(partition, after=BEFORE_FIRST, limit=0) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_reading_piece_by_piece_skips_nothing(log: EventLog, limit: int) -> None:
    given = [str(number).encode() for number in range(7)]
    for payload in given:
        log.append(records_of("k", payload), timeout_s=WAIT_S)

    assert [record.payload for record in everything(log, limit=limit)] == given


def test_a_read_is_bounded_in_bytes_and_gives_at_least_one_record(log: EventLog) -> None:
    payload = b"x" * EVENT_BYTES_MAX
    for _ in range(2):
        log.append(records_of("k", *[payload] * 12), timeout_s=WAIT_S)
    partition = log.partition_of("k")

    batch = log.read(partition, after=BEFORE_FIRST)

    assert 1 <= len(batch) <= BYTES_PER_READ_MAX // EVENT_BYTES_MAX
    assert len(everything(log)) == 24


def test_the_largest_headers_come_back(log: EventLog) -> None:
    headers = (("h", b"x" * (HEADERS_BYTES_MAX - 1)),)

    log.append([NewRecord("k", b"", headers)], timeout_s=WAIT_S)

    assert everything(log)[0].headers == headers


@pytest.mark.parametrize(
    "bad",
    [
        NewRecord("k", b"x" * (EVENT_BYTES_MAX + 1)),
        NewRecord("k", b"", (("h", b"x" * HEADERS_BYTES_MAX),)),
        NewRecord("k", b"", partition=99_999),
        NewRecord("k", b"", partition=-1),
    ],
    ids=["payload", "headers", "partition", "negative partition"],
)
def test_an_append_with_one_bad_record_is_refused_whole(log: EventLog, place: LogPlace, bad: NewRecord) -> None:
    with pytest.raises(InvalidInput):
        log.append([NewRecord("k", b"good"), bad], timeout_s=WAIT_S)

    assert place.raw() == []
    log.append(records_of("k", b"next"), timeout_s=WAIT_S)
    assert payloads(log) == [b"next"]


def test_too_many_records_in_one_append_are_refused(log: EventLog, place: LogPlace) -> None:
    with pytest.raises(InvalidInput, match="at most"):
        log.append([NewRecord("k", b"")] * (RECORDS_PER_APPEND_MAX + 1), timeout_s=WAIT_S)

    assert place.raw() == []


def test_reading_a_partition_that_is_not_there_is_refused(log: EventLog) -> None:
    with pytest.raises(InvalidInput, match="partition"):
        log.read(log.partitions, after=BEFORE_FIRST)
    with pytest.raises(InvalidInput, match="partition"):
        log.end(-1)


def test_a_log_keeps_its_generation_and_its_records_when_it_is_opened_again(log: EventLog, place: LogPlace) -> None:
    log.append(records_of("k", b"kept"), timeout_s=WAIT_S)
    log.close()

    again = place.open()

    assert (again.generation, again.partitions) == (log.generation, log.partitions)
    assert payloads(again) == [b"kept"]
    again.append(records_of("k", b"more"), timeout_s=WAIT_S)
    assert payloads(again) == [b"kept", b"more"]
    again.close()


def test_two_logs_have_different_generations(log: EventLog, adapter: str, tmp_path: Path) -> None:
    other = fresh_place(adapter, tmp_path / "other").open()

    assert other.generation != log.generation
    other.close()


def test_closing_twice_is_fine_and_a_closed_log_says_so(log: EventLog) -> None:
    log.close()
    log.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        log.append(records_of("k", b""), timeout_s=WAIT_S)


def test_append_time_is_the_present(log: EventLog) -> None:
    before_us = time.time_ns() // 1_000_000 * 1000  # a log's clock may count in milliseconds
    for _ in range(50):
        log.append(records_of("k", b""), timeout_s=WAIT_S)

    times = [record.time_us for record in everything(log)]
    assert before_us <= min(times)
    assert max(times) <= time.time_ns() // 1000


def _append_and_wait(place: LogPlace, pipe: Connection) -> None:
    pipe.send(place.open().append(records_of("k", b"kept", b"too"), timeout_s=WAIT_S))
    pipe.recv()  # for ever: it is killed here


def test_a_record_is_there_when_its_writer_is_killed_right_after_the_append(place: LogPlace) -> None:
    ours, theirs = warm.Pipe()
    writer = warm.Process(target=_append_and_wait, args=(place, theirs))
    writer.start()
    theirs.close()  # ours is told so, should the writer fail
    positions = ours.recv()
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()

    log = place.open()
    assert [record.position for record in everything(log)] == positions
    assert payloads(log) == [b"kept", b"too"]
    log.close()


def _append_for_ever(place: LogPlace, pipe: Connection) -> None:
    log = place.open()
    number = 0
    while True:
        positions = log.append(records_of("k", *[b"%d" % number] * BATCH), timeout_s=WAIT_S)
        pipe.send((number, positions))
        number += 1


def test_a_writer_killed_in_the_middle_leaves_every_confirmed_append_and_no_part_of_one(place: LogPlace) -> None:
    ours, theirs = warm.Pipe(duplex=False)
    writer = warm.Process(target=_append_for_ever, args=(place, theirs))
    writer.start()
    theirs.close()
    confirmed = [ours.recv() for _ in range(20)]
    writer.kill()
    writer.join()
    while ours.poll():
        try:
            confirmed.append(ours.recv())
        except EOFError:
            break

    log = place.open()
    found = {record.position: record.payload for record in everything(log)}
    assert all(found[position] == b"%d" % number for number, positions in confirmed for position in positions)
    assert len(found) % BATCH == 0
    log.close()


def _append_some(place: LogPlace, name: int, everyone: Barrier) -> None:
    log = place.open()  # the first ones make it, all at once
    everyone.wait(WAIT_S)
    for number in range(APPENDS_EACH):
        log.append(records_of(f"k{name}", *[b"%d/%d" % (number, n) for n in range(BATCH)]), timeout_s=WAIT_S)
    log.close()


def _run(target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    processes = [warm.Process(target=target, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_S)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_sixteen_processes_append_at_once_and_nothing_is_lost_or_out_of_order(place: LogPlace) -> None:
    everyone = warm.Barrier(PROCESSES)

    _run(_append_some, [(place, name, everyone) for name in range(PROCESSES)])

    log = place.open()
    found = everything(log)
    expected = [b"%d/%d" % (number, n) for number in range(APPENDS_EACH) for n in range(BATCH)]
    for name in range(PROCESSES):
        assert [record.payload for record in found if record.key == f"k{name}"] == expected
    assert len(found) == PROCESSES * APPENDS_EACH * BATCH == len({record.position for record in found})
    log.close()


def test_threads_append_through_one_log_at_once(log: EventLog) -> None:
    def append(name: int) -> None:
        for number in range(10):
            log.append(records_of(f"k{name}", b"%d" % number), timeout_s=WAIT_S)

    threads = [threading.Thread(target=append, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)

    found = everything(log)
    assert len(found) == 80
    for name in range(8):
        assert [r.payload for r in found if r.key == f"k{name}"] == [b"%d" % number for number in range(10)]


def test_a_reader_during_writes_sees_appends_whole(log: EventLog) -> None:
    written = threading.Event()

    def append() -> None:
        for number in range(40):
            log.append(records_of("k", *[b"%d" % number] * BATCH), timeout_s=WAIT_S)
        written.set()

    writer = threading.Thread(target=append)
    writer.start()
    while not written.is_set():
        assert len(log.read(log.partition_of("k"), after=BEFORE_FIRST)) % BATCH == 0
    writer.join(WAIT_S)
    assert len(everything(log)) == 40 * BATCH


def _in_a_fork(action: Callable[[], object]) -> int:
    """Start `action` in a forked child and give its process id; it exits with 0 when nothing was raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    finally:
        os._exit(status)


def _exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_appends_while_its_parent_does(log: EventLog) -> None:
    log.append(records_of("parent", b"before"), timeout_s=WAIT_S)

    def append(name: str) -> None:
        for number in range(30):
            log.append(records_of(name, b"%d" % number), timeout_s=WAIT_S)

    child = _in_a_fork(lambda: append("child"))
    append("parent")

    assert _exit_status(child) == 0
    expected = [b"%d" % number for number in range(30)]
    found = everything(log)
    assert [r.payload for r in found if r.key == "child"] == expected
    assert [r.payload for r in found if r.key == "parent"] == [b"before", *expected]


def test_what_a_child_appends_after_its_parent_closed_the_log_is_kept(log: EventLog, place: LogPlace) -> None:
    log.append(records_of("k", b"parent"), timeout_s=WAIT_S)
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()

    def append_before_and_after() -> None:
        log.append(records_of("k", b"before"), timeout_s=WAIT_S)
        os.write(from_child, b"!")
        os.read(to_child, 1)
        log.append(records_of("k", b"after"), timeout_s=WAIT_S)

    child = _in_a_fork(append_before_and_after)
    os.read(to_parent, 1)
    log.close()
    os.write(from_parent, b"!")

    assert _exit_status(child) == 0
    assert [payload for *_, payload in place.raw()] == [b"parent", b"before", b"after"]
    for descriptor in (to_child, from_parent, to_parent, from_child):
        os.close(descriptor)


def test_forks_while_other_threads_append_leave_both_sides_working(log: EventLog) -> None:
    stop = threading.Event()
    appended = [0]

    def append() -> None:
        while not stop.is_set():
            log.append(records_of("thread", b""), timeout_s=WAIT_S)
            appended[0] += 1

    thread = threading.Thread(target=append)
    thread.start()
    statuses = []
    for _ in range(5):
        child = _in_a_fork(lambda: log.append(records_of("child", b""), timeout_s=WAIT_S))
        statuses.append(_exit_status(child))
    stop.set()
    thread.join(WAIT_S)

    keys = [record.key for record in everything(log)]
    assert statuses == [0] * 5
    assert (keys.count("child"), keys.count("thread")) == (5, appended[0])
