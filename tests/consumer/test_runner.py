"""Reading the log into the database: batches, cursors, projectors that overtake each other, and what stops them."""

import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.database import Database
from headwater_consumer.database.connection import Connection
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.rows import ProjectionRow
from headwater_consumer.writing import batches, layer_entries
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_eventlog.port import EventLog, NewRecord, Record
from headwater_runtime.fair_lock import turn_at
from headwater_schemas import codec, keys
from headwater_schemas.errors import InvalidInput, StoreNotOurs, StoreUnavailable, UnknownSchema
from headwater_schemas.events import DraftDiscarded, Stamped, VersionCommitted
from headwater_schemas.positions import Cut

from tests.consumer.inspection import fingerprint_of, rows_of, versions_of
from tests.support.history import History, open_history, pack_of
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database
from tests.support.projections import apply_records, empty, project_all
from tests.support.warm_processes import warm

DIGITS, MODEL = "team/vision/digits", "team/vision/model"
DATABASES_MADE = 40
MADE_EVERY_S = 0.05
EVENTS_PER_VERSION = 3  # opened, added, committed


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(mode, tmp_path / "of-memory.db")
    yield database
    database.close()


def _write_version(history: History, content: bytes, collection: str = DIGITS) -> None:
    """On the log, not projected."""
    draft, events = history.draft(collection, {"a": content})
    history.writer().write(*events, VersionCommitted(collection=collection, draft=draft))


def _cursor(database: Database) -> dict[int, int]:
    return dict(rows_of(database, 'SELECT partition, "offset" FROM log_positions'))


# --- two projectors -----------------------------------------------------------------------------------------------


class _OvertakenLog(MemoryLog):
    """Once, somebody else does something after this log was read and before what was read is applied."""

    def __init__(self, log: EventLog, meanwhile: Callable[[], object]) -> None:
        self.__dict__ = dict(log.__dict__)  # the same records
        self._meanwhile: list[Callable[[], object]] = [meanwhile]

    def read(self, partition: int, *, after: int, limit: int = 4096) -> Sequence[Record]:
        records = super().read(partition, after=after, limit=limit)
        while self._meanwhile:
            self._meanwhile.pop()()
        return records


def test_a_projector_that_was_overtaken_changes_nothing_and_then_goes_on(database: Database) -> None:
    history = History(MemoryLog(), database)
    history.commit(DIGITS, {"a": b"1"})
    for content in (b"2", b"3"):
        _write_version(history, content)
    other = Projector(history.log, database, records_per_batch=2)
    zombie = Projector(_OvertakenLog(history.log, lambda: other.project_batch(0)), database)

    with pytest.raises(StaleProjector, match="partition 0 was projected by another process meanwhile"):
        zombie.project_batch(0)
    cursor, versions = _cursor(database), len(versions_of(database, DIGITS))
    project_all(history.log, zombie)

    two_records_on = history.log.read(0, after=-1)[EVENTS_PER_VERSION + 1]
    assert (cursor, versions) == ({0: two_records_on.position.offset}, 1)
    assert len(versions_of(database, DIGITS)) == 3


@pytest.mark.parametrize("begun", [False, True], ids=["its first batch", "a later batch"])
def test_a_projector_never_applies_what_another_has_applied(database: Database, begun: bool) -> None:
    history = History(MemoryLog(), database)
    if begun:
        history.commit(DIGITS, {"a": b"0"})
    _write_version(history, b"1")
    zombie = Projector(_OvertakenLog(history.log, history.project), database)

    with pytest.raises(StaleProjector):
        zombie.project_batch(0)
    after = fingerprint_of(database)
    project_all(history.log, zombie)

    assert fingerprint_of(database) == after


def test_a_projection_that_was_set_back_meanwhile_gets_no_records_with_a_gap(database: Database) -> None:
    history = History(MemoryLog(), database)
    history.commit(DIGITS, {"a": b"1"})
    _write_version(history, b"2")
    zombie = Projector(_OvertakenLog(history.log, lambda: empty(database)), database)

    with pytest.raises(StaleProjector):
        zombie.project_batch(0)

    assert _cursor(database) == {}


