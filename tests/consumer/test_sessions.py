"""Retired sessions: what was kept about them ends, and they may write no more."""

from pathlib import Path

import pytest
from headwater_consumer.writing.runner import Projector
from headwater_schemas.errors import Reason
from headwater_schemas.events import BlobsCondemned, Event, SessionsRetired, VersionRecalled
from headwater_schemas.keys import first_session

from tests.consumer.events import DIGITS, PROJECT, SHARED, added, committed, opened
from tests.consumer.inspection import fingerprint_of, rejections_of, rows_of
from tests.support.histories import BROADCAST
from tests.support.history import CLOCK, History, Writer, pack_of
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.projections import project_all

CLOCK_MS = int(CLOCK.timestamp() * 1000)
DAY_MS = 24 * 60 * 60 * 1000
LAST_MS = 2**48 - 1  # after the start of any other session
BEFORE_MS = CLOCK_MS + 30 * DAY_MS


class _At(Writer):
    """A writer whose session started at a given time."""

    def __init__(self, history: History, start_ms: int) -> None:
        super().__init__(history.log, "ada")
        self._history = history
        self.session = first_session(start_ms)

    def say(self, *events: Event) -> None:
        self.write(*events)
        self._history.project()


def _retire(before_ms: int = BEFORE_MS) -> SessionsRetired:
    return SessionsRetired(broadcast=BROADCAST, before_ms=before_ms)


def _count(history: History, table: str) -> int:
    return len(rows_of(history.database, f"SELECT 1 FROM {table}"))


def test_what_was_kept_about_retired_sessions_ends(history: History) -> None:
    old, new = _At(history, BEFORE_MS - 1), _At(history, BEFORE_MS)
    own, events = history.draft(DIGITS, {"a": b"1"})
    old.say(*events, committed(own))
    old.say(opened(), added(SHARED, {"b": b"1"}), committed(SHARED))
    old.say(VersionRecalled(collection=DIGITS, version=99, reason="nowhere"))
    old.say(BlobsCondemned(broadcast="1" * 32, project=PROJECT, objects=(pack_of(PROJECT, 9),)))
    open_draft, still_open = history.draft(DIGITS, {"c": b"1"})
    old.say(*still_open)

    new.say(_retire())

    marks = rows_of(history.database, "SELECT DISTINCT session FROM sessions")
    drafts = {draft for (draft,) in rows_of(history.database, "SELECT draft FROM drafts")}
    broadcasts = rows_of(history.database, "SELECT broadcast FROM broadcasts")
    assert marks == [(new.session,)]
    assert drafts == {SHARED, open_draft}, "a shared id stays for ever, and an open draft has its own end"
    assert broadcasts == [(BROADCAST,)]
    assert (_count(history, "rejections"), _count(history, "condemned_objects")) == (0, 0)
    assert _count(history, "versions") == 2


def test_a_retired_session_is_refused_without_a_mark(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    old, new = _At(history, BEFORE_MS - 1), _At(history, BEFORE_MS)
    recalled = VersionRecalled(collection=DIGITS, version=0, reason="first")
    old.say(recalled)
    again = old.stamp(recalled, sequence=0)
    new.say(_retire())

    history.log.append([again], timeout_s=5)
    old.say(VersionRecalled(collection=DIGITS, version=0, reason="second"))

    assert rejections_of(history.database) == [Reason.SESSION_RETIRED] * 2
    assert rows_of(history.database, "SELECT 1 FROM sessions WHERE session = ?", old.session) == []
    ((reason,),) = rows_of(history.database, "SELECT value FROM version_attributes WHERE to_position IS NULL")
    assert reason == "first"


def test_an_earlier_retirement_changes_nothing_after_a_later_one(history: History) -> None:
    new = _At(history, BEFORE_MS + DAY_MS)
    new.say(_retire(BEFORE_MS))

    new.say(_retire(BEFORE_MS - DAY_MS))

    assert rows_of(history.database, "SELECT before_ms FROM retired_sessions") == [(BEFORE_MS,)]


def test_a_session_cannot_retire_itself(history: History) -> None:
    _At(history, BEFORE_MS - 1).say(_retire())

    assert rejections_of(history.database) == [Reason.INVALID]
    assert _count(history, "retired_sessions") == 0


@pytest.mark.parametrize(("days_before", "ends"), [(0, False), (1, False), (2, True)])
def test_a_condemned_object_ends_a_day_after_who_may_have_known_it(
    history: History, days_before: int, ends: bool
) -> None:
    history.write(BlobsCondemned(broadcast="1" * 32, project=PROJECT, objects=(pack_of(PROJECT, 9),)))

    _At(history, BEFORE_MS).say(_retire(CLOCK_MS + days_before * DAY_MS))

    assert _count(history, "condemned_objects") == (0 if ends else 1)


def test_a_partition_retires_by_its_own_event_and_touches_no_other(mode: str, tmp_path: Path) -> None:
    log, database = MemoryLog(2), open_database(mode, tmp_path / "projection.db")
    history = History(log, database)
    here, there = (next(f"{PROJECT}/{n}" for n in range(99) if _partition(log, n) == p) for p in (0, 1))
    for collection in (here, there):
        history.commit(collection, {"a": b"1"})
        history.write(VersionRecalled(collection=collection, version=9, reason="nowhere"))
    retired = _At(history, LAST_MS).stamp(_retire(LAST_MS))

    log.append([retired._replace(partition=0)])
    history.project()

    for table in ("sessions", "rejections"):
        partitions = rows_of(
            database, f"SELECT DISTINCT partition FROM {table} WHERE session < ?", first_session(LAST_MS)
        )
        assert partitions == [(1,)]
    assert rows_of(database, "SELECT collection FROM drafts") == [(there,)]
    database.close()


def _partition(log: MemoryLog, n: int) -> int:
    return log.partition_of(f"collection:{PROJECT}/{n}")


def test_a_replay_prunes_the_same(history: History, mode: str, tmp_path: Path) -> None:
    old, new = _At(history, BEFORE_MS - 1), _At(history, BEFORE_MS)
    for n in range(3):
        own, events = history.draft(DIGITS, {f"{n}": b"1"})
        old.say(*events, committed(own))
    new.say(_retire())
    new.say(opened())

    database = open_database(mode, tmp_path / "again.db")
    project_all(history.log, Projector(history.log, database))

    assert fingerprint_of(database) == fingerprint_of(history.database)
    database.close()
