"""The main loop where another projector has some of its partitions, or the database goes back: nothing is left out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import table_name
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.service import projecting
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import Record
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.events import VersionCommitted
from headwater_schemas.keys import collection_key

from tests.consumer.inspection import fingerprint_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.one_member import OneMember
from tests.support.projections import project_all

PARTITIONS = 3
TAKEN = 1
VERSIONS = 4
POLLS_MAX = 500
IDLE_POLL_S = 0.01


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    yield History(MemoryLog(PARTITIONS), database)
    database.close()


class _UntilProjected(OneMember):
    """It has all partitions, and ends the service once all of the log is projected.

    Before that, `at_first_end` is called once.
    """

    def __init__(self, history: History, at_first_end: Callable[[], None] | None) -> None:
        super().__init__(history.log)
        self._projector = Projector(history.log, history.database)
        self._at_first_end = at_first_end

    def poll(self, timeout_s: float, max_records: int) -> Mapping[int, list[Record]]:
        self.polls += 1
        assert self.polls < POLLS_MAX, f"after so many polls it is at {self.after}"
        if not self.after:
            self.after.update(self.assign(range(PARTITIONS)))
        found: dict[int, list[Record]] = {}
        for partition in set(self.after) - self.paused:
            if records := self.log.read(partition, after=self.after[partition], limit=5):
                found[partition] = list(records)
                self.after[partition] = records[-1].position.offset
        if not found:
            time.sleep(IDLE_POLL_S)
        if not found and self._is_at_the_end():
            if self._at_first_end is None:
                self.service.stop()
            else:
                self._at_first_end()
                self._at_first_end = None
        return found

    def _is_at_the_end(self) -> bool:
        return all(self._projector.cursor(p).offset == self.log.end(p) for p in range(PARTITIONS))


def _run(
    history: History, monkeypatch: pytest.MonkeyPatch, at_first_end: Callable[[], None] | None = None
) -> ProjectorService:
    monkeypatch.setattr(projecting, "TAKEN_RETRY_S", 0.01)
    monkeypatch.setattr(projecting, "COMPARE_S", 0.01)
    monkeypatch.setattr(projecting, "POLL_S", 0.01)
    group = _UntilProjected(history, at_first_end)
    service = group.service = ProjectorService(history.log, history.database, group.join)
    service.run()
    return service


def _write(history: History) -> None:
    """Versions in all partitions, not projected."""
    for n in range(VERSIONS):
        for partition in range(PARTITIONS):
            names = (f"team/vision/c{m}" for m in range(1000))
            name = next(one for one in names if history.log.partition_of(collection_key(one)) == partition)
            draft, events = history.draft(name, {"a": b"%d" % n})
            history.writer().write(*events, VersionCommitted(collection=name, draft=draft))


def _take(monkeypatch: pytest.MonkeyPatch, database: Database, times: int) -> list[int]:
    """Another projector has locked a partition, so many times; returns one for each time that it was asked for."""
    lock_cursors = database.adapter.lock_cursors
    asked: list[int] = []

    def lock(connection: Connection, partitions: Sequence[int]) -> list[LogPositionRow]:
        found = lock_cursors(connection, partitions)
        if TAKEN in partitions and len(asked) < times:
            asked.append(TAKEN)
            return [cursor for cursor in found if cursor.partition != TAKEN]
        return found

    monkeypatch.setattr(database.adapter, "lock_cursors", lock)
    return asked


def _check_complete(history: History, mode: str, folder: Path) -> None:
    again = open_database(mode, folder / "again.db")
    project_all(history.log, Projector(history.log, again))
    assert fingerprint_of(history.database) == fingerprint_of(again)
    again.close()


def test_a_partition_that_another_has_locked_is_tried_again_later(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(history)
    asked = _take(monkeypatch, history.database, times=3)

    service = _run(history, monkeypatch)

    assert len(asked) == 3
    assert service.status.now.stopped == {}
    _check_complete(history, mode, tmp_path)


def test_no_record_is_left_out_where_the_database_fails_while_it_is_asked_how_far_another_is(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(history)
    asked = _take(monkeypatch, history.database, times=1)
    cursor = Projector.cursor
    failed: list[int] = []

    def failing(self: Projector, partition: int) -> LogPositionRow:
        if asked and not failed:
            failed.append(partition)
            raise StoreUnavailable("the database does not answer.")
        return cursor(self, partition)

    monkeypatch.setattr(Projector, "cursor", failing)
    _run(history, monkeypatch)

    assert failed == [TAKEN]
    _check_complete(history, mode, tmp_path)


def test_what_a_database_lost_in_a_crash_is_projected_again_also_where_no_record_follows(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(history)
    lost: list[int] = []

    def crash() -> None:
        """It has lost all of its transactions, which is the most that a crash can take."""
        with history.database.transaction() as connection:
            lost.append(sum(connection.driver.execute(f"DELETE FROM {t}").rowcount for t in map(table_name, ROW_TYPES)))

    _run(history, monkeypatch, crash)

    assert sum(lost) > PARTITIONS * VERSIONS
    _check_complete(history, mode, tmp_path)