@pytest.mark.parametrize("statement", ["upsert_rows", "insert_entries"])
def test_a_batch_that_fails_leaves_nothing_behind(
    history: History, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    history.commit(DIGITS, {"a": b"1"})
    before = fingerprint_of(history.database)
    _write_version(history, b"2")

    def fail(*_: object) -> None:
        raise history.database.adapter.errors[0]("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(history.database.adapter, statement, fail)
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            history.project()
    after = fingerprint_of(history.database)
    history.project()

    assert after == before
    assert len(versions_of(history.database, DIGITS)) == 2


# --- batches ------------------------------------------------------------------------------------------------------


def test_a_batch_holds_no_more_bytes_than_its_bound_but_always_a_record(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BYTES_PER_BATCH_MAX", 1000)
    log = MemoryLog()
    log.append([NewRecord(f"run:team/vision/{n}", b"?" * size) for n, size in enumerate((400, 400, 400, 2000, 10))])
    projector = Projector(log, database)

    applied = [projector.project_batch(0) for _ in range(5)]

    assert applied == [2, 1, 1, 1, 0]


class _SlowLog(MemoryLog):
    """Gives one record at a time, as a log does that has fetched no more yet."""

    def read(self, partition: int, *, after: int, limit: int = 4096) -> Sequence[Record]:
        return super().read(partition, after=after, limit=min(limit, 1))


def test_a_projector_that_compares_the_last_record_first_goes_on_with_the_next(database: Database) -> None:
    log = _SlowLog()
    history = History(log, database)
    history.commit(DIGITS, {"a": b"1"})
    _write_version(history, b"2")

    applied = [Projector(log, database).project_batch(0) for _ in range(EVENTS_PER_VERSION + 1)]

    assert applied == [*[1] * EVENTS_PER_VERSION, 0]
    assert len(versions_of(database, DIGITS)) == 2


BOUNDS = {"ENTRIES_HELD_MAX": 3, "PATHS_PER_QUERY": 2, "MERGED_IN_MEMORY_MAX": 0, "ENTRIES_LOADED_MAX": 0}


@pytest.mark.parametrize("bounds", [{name: value} for name, value in BOUNDS.items()] + [BOUNDS], ids=[*BOUNDS, "all"])
def test_entries_written_or_forgotten_in_the_middle_of_a_batch_change_nothing(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounds: Mapping[str, int]
) -> None:
    for n in range(8):
        removed = [f"{n - 1}-1"] if n else []
        history.commit(DIGITS, {f"{n}-{i}": b"1" for i in range(7)}, base=n - 1 if n else None, removed=removed)
    again = open_database(mode, tmp_path / "again.db")

    for name, value in bounds.items():
        monkeypatch.setattr(layer_entries, name, value)
    project_all(history.log, Projector(history.log, again))

    assert fingerprint_of(again) == fingerprint_of(history.database)
    again.close()


@pytest.mark.parametrize("bounds", [{}, BOUNDS], ids=["in memory", "stored"])
def test_an_object_is_of_the_layers_whose_entries_name_it(
    history: History, monkeypatch: pytest.MonkeyPatch, bounds: Mapping[str, int]
) -> None:
    for name, value in bounds.items():
        monkeypatch.setattr(layer_entries, name, value)
    history.commit(DIGITS, {"a": b"1", "b": b"1"}, pack=1)
    superseded, first = history.draft(DIGITS, {"c": b"2"}, base=0, pack=2)
    _, again = history.draft(DIGITS, {"c": b"3"}, base=0, pack=3, draft=superseded)
    discarded, never = history.draft(DIGITS, {"d": b"4"}, base=0, pack=4)
    history.writer().write(*first, *again, VersionCommitted(collection=DIGITS, draft=superseded))
    history.writer().write(*never, DraftDiscarded(collection=DIGITS, draft=discarded))
    history.project()
    for n in range(6):
        history.commit(DIGITS, {f"e{n}": b"5"}, base=1 + n, removed=["a"], pack=5)

    kept = rows_of(history.database, "SELECT object_name, layer FROM object_layers")
    named = rows_of(history.database, "SELECT DISTINCT object_name, layer FROM entries WHERE object_name IS NOT NULL")
    assert sorted(kept) == sorted(named)
    assert {name for name, _ in kept} == {pack_of("team/vision", n) for n in (1, 3, 5)}


def test_what_a_draft_brings_that_one_batch_opens_and_seals_is_written_once(
    history: History, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(12):
        draft, events = history.draft(DIGITS, {f"{n}": b"1"}, base=n - 1 if n else None, removed=[f"{n - 3}"])
        history.writer().write(*events, VersionCommitted(collection=DIGITS, draft=draft))
    written: list[Any] = []
    adapter = history.database.adapter
    insert_entries = adapter.insert_entries

    def insert(connection: Connection, batches: Sequence[Collection[Any]]) -> None:
        written.extend(chain.from_iterable(batches))
        insert_entries(connection, batches)

    monkeypatch.setattr(adapter, "insert_entries", insert)
    history.project()

    assert len(versions_of(history.database, DIGITS)) == 12
    assert sorted(written) == sorted(rows_of(history.database, "SELECT * FROM entries"))


def test_rows_are_written_in_the_order_of_their_keys(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Projectors that share rows lock them in one order, so that none waits for one that waits for it."""
    for name in ("c", "a", "b"):
        _write_version(history, b"1", f"team/vision/{name}")
    written: list[Sequence[ProjectionRow]] = []
    adapter = history.database.adapter
    upsert_rows = adapter.upsert_rows

    def upsert(connection: Connection, row_type: type[ProjectionRow], rows: Iterable[ProjectionRow]) -> None:
        written.append(list(rows))
        upsert_rows(connection, row_type, written[-1])

    monkeypatch.setattr(adapter, "upsert_rows", upsert)
    history.project()

    keys_written = [[tuple(getattr(row, name) for name in row.primary_key) for row in rows] for rows in written]
    assert any(len(found) > 1 for found in keys_written)
    assert keys_written == [sorted(found) for found in keys_written]


PAIRS, LOOKS = 60, 200


def _look(file: Path, ready: Signal, answers: "multiprocessing.SimpleQueue[list[tuple[int, int]]]") -> None:
    """In another process: how many versions each collection has, as often as possible."""
    database = Database.open_sqlite(file, read_only=True)
    ready.set()
    sql = "SELECT count(*) FILTER (WHERE collection = ?), count(*) FILTER (WHERE collection = ?) FROM versions"
    seen = [rows_of(database, sql, DIGITS, MODEL)[0] for _ in range(LOOKS)]
    while seen[-1] != (PAIRS, PAIRS):
        seen.append(rows_of(database, sql, DIGITS, MODEL)[0])
    answers.put(sorted(set(seen)))


def test_a_reader_never_sees_half_a_batch(tmp_path: Path) -> None:
    with open_history("embedded", tmp_path) as history:
        for n in range(PAIRS):
            _write_version(history, b"%d" % n, DIGITS)
            _write_version(history, b"%d" % n, MODEL)
        ready, answers = warm.Event(), warm.SimpleQueue()
        reader = warm.Process(target=_look, args=(tmp_path / "projection.db", ready, answers))
        reader.start()
        assert ready.wait(60)

        project_all(history.log, Projector(history.log, history.database, records_per_batch=2 * EVENTS_PER_VERSION))
        seen = answers.get()
        reader.join(60)

    assert all(digits == model for digits, model in seen), seen
    assert (reader.exitcode, seen[-1]) == (0, (PAIRS, PAIRS))


# --- what a release does not know ---------------------------------------------------------------------------------


def _an_older_release(history: History, newer: bytes) -> Callable[[bytes], Stamped]:
    """`codec.decode` of a release that does not ship the schema of one payload."""
    decode = codec.decode

    def decode_of_old(payload: bytes) -> Stamped:
        if payload == newer:
            raise UnknownSchema("schema 0123456789abcdef is not among those that this release ships. Upgrade.")
        return decode(payload)

    return decode_of_old


def test_an_unknown_schema_stops_its_partition_after_what_came_before_until_the_upgrade(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_version(history, b"1")
    stops_at = history.log.end(0) + 1
    draft, events = history.draft(DIGITS, {"a": b"2"})
    records = [history.writer().stamp(event) for event in (*events, VersionCommitted(collection=DIGITS, draft=draft))]
    history.log.append(records, timeout_s=5)

    with monkeypatch.context() as patched:
        patched.setattr(codec, "decode", _an_older_release(history, records[0].payload))
        for _ in range(2):  # it stays there, however often it is tried
            with pytest.raises(UnknownSchema, match=f"partition 0 stops at {stops_at}: schema .* Upgrade"):
                history.project()
    before = _cursor(history.database), len(versions_of(history.database, DIGITS))
    history.project()

    assert before == ({0: stops_at - 1}, 1)
    assert len(versions_of(history.database, DIGITS)) == 2


def test_a_payload_with_the_fingerprint_of_no_schema_stops_the_partition(history: History) -> None:
    _write_version(history, b"1")
    history.log.append([NewRecord(keys.collection_key(DIGITS), b"\xc3\x01" + b"\xff" * 20)], timeout_s=5)

    with pytest.raises(UnknownSchema):
        history.project()

    assert len(versions_of(history.database, DIGITS)) == 1
    assert rows_of(history.database, "SELECT * FROM dead_letters") == []


def test_other_partitions_go_on_beside_one_that_stopped(database: Database) -> None:
    log = MemoryLog(2)
    history = History(log, database)
    key = keys.collection_key(DIGITS)
    stopped, other = log.partition_of(key), 1 - log.partition_of(key)
    log.append([NewRecord(key, b"\xc3\x01" + b"\xff" * 20)])
    told = next(name for n in range(99) if log.partition_of(keys.collection_key(name := f"team/vision/m{n}")) == other)
    _write_version(history, b"1", told)

    with pytest.raises(UnknownSchema, match=f"partition {stopped} stops"):
        history.project()

    assert len(versions_of(database, told)) == 1


# --- other logs and other files -----------------------------------------------------------------------------------


def test_the_projection_of_another_log_is_refused_and_left_as_it_is(history: History, tmp_path: Path) -> None:
    history.commit(DIGITS, {"a": b"1"})
    before = fingerprint_of(history.database)
    another = MemoryLog(generation="another")
    another.append([NewRecord(keys.collection_key(DIGITS), b"?")])

    for project in (
        lambda: project_all(another, Projector(another, history.database)),
        lambda: apply_records(Projector(another, history.database), 0, another.read(0, after=-1)),
        lambda: EmbeddedProjection(another, history.database, tmp_path / "lock").catch_up(timeout_s=5),
    ):
        with pytest.raises(StoreUnavailable, match=r"is the projection of log .* but this log is another.*replay"):
            project()

    assert fingerprint_of(history.database) == before


def test_a_cut_of_another_log_is_refused(history: History, tmp_path: Path) -> None:
    history.commit(DIGITS, {"a": b"1"})
    projection = EmbeddedProjection(history.log, history.database, tmp_path / "lock")

    with pytest.raises(InvalidInput, match="a cut of log another cannot be compared with log"):
        projection.catch_up(Cut("another", {0: 0}), timeout_s=5)


@pytest.mark.parametrize("note", ["torn", "of another log", "of what is not projected"])
def test_the_note_of_whoever_projects_is_only_a_hint(history: History, tmp_path: Path, note: str) -> None:
    position = history.writer().write(*history.draft(DIGITS, {"a": b"1"})[1])
    cut = Cut(history.log.generation).including(position)
    projection = EmbeddedProjection(history.log, history.database, tmp_path / "lock")
    text = {
        "torn": b"\xff" + cut.encode().encode()[7:],
        "of another log": Cut("another", {position.partition: 99}).encode().encode(),
        "of what is not projected": cut.encode().encode(),
    }[note]

    with ThreadPoolExecutor(1) as threads:
        with turn_at(str(tmp_path / "lock"), time.monotonic() + 1) as turn:
            turn.leave_note(text)
            waiting = threads.submit(projection.catch_up, cut, timeout_s=60)
            time.sleep(0.1)  # it reads the note meanwhile
        waiting.result(timeout=60)

    assert projection.covers(cut)


def test_a_database_that_is_not_ours_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "theirs.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE precious (x)")
    connection.commit()
    connection.close()

    with pytest.raises(StoreNotOurs, match="precious"):
        Database.open_sqlite(file)

    assert sqlite3.connect(file).execute("SELECT name FROM sqlite_master").fetchall() == [("precious",)]


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("dear diary, " * 100)

    with pytest.raises(StoreNotOurs):
        Database.open_sqlite(file)

    assert file.read_text() == "dear diary, " * 100


# --- databases made at once ------------------------------------------------------------------------------------------


def _open_each_at_its_time(folder: Path, first_at_s: float, failures: "multiprocessing.Queue[list[str]]") -> None:
    failed = []
    for made in range(DATABASES_MADE):
        time.sleep(max(0.0, first_at_s + made * MADE_EVERY_S - time.time()))
        try:
            Database.open_sqlite(folder / f"{made}.db").close()
        except StoreUnavailable as error:
            failed.append(str(error))
    failures.put(failed)


def test_processes_that_make_one_projection_at_the_same_moment_all_open_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    failures: multiprocessing.Queue[list[str]] = context.Queue()
    makers = [
        context.Process(target=_open_each_at_its_time, args=(tmp_path, time.time() + 0.2, failures)) for _ in range(6)
    ]

    for maker in makers:
        maker.start()

    assert [failures.get(timeout=60) for _ in makers] == [[]] * len(makers)
    for maker in makers:
        maker.join()
