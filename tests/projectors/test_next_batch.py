"""Applying what follows where a projector left its partitions, in one transaction, without asking where they stand."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.database import Database
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import GaveWay
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing import batches, runner
from headwater_consumer.writing.batches import Applied, Batch
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import StoreUnavailable, UnknownSchema
from headwater_schemas.events import AliasMoved, VersionCommitted
from headwater_schemas.keys import collection_key

from tests.consumer.inspection import fingerprint_of, rows_of, versions_of
from tests.projectors.harness import UNKNOWN
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import SERVICE, open_database
from tests.support.projections import project_all

PARTITIONS = 4
ALL = range(PARTITIONS)


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    yield History(MemoryLog(PARTITIONS), database)
    database.close()


def _collection(history: History, partition: int) -> str:
    names = (f"team/vision/c{n}" for n in range(1000))
    return next(name for name in names if history.log.partition_of(collection_key(name)) == partition)


def _write(history: History, partition: int, content: bytes = b"1") -> None:
    """A version on the log, not projected."""
    name = _collection(history, partition)
    draft, events = history.draft(name, {"a": content})
    history.writer().write(*events, VersionCommitted(collection=name, draft=draft))


def _polled(history: History, cursors: Mapping[int, LogPositionRow]) -> list[Batch]:
    return [Batch(cursor, history.log.read(p, after=cursor.offset)) for p, cursor in cursors.items()]


def _cursors(projector: Projector) -> dict[int, LogPositionRow]:
    return {partition: projector.cursor(partition) for partition in ALL}


def _replayed(history: History, mode: str, folder: Path) -> str:
    again = open_database(mode, folder / "again.db")
    project_all(history.log, Projector(history.log, again))
    found = fingerprint_of(again)
    again.close()
    return found


def test_batches_follow_on_each_other(history: History) -> None:
    projector = Projector(history.log, history.database)
    cursors = _cursors(projector)
    for content in (b"1", b"2"):
        for partition in ALL:
            _write(history, partition, content)
        cursors = {p: one.cursor for p, one in projector.apply(_polled(history, cursors)).items()}

    assert cursors == _cursors(projector)
    assert {p: cursor.offset for p, cursor in cursors.items()} == history.log.ends()


@contextmanager
def _transactions(database: Database) -> Iterator[list[None]]:
    """One for each transaction that writes."""
    begun: list[None] = []
    transaction = Database.transaction

    def counting(self: Database) -> AbstractContextManager[Connection]:
        begun.append(None)
        return transaction(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Database, "transaction", counting)
        yield begun


def test_a_poll_is_one_transaction_however_many_partitions_it_has(history: History) -> None:
    projector = Projector(history.log, history.database)
    for content in (b"1", b"2"):
        for partition in ALL:
            _write(history, partition, content)
        with _transactions(history.database) as begun:
            projector.apply(_polled(history, _cursors(projector)))

    assert len(begun) == 1


def test_of_a_partition_that_was_projected_elsewhere_nothing_is_applied_and_of_the_others_all(
    history: History, mode: str, tmp_path: Path
) -> None:
    projector = Projector(history.log, history.database)
    for partition in ALL:
        _write(history, partition)
    polled = _polled(history, _cursors(projector))
    overtaker = Projector(history.log, history.database, records_per_batch=2)
    overtaker.project_batch(2)

    applied = projector.apply(polled)

    assert isinstance(applied[2].stopped, StaleProjector)
    assert applied[2].count == 0
    assert [p for p in ALL if applied[p].stopped is None and applied[p].cursor.offset == history.log.end(p)] == [
        0,
        1,
        3,
    ]
    second = history.log.read(2, after=-1)[1]
    assert overtaker.cursor(2).offset == second.position.offset, "it stands where the other one left it"
    assert all(versions_of(history.database, _collection(history, p)) for p in (0, 1, 3))
    projector.project_batch(2)
    assert fingerprint_of(history.database) == _replayed(history, mode, tmp_path)


@pytest.mark.parametrize(
    "mode", [SERVICE], indirect=True, ids=["servers"]
)  # in a folder, transactions that write exclude each other
def test_what_another_transaction_has_locked_drops_out_without_waiting_and_the_others_are_applied(
    history: History,
) -> None:
    projector = Projector(history.log, history.database)
    for partition in ALL:
        _write(history, partition, b"0")
    projector.apply(_polled(history, _cursors(projector)))
    for partition in ALL:
        _write(history, partition)
    polled = _polled(history, _cursors(projector))

    with history.database.transaction() as other:
        history.database.adapter.lock_cursors(other, [1, 3])
        applied = projector.apply(polled)

    assert [isinstance(applied[p].stopped, StaleProjector) for p in ALL] == [False, True, False, True]
    assert [applied[p].cursor.offset == history.log.end(p) for p in ALL] == [True, False, True, False]
    again = projector.apply([batch for batch in polled if batch.cursor.partition in (1, 3)])
    assert all(one.stopped is None for one in again.values())


def test_a_partition_ends_before_an_unknown_schema_which_is_then_told(history: History) -> None:
    _write(history, 0)
    history.log.append([NewRecord(collection_key(_collection(history, 0)), UNKNOWN, (), 0)], timeout_s=5)
    _write(history, 0, b"2")
    _write(history, 1)
    projector = Projector(history.log, history.database)
    applied = projector.apply(_polled(history, _cursors(projector)))
    stops_at = history.log.read(0, after=applied[0].cursor.offset)[0].position.offset

    assert (applied[0].count, applied[1].count) == (3, 3)
    assert isinstance(applied[0].stopped, UnknownSchema)
    assert f"partition 0 stops at {stops_at}" in str(applied[0].stopped)
    again = projector.apply(_polled(history, {0: applied[0].cursor}))
    assert again == {0: Applied(applied[0].cursor, 0, again[0].stopped)}
    assert isinstance(again[0].stopped, UnknownSchema)


def test_refusals_are_counted_and_steps_told(history: History) -> None:
    history.writer().write(AliasMoved(collection=_collection(history, 0), alias="a", version=1))
    steps: list[int] = []
    projector = Projector(history.log, history.database, progress=lambda: steps.append(1))
    projector.apply(_polled(history, _cursors(projector)))

    assert projector.rejections == 1
    assert steps


def test_the_bound_on_bytes_is_that_of_all_partitions_together_and_small_ones_come_first(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BYTES_PER_BATCH_MAX", 1000)
    for partition, sizes in enumerate(([700, 700], [200, 200], [200], [300])):
        records = [NewRecord(f"run:team/vision/{n}", b"?" * size, (), partition) for n, size in enumerate(sizes)]
        history.log.append(records, timeout_s=5)
    projector = Projector(history.log, history.database)
    counts = []
    while polled := [batch for batch in _polled(history, _cursors(projector)) if batch.records]:
        counts.append({partition: one.count for partition, one in projector.apply(polled).items()})

    assert counts == [{2: 1, 3: 1, 1: 2}, {0: 1}, {0: 1}]


# --- transactions that the database undoes -------------------------------------------------------------------------


def _give_way(monkeypatch: pytest.MonkeyPatch, history: History, times: int) -> None:
    """The first so many transactions are undone at their first upsert."""
    upsert, left = history.database.adapter.upsert_rows, [None] * times

    def upsert_rows(*arguments: Any) -> None:
        if left:
            left.pop()
            raise GaveWay("deadlock detected")
        upsert(*arguments)

    monkeypatch.setattr(history.database.adapter, "upsert_rows", upsert_rows)


def test_a_transaction_that_gave_way_is_repeated_as_a_whole(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for partition in ALL:
        _write(history, partition)
    pauses: list[float] = []
    projector = Projector(history.log, history.database, sleep=pauses.append)
    with monkeypatch.context() as patched:
        _give_way(patched, history, times=2)
        applied = projector.apply(_polled(history, _cursors(projector)))

    assert all(one.stopped is None for one in applied.values())
    assert len(pauses) == 2
    assert fingerprint_of(history.database) == _replayed(history, mode, tmp_path)


def test_a_transaction_that_always_gives_way_is_told_after_some_attempts_and_leaves_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(history, 0)
    pauses: list[float] = []
    projector = Projector(history.log, history.database, sleep=pauses.append)
    with monkeypatch.context() as patched:
        _give_way(patched, history, times=100)
        with pytest.raises(StoreUnavailable, match="deadlock detected"):
            projector.apply(_polled(history, _cursors(projector)))

    assert len(pauses) == (runner.REPEATS.attempts_max or 0) - 1
    assert rows_of(history.database, "SELECT * FROM versions") == []
