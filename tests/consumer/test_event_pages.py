"""Reading version events page by page: each is read once, in the order of its partition, wherever a page ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.event_starts import last_version_events, version_events_before
from headwater_consumer.queries.results import EventFilter, VersionEventInfo
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import AliasMoved
from headwater_schemas.positions import position_of
from headwater_schemas.version_events import ALIAS_MOVED, VERSION_COMMITTED

from tests.consumer.inspection import rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database

PARTITIONS = 3
COLLECTIONS = [f"team/vision/c{n}" for n in range(6)]
RUN = "team/vision/nightly"
EVERYTHING = EventFilter()


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    yield History(MemoryLog(PARTITIONS), database)
    database.close()


@pytest.fixture
def full(history: History) -> History:
    """Some events in each partition."""
    history.run(RUN)
    for n in range(3):
        for name in COLLECTIONS:
            history.commit(name, {"a": b"%d" % n}, aliases=["best"])
    history.write(AliasMoved(collection=COLLECTIONS[0], alias="best", version=0))
    return history


def _start(history: History) -> EventCursor:
    return EventCursor(history.log.generation)


def _read(
    history: History, after: EventCursor, wanted: EventFilter = EVERYTHING, *, limit: int
) -> list[VersionEventInfo]:
    """All that follows; the cursor goes through its text from page to page, as with a subscriber that is restarted."""
    found: list[VersionEventInfo] = []
    while True:
        page = version_events(history.database, after, wanted=wanted, limit=limit)
        found += page.events
        after = EventCursor.decode(page.cursor.encode())
        if not page.more:
            assert version_events(history.database, after, limit=limit).events == []
            return found


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_every_event_is_read_once_and_in_order_whatever_the_size_of_a_page(full: History, limit: int) -> None:
    found = _read(full, _start(full), limit=limit)

    keys = [(event.position, event.index) for event in found]
    assert sorted(keys) == rows_of(full.database, "SELECT position, record_index FROM version_events ORDER BY 1, 2")
    assert len(found) == len(set(keys)) == len({event.id for event in found})
    for partition in range(PARTITIONS):
        of_partition = [key for key in keys if position_of(key[0]).partition == partition]
        assert of_partition == sorted(of_partition) != []


def test_an_event_comes_with_the_type_and_digest_of_its_version(full: History) -> None:
    (first, *_) = _read(
        full, _start(full), EventFilter(subject=COLLECTIONS[0], kinds=frozenset([VERSION_COMMITTED])), limit=5
    )

    ((digest, author),) = rows_of(
        full.database, f"SELECT digest, author FROM versions WHERE collection = '{COLLECTIONS[0]}' AND version = 0"
    )
    assert (first.type, first.version, first.digest, first.author) == ("dataset", 0, digest, author)
    assert first.project == "team/vision"


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (EventFilter(subject=COLLECTIONS[1]), 3 * 3),
        (EventFilter(alias="best"), 3 * 6 + 1),
        (EventFilter(alias="best", subject=COLLECTIONS[0]), 4),
        (EventFilter(kinds=frozenset([VERSION_COMMITTED])), 3 * 6),
        (EventFilter(type="dataset", kinds=frozenset([VERSION_COMMITTED, ALIAS_MOVED])), 3 * 3 * 6 + 1),
        (EventFilter(project="team/vision", kinds=frozenset(["run-started", "run-finished"])), 2),
        (EventFilter(project="team/speech"), 0),
        (EventFilter(entity="team"), 3 * 3 * 6 + 1 + 2),
        (EventFilter(entity="tea"), 0),
    ],
    ids=["collection", "alias", "alias of one", "kind", "type", "runs", "nothing", "entity", "another entity"],
)
def test_only_what_is_wanted_is_read(full: History, wanted: EventFilter, count: int) -> None:
    found = _read(full, _start(full), wanted, limit=4)

    assert len(found) == count
    assert all(wanted.accepts(event) for event in found)


def test_a_filter_that_matches_nothing_moves_on(full: History) -> None:
    nothing = EventFilter(project="team/speech")
    page = version_events(full.database, _start(full), wanted=nothing, limit=10)

    assert (page.events, page.more) == ([], False)
    assert page.cursor == last_version_events(full.database, full.log.generation)


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_who_goes_on_after_any_event_of_a_page_reads_exactly_the_rest(full: History, limit: int) -> None:
    page = version_events(full.database, _start(full), limit=limit)
    everything = {event.id for event in _read(full, _start(full), limit=1000)}

    assert 0 < len(page.events) <= limit
    for number, told in enumerate(page.told(), 1):
        rest = _read(full, EventCursor.decode(told.cursor), limit=7)
        read = {event.id for event in page.events[:number]}
        assert {event.id for event in rest} == everything - read


def test_only_the_partitions_that_are_asked_for_are_read(full: History) -> None:
    page = version_events(full.database, _start(full), partitions=[1], limit=1000)

    assert {event.partition for event in page.events} == set(page.cursor.reached) == {1}


def test_a_page_is_about_in_the_order_of_time(full: History) -> None:
    times = [event.time_us for event in version_events(full.database, _start(full), limit=1000).events]

    assert times == sorted(times)


def test_who_begins_at_a_time_reads_what_is_not_older(full: History) -> None:
    everything = _read(full, _start(full), limit=1000)
    times = sorted({event.time_us for event in everything})

    for time_us in (0, times[0], times[1], times[len(times) // 2], times[-1], times[-1] + 1):
        after = version_events_before(full.database, full.log.generation, time_us)
        found = {event.id for event in _read(full, EventCursor.decode(after.encode()), limit=5)}
        assert found == {event.id for event in everything if event.time_us >= time_us}


def test_who_begins_now_reads_only_what_follows(full: History) -> None:
    now = last_version_events(full.database, full.log.generation)
    before = _read(full, now, limit=10)
    full.commit(COLLECTIONS[2], {"b": b"new"})

    found = _read(full, now, limit=10)
    assert before == []
    assert [(event.kind, event.subject, event.version, event.before) for event in found] == [
        (VERSION_COMMITTED, COLLECTIONS[2], 3, None),
        (ALIAS_MOVED, COLLECTIONS[2], 3, 2),
    ]


def test_before_anything_was_logged_there_is_nothing_to_read(history: History) -> None:
    assert _read(history, _start(history), limit=10) == []
    assert last_version_events(history.database, history.log.generation) == _start(history)
