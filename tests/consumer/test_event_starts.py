"""Where a subscriber begins in a log that was restored: cursors of the old one count, and so do cuts of the new one."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.subscriptions.starting import check_cursor, starting_cursor
from headwater_consumer.writing.restore import ancestors_after
from headwater_schemas.errors import InvalidInput
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import Cut, position_of

from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.restoring import restore

NAMES = [f"team/vision/c{n}" for n in range(6)]
PARTITIONS = 2
NEXT_CENTURY_US = 4_102_444_800_000_000


@pytest.fixture
def old(tmp_path: Path) -> Iterator[History]:
    """A log whose offsets do not begin at 0, so that a restore moves every record."""
    database = open_database("embedded", tmp_path / "old.db")
    history = History(MemoryLog(PARTITIONS, first_offset=40), database)
    for n in range(3):
        for name in NAMES:
            history.commit(name, {"a": b"%d" % n})
    yield history
    database.close()


@pytest.fixture
def new(old: History, tmp_path: Path) -> Iterator[History]:
    """What it was restored into, with commits of its own."""
    log = MemoryLog(
        PARTITIONS, generation="new", ancestors=ancestors_after(old.log), start_us=NEXT_CENTURY_US, first_offset=7
    )
    restore(old.log, log, timeout_s=5)
    database = open_database("embedded", tmp_path / "new.db")
    history = History(log, database)
    for _ in range(3 * len(NAMES)):
        history.new_draft()  # whose names are taken
    for name in NAMES:
        history.commit(name, {"b": b"new"}, by="ben")
    yield history
    database.close()


def _ids_after(history: History, after: EventCursor) -> set[str]:
    return {event.id for event in version_events(history.database, after, limit=1000).events}


def _projection(history: History, tmp_path: Path) -> EmbeddedProjection:
    return EmbeddedProjection(history.log, history.database, tmp_path / "lock")


def test_a_cursor_of_the_old_log_goes_on_in_the_new_one(old: History, new: History, tmp_path: Path) -> None:
    page = version_events(old.database, EventCursor(old.log.generation), limit=1000)
    everything = _ids_after(new, EventCursor("new"))

    for number, told in enumerate(page.told(), 1):
        after = starting_cursor(new.log, new.database, _projection(new, tmp_path), told.cursor)
        assert _ids_after(new, after) == everything - {event.id for event in page.events[:number]}


def test_a_cut_of_the_new_log_counts_restored_records_by_where_they_are_now(new: History, tmp_path: Path) -> None:
    for partition in range(PARTITIONS):
        records = new.log.read(partition, after=-1)
        page = version_events(new.database, EventCursor("new"), partitions=[partition], limit=1000)
        left = ids = {event.id for event in page.events}
        sizes = set()
        for record in records:
            cut = Cut("new", {partition: record.position.offset})
            after = starting_cursor(new.log, new.database, _projection(new, tmp_path), cut.encode())
            rest = _ids_after(new, after) & ids
            assert rest <= left  # never more than after the record before
            left = rest
            sizes.add(len(rest))
        assert sizes == set(range(0, len(ids) + 1, 2))  # each commit takes its two events away


def test_now_is_after_everything_and_start_before_it(new: History, tmp_path: Path) -> None:
    projection = _projection(new, tmp_path)

    assert _ids_after(new, starting_cursor(new.log, new.database, projection, "now")) == set()
    assert len(_ids_after(new, starting_cursor(new.log, new.database, projection, "start"))) == 2 * 4 * len(NAMES)


def test_the_first_and_the_last_time_that_can_be_written_are_places_in_any_zone(new: History, tmp_path: Path) -> None:
    projection = _projection(new, tmp_path)
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=23, minutes=59)))
    last = datetime.max.replace(tzinfo=timezone(-timedelta(hours=23, minutes=59)))

    assert _ids_after(new, starting_cursor(new.log, new.database, projection, last)) == set()
    everything = _ids_after(new, starting_cursor(new.log, new.database, projection, "start"))
    assert _ids_after(new, starting_cursor(new.log, new.database, projection, first)) == everything


def test_a_place_beyond_the_end_or_of_another_log_is_refused(new: History, tmp_path: Path) -> None:
    projection = _projection(new, tmp_path)
    now = starting_cursor(new.log, new.database, projection, "now")
    partition, (last, index) = max(now.reached.items())
    assert position_of(last).epoch == 1

    check_cursor(new.log, projection, now)
    with pytest.raises(InvalidInput, match="beyond the end"):
        check_cursor(new.log, projection, EventCursor("new", {partition: (last + 1, index)}))
    with pytest.raises(InvalidInput, match="is of log 'another'"):
        check_cursor(new.log, projection, EventCursor("another", now.reached))
    with pytest.raises(InvalidInput, match="is of log 'memory'"):
        starting_cursor(new.log, new.database, projection, Cut("memory", {0: 41}).encode())
