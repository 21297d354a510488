"""The main loop where another projector has some of its partitions: nothing is left out, and nobody waits for them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.service import projecting
from headwater_consumer.service.port import OnAssigned, OnRevoked
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import Record
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.events import VersionCommitted
from headwater_schemas.keys import collection_key
from sqlalchemy import Connection

from tests.consumer.inspection import fingerprint_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.projections import project_all

PARTITIONS = 3
TAKEN = 1
VERSIONS = 4
POLLS_MAX = 500


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    yield History(MemoryLog(PARTITIONS), database)
    database.close()


class _OneMember:
    """A group of one member, which has all partitions. It ends the service once all of the log is projected."""

    def __init__(self, history: History) -> None:
        self._log, self._projector = history.log, Projector(history.log, history.database)
        self._after: dict[int, int] = {}
        self._paused: set[int] = set()
        self._polls = 0
        self.service: ProjectorService

    def join(self, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> "_OneMember":
        self._on_assigned = on_assigned
        return self

    def poll(self, timeout_s: float, max_records: int) -> Mapping[int, list[Record]]:
        self._polls += 1
        assert self._polls < POLLS_MAX, f"after so many polls it is at {self._after}"
        if not self._after:
            self._after.update(self._on_assigned(range(PARTITIONS)))
        found: dict[int, list[Record]] = {}
        for partition in set(self._after) - self._paused:
            if records := self._log.read(partition, after=self._after[partition], limit=5):
                found[partition] = list(records)
                self._after[partition] = records[-1].position.offset
        if not found and self._is_at_the_end():
            self.service.stop()
        return found

    def _is_at_the_end(self) -> bool:
        return all(self._projector.cursor(p).offset == self._log.end(p) for p in range(PARTITIONS))

    def seek(self, partition: int, after: int) -> None:
        self._after[partition] = after
        self._paused.discard(partition)

    def pause(self, partitions: Collection[int]) -> None:
        self._paused.update(partitions)

    def commit_hint(self, positions: Mapping[int, int]) -> None:
        pass

    def close(self) -> None:
        pass


def _run(history: History, monkeypatch: pytest.MonkeyPatch) -> ProjectorService:
    monkeypatch.setattr(projecting, "TAKEN_RETRY_S", 0.01)
    monkeypatch.setattr(projecting, "POLL_S", 0.01)
    group = _OneMember(history)
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
