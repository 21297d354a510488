"""What a projector holds in memory is bounded, and what stops one partition is told of the first that stopped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.projector.state import AddEntries
from headwater_consumer.service.process import project_present
from headwater_consumer.writing import layer_entries
from headwater_consumer.writing.working_set import WorkingSet
from headwater_eventlog.port import NewRecord
from headwater_schemas import keys
from headwater_schemas.errors import UnknownSchema
from headwater_schemas.events import VersionCommitted
from sqlalchemy import text

from tests.consumer.inspection import versions_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.statements import count_of

BOUND = 100
UNKNOWN = b"\xc3\x01" + b"\xff" * 20


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(mode, tmp_path / "projection.db")
    yield database
    database.close()


def _rows(first: int, count: int) -> AddEntries:
    nothing = [None] * 4
    return AddEntries(
        [(7, f"{n:06}", 1, 0, 0, n, b"\x01" + bytes(16), "packs/o", *nothing) for n in range(first, first + count)]
    )


@pytest.mark.parametrize("per_event", [1, 7, 30, BOUND])
def test_the_working_set_holds_no_more_entries_than_its_bound(
    database: Database, monkeypatch: pytest.MonkeyPatch, per_event: int
) -> None:
    monkeypatch.setattr(layer_entries, "ENTRIES_HELD_MAX", BOUND)
    held = []
    with database.transaction() as connection:
        state = WorkingSet(database.adapter, connection)
        for written in range(0, 5 * BOUND, per_event):
            state.write([_rows(written, per_event)])
            there = count_of(connection, text("SELECT count(*) FROM entries"))
            held.append(written + per_event - there)
        state.flush()
        assert count_of(connection, text("SELECT count(*) FROM entries")) == written + per_event

    assert max(held) == (BOUND - 1) // per_event * per_event, "as many as it may, and no more"


def test_what_is_bounded_is_about_thirty_megabytes() -> None:
    """Some 600 bytes a row, of which each event has at most 8,192."""
    assert layer_entries.ENTRIES_HELD_MAX == 50_000


def test_of_two_partitions_that_stop_the_first_is_raised(database: Database) -> None:
    log = MemoryLog(4)
    for partition in (3, 1):
        log.append([NewRecord(f"run:team/vision/{partition}", UNKNOWN, (), partition)])
    history = History(log, database)
    told = next(name for n in range(99) if log.partition_of(keys.collection_key(name := f"team/vision/m{n}")) == 2)
    draft, events = history.draft(told, {"a": b"1"})
    history.writer().write(*events, VersionCommitted(collection=told, draft=draft))

    for _ in range(2):
        with pytest.raises(UnknownSchema, match="partition 1 stops at"):
            project_present(log, database)

    assert len(versions_of(database, told)) == 1
