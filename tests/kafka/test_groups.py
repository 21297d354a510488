"""Sharing partitions among members of a group."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import pytest
from headwater_eventlog.kafka import KafkaEventLog, KafkaGroup, KafkaSettings, group
from headwater_eventlog.port import RecordsGone
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST
from kafka import KafkaConsumer

from tests.kafka import topics
from tests.kafka.topics import PARTITIONS, WAIT_S, opened, records_of
from tests.support.sessions import SESSION_S, SHORT_SESSION_S
from tests.support.warm_processes import warm

ALL = frozenset(range(PARTITIONS))


class Member:
    """A member that keeps its positions, and in `table` those of everybody, as the database would."""

    def __init__(
        self, log: KafkaEventLog, group_id: str, table: dict[int, int], *, session_s: float = SESSION_S
    ) -> None:
        self.table = table
        self.assigned: list[tuple[int, ...]] = []
        self.revoked: list[tuple[int, ...]] = []
        self.payloads: list[bytes] = []
        self.group = KafkaGroup(
            log, group_id, on_assigned=self._on_assigned, on_revoked=self._on_revoked, session_timeout_s=session_s
        )

    def _on_assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.assigned.append(tuple(partitions))
        return {partition: self.table.get(partition, BEFORE_FIRST) for partition in partitions}

    def _on_revoked(self, partitions: Sequence[int]) -> None:
        self.revoked.append(tuple(partitions))

    def poll(self, timeout_s: float = 0.1, max_records: int = 1000) -> None:
        for partition, records in self.group.poll(timeout_s, max_records).items():
            assert records[0].position.offset > self.table.get(partition, BEFORE_FIRST)
            self.table[partition] = records[-1].position.offset
            self.payloads += [record.payload for record in records]
        self.group.commit_hint(self.table)

    def poll_until(self, count: int) -> None:
        deadline = time.monotonic() + WAIT_S
        while len(self.payloads) < count and time.monotonic() < deadline:
            self.poll()


@pytest.fixture
def group_id() -> str:
    return f"group-{uuid.uuid4().hex}"


def together(*members: Member, until: Callable[[], bool]) -> None:
    """Let every member poll in a thread of its own, as a process would; while one waits, others answer for theirs."""
    over = threading.Event()

    def poll(member: Member) -> None:
        while not over.is_set():
            member.poll()

    deadline = time.monotonic() + WAIT_S
    with ThreadPoolExecutor(len(members)) as threads:
        polling = [threads.submit(poll, member) for member in members]
        while not until() and time.monotonic() < deadline and not any(one.done() for one in polling):
            time.sleep(0.01)
        over.set()
    for one in polling:
        one.result()
    assert until(), [member.group.assigned for member in members]


def share(*members: Member) -> None:
    """Until every partition is one member's."""

    def is_shared() -> bool:
        owned = [member.group.assigned for member in members]
        return all(owned) and sorted(number for each in owned for number in each) == sorted(ALL)

    together(*members, until=is_shared)


def polled_100_times(member: Member) -> None:
    for _ in range(100):
        member.poll()


def fill(log: KafkaEventLog, name: str, each: int = 10) -> list[bytes]:
    given = [f"{name}-{partition}-{n}".encode() for partition in ALL for n in range(each)]
    log.append([r for p in given for r in records_of("k", p, partition=int(p.split(b"-")[1]))], timeout_s=WAIT_S)
    return given


def test_one_member_reads_all_partitions_from_where_it_is_told(log: KafkaEventLog, group_id: str) -> None:
    fill(log, "old", each=3)
    member = Member(log, group_id, {0: 1, 1: 2, 2: BEFORE_FIRST})

    member.poll_until(1 + 0 + 3 + 3)

    assert member.group.assigned == ALL
    expected = [b"old-0-2", *(f"old-{partition}-{n}".encode() for partition in (2, 3) for n in range(3))]
    assert sorted(member.payloads) == sorted(expected)
    member.group.close()


def test_members_share_the_partitions_and_one_that_leaves_hands_its_own_over(log: KafkaEventLog, group_id: str) -> None:
    table: dict[int, int] = {}
    first, second = Member(log, group_id, table), Member(log, group_id, table)
    share(first, second)
    given = fill(log, "shared")
    together(first, second, until=lambda: len(first.payloads) + len(second.payloads) >= len(given))
    assert sorted(first.payloads + second.payloads) == sorted(given)
    assert first.payloads
    assert second.payloads

    second.group.close()
    assert second.revoked
    started = time.monotonic()
    share(first)
    assert time.monotonic() - started < SESSION_S
    more = fill(log, "alone")
    before = len(first.payloads)
    first.poll_until(before + len(more))
    assert sorted(first.payloads[before:]) == sorted(more)
    first.group.close()


def test_kept_hints_do_not_move_a_member_whose_table_says_otherwise(log: KafkaEventLog, group_id: str) -> None:
    given = fill(log, "twice")
    first = Member(log, group_id, {})
    first.poll_until(len(given))
    first.poll(0.3)
    first.group.close()

    second = Member(log, group_id, {})
    second.poll_until(len(given))

    assert sorted(second.payloads) == sorted(given)
    second.group.close()


