"""Maintenance retires the sessions of writers that ended long ago, by an event, and none that may still be needed."""

from datetime import UTC, datetime

import pytest
from headwater_consumer.maintenance.old_sessions import Retirement, retire_sessions
from headwater_eventlog.port import NewRecord
from headwater_producer.producer import Producer
from headwater_schemas.events import DeadLetterResolved, DraftDiscarded, Event, RunStarted
from headwater_schemas.keys import first_session, run_key, session_start_ms
from headwater_schemas.positions import position_of

from tests.consumer.events import DIGITS, PROJECT, SHARED, added, committed, opened
from tests.consumer.inspection import rows_of
from tests.support.history import UNDECODABLE, History

DAYS = 30
DAY_MS = 86_400_000
NOW_MS = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp() * 1000)


def _say(history: History, days_ago: float, *events: Event) -> str:
    """Written by a session that began so long ago."""
    writer = history.writer(f"{days_ago} days ago")
    writer.session = first_session(NOW_MS - int(days_ago * DAY_MS))
    writer.write(*events)
    history.project()
    return writer.session


def _started(number: int) -> RunStarted:
    return RunStarted(run=f"{PROJECT}/r{number}")


def _maintain(history: History, *, later_days: float = 0) -> Retirement | None:
    now_ms = NOW_MS + int(later_days * DAY_MS)
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    producer = Producer(history.log, author="maintenance", clock=lambda: now)
    retirement = retire_sessions(history.database, producer, history.log.partitions, now_ms=now_ms, days=DAYS)
    producer.confirm()
    history.project()
    return retirement


def _sessions(history: History) -> set[str]:
    return {session for (session,) in rows_of(history.database, "SELECT session FROM sessions")}


def test_sessions_older_than_the_bound_are_retired(history: History) -> None:
    old, young = _say(history, 31, _started(1)), _say(history, 29, _started(2))

    retirement = _maintain(history)

    assert retirement == Retirement(NOW_MS - DAYS * DAY_MS, None)
    assert old not in _sessions(history)
    assert young in _sessions(history)
    assert rows_of(history.database, "SELECT 1 FROM rejections") == []


def test_where_nothing_is_old_enough_nothing_is_written(history: History) -> None:
    assert _maintain(history) is None
    _say(history, 29, _started(1))
    end = history.log.ends()

    assert _maintain(history) is None
    assert history.log.ends() == end


def test_the_bound_moves_at_most_once_a_day(history: History) -> None:
    for days_ago in (35, 29.9, 28.5):
        _say(history, days_ago, _started(int(days_ago)))

    assert _maintain(history) is not None
    assert _maintain(history, later_days=0.5) is None
    assert _maintain(history, later_days=1) is not None
    assert _maintain(history, later_days=2) is not None
    assert _maintain(history, later_days=4) is None, "nothing old is left"


@pytest.mark.parametrize("draft", [SHARED, "own:kept"])
def test_the_sessions_of_an_open_draft_and_all_later_ones_stay(history: History, draft: str) -> None:
    _say(history, 90, _started(1))
    opener = _say(history, 60, opened(draft))
    between = _say(history, 45, _started(2))

    retirement = _maintain(history)

    assert retirement is not None
    assert retirement.held_by == f"the draft {draft} of {DIGITS} is open; commit or discard it"
    assert {opener, between} < _sessions(history)
    history.writer("60 days ago").write(added(draft, {"a": b"1"}), committed(draft))
    history.project()
    assert rows_of(history.database, "SELECT version FROM versions") == [(0,)]
    assert rows_of(history.database, "SELECT 1 FROM rejections") == []
    assert _maintain(history, later_days=1) == Retirement(NOW_MS - (DAYS - 1) * DAY_MS, None)
    assert opener not in _sessions(history)


def test_a_discarded_draft_holds_no_session(history: History) -> None:
    _say(history, 60, opened())
    ((last,),) = rows_of(history.database, "SELECT last_event FROM drafts")
    _say(history, 1, DraftDiscarded(collection=DIGITS, draft=SHARED, last_event=last))

    retirement = _maintain(history)

    assert retirement == Retirement(NOW_MS - DAYS * DAY_MS, None)


def test_what_waits_behind_a_dead_letter_counts_when_that_is_decided(history: History) -> None:
    _say(history, 90, _started(1))
    key = run_key(f"{PROJECT}/r2")
    history.log.append([NewRecord(key, UNDECODABLE)], timeout_s=5)
    waiting = _say(history, 60, _started(2))

    retirement = _maintain(history)

    assert retirement is not None
    assert retirement.before_ms == session_start_ms(waiting)
    assert retirement.held_by is not None
    assert key in retirement.held_by
    ((letter,),) = rows_of(history.database, "SELECT position FROM dead_letters")
    place = position_of(letter)
    epoch, partition, offset = place.epoch, place.partition, place.offset
    resolved = DeadLetterResolved(key=key, epoch=epoch, partition=partition, offset=offset, decision="skip")
    _say(history, 1, resolved)
    assert len(rows_of(history.database, "SELECT run FROM runs")) == 2
