"""What a projector makes of restored records: the headers that say where and when they were first written."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.writing.restore import ancestors_after
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas import headers
from headwater_schemas.events import RunStarted, VersionCommitted

from tests.consumer.events import paths
from tests.consumer.inspection import Databases, fingerprint_of, rows_of, versions_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.projections import project_all
from tests.support.restoring import restore

DIGITS, MODEL = "team/vision/digits", "team/vision/model"


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(mode, tmp_path / "of-memory.db")
    yield database
    database.close()


NEXT_CENTURY_US = 4_102_444_800_000_000  # after all that tests write


def _restored_log(history: History) -> MemoryLog:
    """A log that was restored from the history's, with other offsets."""
    log = MemoryLog(generation="restored", ancestors=ancestors_after(history.log), start_us=NEXT_CENTURY_US)
    restore(history.log, log, timeout_s=5)
    return log


def test_restored_records_stand_where_and_when_they_were_first_written(history: History, database: Database) -> None:
    history.commit(DIGITS, {"a": b"1"})
    broken = history.writer().stamp(VersionCommitted(collection=MODEL, draft="own:x"))
    history.log.append([NewRecord(broken.key, broken.payload[:-1])], timeout_s=5)
    history.commit(MODEL, {"w": b"1"}, type="model")
    log = _restored_log(history)

    project_all(log, Projector(log, database))

    for table in ("versions", "entries", "aliases", "version_events", "dead_letters", "parked_records"):
        before = rows_of(history.database, f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        assert before == rows_of(database, f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        assert before
    assert fingerprint_of(database) == fingerprint_of(history.database)


def test_what_is_written_after_a_restore_never_meets_what_was_restored(
    database: Database, databases: Databases
) -> None:
    """Layers, facts and keys are named by positions, and the new log comes to the offsets of the old one."""
    with databases.empty() as of_old:
        old = History(MemoryLog(first_offset=40), of_old)
        for n in range(5):
            old.commit(DIGITS, {f"{n}": b"old"}, base=n - 1 if n else None)
        log = _restored_log(old)
    restored = History(log, database)
    restored.project()
    for _ in range(5):
        restored.new_draft()  # whose names the old log has

    for n in range(20):
        restored.commit(DIGITS, {f"new-{n}": b"new"}, base=n + 4, by="bert")

    assert paths(restored, 4) == {f"{n}" for n in range(5)}
    assert paths(restored, 24) == {*(f"{n}" for n in range(5)), *(f"new-{n}" for n in range(20))}
    assert _reached_again(old.log, log)


def _reached_again(old: EventLog, new: EventLog) -> bool:
    """Whether a log has new records at offsets of the log that it was restored from."""
    theirs = {record.position.offset for record in old.read(0, after=-1)}
    news = [r for r in new.read(0, after=-1) if headers.ORIGINAL_TIME not in dict(r.headers)]
    return not theirs.isdisjoint(record.position.offset for record in news)


@pytest.mark.parametrize("records_per_batch", [1, 100])
def test_time_never_goes_back_even_where_restored_records_say_so(database: Database, records_per_batch: int) -> None:
    log = MemoryLog(ancestors=("g",))
    history = History(log, database)
    draft, events = history.draft(DIGITS, {"a": b"1"})
    history.writer().write(*events, VersionCommitted(collection=DIGITS, draft=draft))
    draft, events = history.draft(DIGITS, {"a": b"2"})
    for offset, event in enumerate((*events, VersionCommitted(collection=DIGITS, draft=draft))):
        long_ago = ((headers.ORIGINAL_POSITION, b"g/0/%d" % offset), (headers.ORIGINAL_TIME, b"1000"))
        log.append([NewRecord(event.key, history.writer().stamp(event).payload, long_ago)])

    project_all(log, Projector(log, database, records_per_batch=records_per_batch))

    first, second = rows_of(database, "SELECT created_us FROM versions ORDER BY version")
    assert first == second


POSITION, TIME = b"g/0/7", b"1000"
ARABIC_SEVEN = "\N{ARABIC-INDIC DIGIT SEVEN}".encode()  # a digit for `int`


@pytest.mark.parametrize(
    ("position", "time_us"),
    [
        (b"nowhere", TIME),
        (b"another/0/7", TIME),
        (b"g/0/-1", TIME),
        (b"g/99999999/0", TIME),
        (b"g/1/7", TIME),
        (b"\xff", TIME),
        (POSITION, b"yesterday"),
        (POSITION, b"-1"),
        (POSITION, b"99999999999999999999"),
        (POSITION, b"9999999999999999999"),
        (POSITION, None),
        (POSITION, b" 1000"),
        (POSITION, b"1_000"),
        (POSITION, ARABIC_SEVEN),
        (b"g/0/+7", TIME),
        (b"g/0/7_0", TIME),
        (b"g/0/" + ARABIC_SEVEN, TIME),
        (b"g/0/8796093022208", TIME),
        (b"g/0/7/7", TIME),
    ],
    ids=str,
)
def test_a_restored_record_whose_headers_make_no_sense_is_a_dead_letter(
    database: Database, position: bytes, time_us: bytes | None
) -> None:
    log = MemoryLog(ancestors=("g",))
    history = History(log, database)
    history.commit(DIGITS, {"a": b"1"})
    record = history.writer().stamp(VersionCommitted(collection=DIGITS, draft="own:x"))
    given = [(headers.ORIGINAL_POSITION, position)]
    given += [] if time_us is None else [(headers.ORIGINAL_TIME, time_us)]
    log.append([NewRecord(record.key, record.payload, tuple(given))])

    history.commit(MODEL, {"w": b"1"}, type="model")

    assert rows_of(database, "SELECT key FROM dead_letters") == [(record.key,)]
    assert len(versions_of(database, MODEL)) == 1


def test_a_restored_record_took_effect_no_later_than_it_was_restored(database: Database) -> None:
    log = MemoryLog(ancestors=("g",))
    history = History(log, database)
    draft, events = history.draft(DIGITS, {"a": b"1"})
    absurd = ((headers.ORIGINAL_POSITION, POSITION), (headers.ORIGINAL_TIME, b"%d" % NEXT_CENTURY_US))
    opened = history.writer().stamp(events[0])
    log.append([NewRecord(opened.key, opened.payload, (*opened.headers, *absurd))])
    history.writer().write(*events[1:], VersionCommitted(collection=DIGITS, draft=draft))

    history.project()

    ((created_us, append_us),) = rows_of(database, "SELECT created_us, append_us FROM versions")
    assert created_us == append_us == log.read(0, after=-1)[-1].time_us


def test_a_log_that_was_not_restored_does_not_believe_headers_about_an_earlier_place(database: Database) -> None:
    log = MemoryLog()
    history = History(log, database)
    absurd = ((headers.ORIGINAL_POSITION, b"memory/0/99"), (headers.ORIGINAL_TIME, b"%d" % (2**62)))
    started = history.writer().stamp(RunStarted(run="team/vision/r"))
    log.append([NewRecord(started.key, started.payload, absurd)])

    history.commit(DIGITS, {"a": b"1"})

    ((created_us,),) = rows_of(database, "SELECT created_us FROM versions")
    assert created_us == log.read(0, after=-1)[-1].time_us