def test_a_paused_partition_gives_nothing_until_it_is_resumed(log: KafkaEventLog, group_id: str) -> None:
    member = Member(log, group_id, {})
    share(member)
    member.group.pause([0, 1])
    given = fill(log, "held")
    member.poll_until(len(given) // 2)
    member.poll(0.3)
    assert {payload.split(b"-")[1] for payload in member.payloads} == {b"2", b"3"}

    member.group.resume([0, 1])
    member.poll_until(len(given))
    assert sorted(member.payloads) == sorted(given)
    member.group.close()


def test_seeking_gives_records_again(log: KafkaEventLog, group_id: str) -> None:
    member = Member(log, group_id, {})
    fill(log, "again", each=3)
    member.poll_until(12)
    member.table[2] = 0
    member.group.seek(2, 0)
    member.poll_until(14)

    assert member.payloads[12:] == [b"again-2-1", b"again-2-2"]
    member.group.close()


def test_a_member_that_takes_small_bites_skips_nothing(log: KafkaEventLog, group_id: str) -> None:
    given = fill(log, "bite", each=25)
    member = Member(log, group_id, {})
    deadline = time.monotonic() + WAIT_S
    while len(member.payloads) < len(given) and time.monotonic() < deadline:
        member.poll(max_records=7)

    assert sorted(member.payloads) == sorted(given)
    member.group.close()


def test_records_that_are_gone_stop_their_partition_and_no_other(
    log: KafkaEventLog, where: KafkaSettings, group_id: str
) -> None:
    fill(log, "gone")
    topics.delete_records(where.topic, 1, before=4)
    member = Member(log, group_id, {})

    with pytest.raises(RecordsGone, match=r"partition 1 .* begins at offset 4") as gone:
        polled_100_times(member)
    assert gone.value.partition == 1
    member.poll_until(30)
    member.poll(0.3)
    assert {payload.split(b"-")[1] for payload in member.payloads} == {b"0", b"2", b"3"}
    member.group.close()


def test_where_asking_for_positions_fails_nothing_is_skipped(log: KafkaEventLog, group_id: str) -> None:
    given = fill(log, "asked")
    member = Member(log, group_id, {})
    refuse = [True, True]

    def on_assigned(partitions: Sequence[int]) -> Mapping[int, int]:
        if refuse:
            refuse.pop()
            raise LookupError("the database is away")
        return member._on_assigned(partitions)

    member.group._on_assigned = on_assigned
    for _ in range(2):
        with pytest.raises(LookupError):
            polled_100_times(member)
    member.poll_until(len(given))

    assert sorted(member.payloads) == sorted(given)
    member.group.close()


def test_a_topic_made_anew_under_a_group_is_refused(log: KafkaEventLog, where: KafkaSettings, group_id: str) -> None:
    member = Member(log, group_id, {})
    share(member)
    topics.make_anew(where.topic)

    with pytest.raises(StoreUnavailable, match="deleted and created again"):
        polled_100_times(member)
    member.group.close()


def test_a_group_that_was_left_says_so(log: KafkaEventLog, group_id: str) -> None:
    member = Member(log, group_id, {})
    member.group.close()
    member.group.close()

    with pytest.raises(StoreUnavailable, match="was left"):
        member.poll()


def test_a_member_joins_once_the_broker_it_asks_has_heard_of_the_topic(
    log: KafkaEventLog, group_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, lacking = KafkaConsumer.partitions_for_topic, 3

    def partitions_for_topic(consumer: KafkaConsumer, topic: str) -> set[int]:
        nonlocal lacking
        lacking -= 1
        return ask(consumer, topic) if lacking < 0 else set()

    monkeypatch.setattr(KafkaConsumer, "partitions_for_topic", partitions_for_topic)
    member = Member(log, group_id, {})
    assert lacking < 0
    share(member)

    member.group.close()


def test_a_member_that_never_hears_of_the_topic_says_so(
    log: KafkaEventLog, group_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "PROPAGATION_WAIT_S", 0.2)
    monkeypatch.setattr(KafkaConsumer, "partitions_for_topic", lambda *_: set())

    with pytest.raises(StoreUnavailable, match=f"does not list topic '{log.settings.topic}'"):
        Member(log, group_id, {})


def _poll_for_ever(where: KafkaSettings, group_id: str, pipe: Connection) -> None:
    with opened(where) as log:
        member = Member(log, group_id, {}, session_s=SHORT_SESSION_S)
        while True:
            member.poll()
            pipe.send(len(member.group.assigned))


def test_what_a_killed_member_had_goes_to_the_others(log: KafkaEventLog, where: KafkaSettings, group_id: str) -> None:
    ours, theirs = warm.Pipe(duplex=False)
    process = warm.Process(target=_poll_for_ever, args=(where, group_id, theirs))
    process.start()
    theirs.close()
    while ours.recv() != PARTITIONS:
        pass
    member = Member(log, group_id, {})
    deadline = time.monotonic() + WAIT_S
    while not member.group.assigned and time.monotonic() < deadline:
        member.poll()
    assert 0 < len(member.group.assigned) < PARTITIONS

    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    started = time.monotonic()
    share(member)

    print(f"taken over after {time.monotonic() - started:.1f} s")
    given = fill(log, "after")
    member.poll_until(len(given))
    assert sorted(member.payloads) == sorted(given)
    member.group.close()
