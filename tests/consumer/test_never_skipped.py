"""A subscriber that reads while many transactions commit, some of them late, reads every event once and in order."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from headwater_consumer.database.connection import Connection
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.queries.results import EventFilter, VersionEventInfo
from headwater_consumer.subscriptions.following import EventReader
from headwater_consumer.writing.runner import Projector
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import VersionCommitted
from headwater_schemas.positions import position_of

from tests.consumer.inspection import rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database

PARTITIONS = 6
COMMITS = 8  # in each partition
BATCH = 3  # records
LATE_S_MAX = 0.03  # from a transaction's last statement to its commit

_really_commit = Connection.commit


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    yield History(MemoryLog(PARTITIONS), database)
    database.close()


def _write(history: History) -> None:
    """Commits in every partition, in turn: so their times say nothing about when they are projected."""
    names: dict[int, str] = {}
    for n in range(1000):
        names.setdefault(history.log.partition_of(f"collection:team/vision/c{n}"), f"team/vision/c{n}")
    assert len(names) == PARTITIONS
    for n in range(COMMITS):
        for name in names.values():
            draft, events = history.draft(name, {"a": b"%d" % n})
            history.writer().write(*events, VersionCommitted(collection=name, draft=draft))


def _project(history: History, partition: int) -> None:
    projector = Projector(history.log, history.database, records_per_batch=BATCH)
    while projector.project_batch(partition):
        pass


def _commit_late(connection: Connection) -> None:
    time.sleep(random.uniform(0, LATE_S_MAX))
    _really_commit(connection)


def test_no_event_is_stepped_over_however_late_its_transaction_commits(history: History, tmp_path: Path) -> None:
    _write(history)
    projectors = [threading.Thread(target=_project, args=(history, partition)) for partition in range(PARTITIONS)]
    reader = EventReader(
        history.database,
        EmbeddedProjection(history.log, history.database, tmp_path / "lock"),
        EventCursor(history.log.generation),
        wanted=EventFilter(),
        projects=False,
        is_remote=False,
    )
    found: list[VersionEventInfo] = []
    pages = 0

    with patch.object(Connection, "commit", _commit_late):
        for projector in projectors:
            projector.start()
        while any(projector.is_alive() for projector in projectors):
            page = reader.next_page(limit=5)
            found += page.events
            pages += bool(page.events)
    while (page := reader.next_page(limit=5)).more or page.events:
        found += page.events

    keys = [(event.position, event.index) for event in found]
    assert sorted(keys) == rows_of(history.database, "SELECT position, record_index FROM version_events ORDER BY 1, 2")
    assert len(keys) == PARTITIONS * COMMITS * 2  # a version, and `latest`
    for partition in range(PARTITIONS):
        of_partition = [key for key in keys if position_of(key[0]).partition == partition]
        assert of_partition == sorted(of_partition)
    assert pages > PARTITIONS  # it read while they committed
