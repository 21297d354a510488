"""Events for every partition, of which a writer that was killed wrote some: maintenance writes the others."""

from collections.abc import Collection, Iterator

import pytest
from headwater_consumer.database import Database
from headwater_consumer.maintenance.broadcasts import finish_broadcasts
from headwater_consumer.queries.broadcasts import condemned_everywhere, unfinished_broadcasts
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import Reason
from headwater_schemas.events import BlobsCondemned, Event, RulesChanged, RunStarted, SessionsRetired
from headwater_schemas.keys import broadcast_key

from tests.consumer.events import PROJECT
from tests.consumer.inspection import Databases, fingerprint_of, rejections_of, rows_of
from tests.support.history import UNDECODABLE, History, pack_of
from tests.support.memory_log import MemoryLog

PARTITIONS = 4
EVERYWHERE = range(PARTITIONS)
KEY = broadcast_key(PROJECT)


@pytest.fixture
def history(databases: Databases) -> Iterator[History]:
    with databases.empty() as database:
        yield History(MemoryLog(PARTITIONS), database)


@pytest.fixture
def replayed(databases: Databases) -> Iterator[Database]:
    with databases.empty() as database:
        yield database


def _condemned(number: int, *objects: int) -> BlobsCondemned:
    names = tuple(pack_of(PROJECT, n) for n in objects or (number,))
    return BlobsCondemned(broadcast=f"{number:032x}", project=PROJECT, objects=names)


def _write(history: History, record: NewRecord, partitions: Collection[int]) -> None:
    history.log.append([record._replace(partition=p) for p in partitions], timeout_s=5)
    history.project()


def _cut_off(history: History, event: Event, partitions: Collection[int], by: str = "killed") -> NewRecord:
    """A writer sends an event to every partition, and is killed when only these have it."""
    record = history.writer(by).stamp(event)
    _write(history, record, partitions)
    return record


def _finish(history: History) -> int:
    written = finish_broadcasts(history.database, history.log)
    history.project()
    return written


def _everywhere(history: History) -> list[str]:
    return condemned_everywhere(history.database, PROJECT, PARTITIONS)


def _received(history: History, number: int) -> list[int]:
    sql = "SELECT partition FROM broadcasts WHERE broadcast = ? ORDER BY partition"
    return [partition for (partition,) in rows_of(history.database, sql, f"{number:032x}")]


@pytest.mark.parametrize("partitions", [(0,), (2,), (1, 3), (0, 1, 2)])
def test_what_a_killed_writer_left_out_is_written_and_counts_once(
    history: History, replayed: Database, partitions: tuple[int, ...]
) -> None:
    event = _condemned(1)
    sent = _cut_off(history, event, partitions)
    assert _everywhere(history) == [], "nothing may act on what is not everywhere"
    assert [set(one.partitions) for one in unfinished_broadcasts(history.database, PARTITIONS)] == [set(partitions)]

    assert _finish(history) == PARTITIONS - len(partitions)

    assert _received(history, 1) == [*EVERYWHERE]
    assert _everywhere(history) == [pack_of(PROJECT, 1)]
    assert unfinished_broadcasts(history.database, PARTITIONS) == []
    assert _finish(history) == 0
    before = fingerprint_of(history.database)
    _write(history, sent, EVERYWHERE)  # the writer was only slow, and sends it once more itself
    assert fingerprint_of(history.database) == before
    History(history.log, replayed).project()
    assert fingerprint_of(replayed) == before


def test_the_records_are_those_that_the_writer_would_have_written(history: History) -> None:
    sent = _cut_off(history, _condemned(1), [0])

    _finish(history)

    written = [history.log.read(p, after=-1)[-1] for p in EVERYWHERE]
    assert [(r.key, r.payload, dict(r.headers)) for r in written] == [(KEY, sent.payload, dict(sent.headers))] * 4


def test_several_are_written_in_the_order_of_their_writer(history: History) -> None:
    _cut_off(history, _condemned(9), [0, 1])
    _cut_off(history, _condemned(3), [0])
    _cut_off(history, RulesChanged(broadcast="5" * 32, project=PROJECT, rule="r", value="{}"), [0])
    _cut_off(history, _condemned(4), [3], by="another")

    assert _finish(history) == 2 + 3 + 3 + 3

    assert rejections_of(history.database) == []
    assert _everywhere(history) == [pack_of(PROJECT, n) for n in (3, 4, 9)]
    assert len(rows_of(history.database, "SELECT 1 FROM project_facts WHERE kind = 'rule'")) == PARTITIONS
    assert _finish(history) == 0


def test_a_partition_is_not_given_what_it_refused(history: History) -> None:
    retired = SessionsRetired(broadcast="7" * 32, before_ms=2**48 - 1)
    history.writer("last").session = "f" * 48
    _cut_off(history, _condemned(1), [0])
    _cut_off(history, retired, [2], by="last")

    assert _finish(history) == 2 + 3, (
        "one to each partition that takes the old writer's, one to all that lack the other"
    )

    assert _received(history, 1) == [], "it ended with its session"
    assert rejections_of(history.database) == []
    assert _finish(history) == 0


def test_a_partition_that_lacks_an_earlier_event_of_the_writer_is_left_alone(history: History) -> None:
    refused = BlobsCondemned(broadcast="8" * 32, project=PROJECT, objects=(pack_of("team/other"),))
    _cut_off(history, refused, [0])
    _cut_off(history, _condemned(2), [0])
    assert rejections_of(history.database) == [Reason.INVALID]

    assert _finish(history) == 0, "no partition but one would take the second without the first, which is not kept"
    assert rejections_of(history.database) == [Reason.INVALID]
    assert _everywhere(history) == []


def test_a_partition_whose_key_waits_behind_a_dead_letter_is_given_nothing_until_that_is_decided(
    history: History,
) -> None:
    history.log.append([NewRecord(KEY, UNDECODABLE, (), 1)], timeout_s=5)
    _cut_off(history, _condemned(1), [0, 1])

    assert _finish(history) == 2
    assert _finish(history) == 0
    assert _received(history, 1) == [0, 2, 3]
    assert len(rows_of(history.database, "SELECT 1 FROM parked_records")) == 1


def test_objects_are_condemned_everywhere_page_by_page_and_each_project_by_itself(history: History) -> None:
    _cut_off(history, _condemned(1, 5, 6, 7, 8), EVERYWHERE)
    _cut_off(history, BlobsCondemned(broadcast="b" * 32, project="team/visio", objects=(pack_of("team/visio"),)), [0])

    first = condemned_everywhere(history.database, PROJECT, PARTITIONS, limit=3)
    rest = condemned_everywhere(history.database, PROJECT, PARTITIONS, after=first[-1], limit=3)

    assert first + rest == [pack_of(PROJECT, n) for n in (5, 6, 7, 8)]
    assert condemned_everywhere(history.database, "team/visio", PARTITIONS) == []


def test_events_of_one_key_are_never_mistaken_for_broadcasts(history: History) -> None:
    history.write(RunStarted(run=f"{PROJECT}/r1"))

    assert unfinished_broadcasts(history.database, PARTITIONS) == []
    assert _finish(history) == 0
