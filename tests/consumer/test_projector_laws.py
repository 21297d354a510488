"""What holds for every history: how it is cut, doubled, interleaved or repeated changes nothing that can be asked."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ROW_TYPES, RUN_INPUTS, RUN_OUTPUTS
from headwater_consumer.rows import EXECUTABLE, FILE
from headwater_consumer.writing.batches import Batch
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import NewRecord
from headwater_schemas import codec, metadata
from headwater_schemas import events as types
from headwater_schemas.entries import FileRow
from headwater_schemas.errors import Reason
from headwater_schemas.events import Event, Stamped
from headwater_schemas.paths import folders_of
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select, Table, null, select

from tests.consumer.inspection import (
    Content,
    Databases,
    content_of,
    digest_of,
    fingerprint_of,
    listing_of,
    project,
    rejections_of,
    rows_of,
    versions_of,
)
from tests.consumer.naive_collections import ModelCollection
from tests.consumer.naive_model import Model
from tests.consumer.naive_runs import ModelRuns
from tests.support.histories import ALIASES, COLLECTIONS, FOLDERS, PROJECT, SESSIONS, file_row, files, histories
from tests.support.memory_log import START_US, MemoryLog, Written, write
from tests.support.projections import apply_records
from tests.support.statements import run
from tests.support.steps import History, Teller, interleaved_anew
from tests.support.strategies import stamped

COLLECTION = COLLECTIONS[0]


# --- repetition ---------------------------------------------------------------------------------------------------


@given(histories())
def test_records_delivered_again_are_passed_over(databases: Databases, history: History) -> None:
    written = write(history)
    with databases.empty() as database:
        once = fingerprint_of(project(written, database))

        counted = apply_records(Projector(written.log, database), 0, written.log.read(0, after=-1))

        assert counted == 0
        assert fingerprint_of(database) == once


@given(histories(reliable=True), st.data())
def test_events_sent_twice_count_once(databases: Databases, history: History, data: st.DataObject) -> None:
    # Gaps and damage are left out: what comes after a gap is to be sent again and then counts, and two records that do
    # not decode cannot be told to be one.
    doubled = list(history)
    for n, step in enumerate(history):
        doubled.insert(data.draw(st.integers(n + len(doubled) - len(history) + 1, len(doubled))), step)
    once, twice = write(history), write(doubled)
    with databases.empty() as first, databases.empty() as second:
        project(once, first)
        project(twice, second)

        assert _without_retired(content_of(second, twice)) == _without_retired(content_of(first, once))


def _without_retired(content: Content) -> Content:
    """Less the refusals of retired sessions, whose marks are gone: an event that comes again then is refused."""
    rejections = {row for row in content["rejections"] if Reason.SESSION_RETIRED not in row}
    return {**content, "rejections": rejections}


@given(histories(), st.data())
def test_any_restart_point_and_any_batch_size_give_one_fingerprint(
    databases: Databases, history: History, data: st.DataObject
) -> None:
    written = write(history, partitions=data.draw(st.sampled_from((1, 2))))
    with databases.empty() as at_once, databases.empty() as in_parts:
        project(written, at_once)

        for partition in range(written.log.partitions):
            while Projector(written.log, in_parts, records_per_batch=data.draw(st.integers(1, 9))).project_batch(
                partition
            ):
                pass

        assert fingerprint_of(in_parts) == fingerprint_of(at_once)


@given(histories(), st.data())
def test_any_polls_of_several_partitions_give_one_fingerprint(
    databases: Databases, history: History, data: st.DataObject
) -> None:
    written = write(history, partitions=3)
    with databases.empty() as at_once, databases.empty() as polled:
        project(written, at_once)

        projector = Projector(written.log, polled)
        while behind := [p for p in range(3) if projector.cursor(p).offset < written.log.end(p)]:
            chosen = data.draw(st.lists(st.sampled_from(behind), min_size=1, unique=True))
            projector.apply([_next_records(projector, written.log, p, data.draw(st.integers(1, 9))) for p in chosen])

        assert fingerprint_of(polled) == fingerprint_of(at_once)


def _next_records(projector: Projector, log: MemoryLog, partition: int, count: int) -> Batch:
    cursor = projector.cursor(partition)
    return Batch(cursor, log.read(partition, after=cursor.offset, limit=count))


@given(histories())
def test_a_replay_equals_what_was_projected_as_it_came(databases: Databases, history: History) -> None:
    with databases.empty() as live, databases.empty() as replayed:
        growing = write([])
        for step in history:
            growing.append(step)
            project(growing, live)

        project(growing, replayed)

        assert fingerprint_of(replayed) == fingerprint_of(live)


@given(histories())
def test_every_database_gives_one_fingerprint(
    databases_of: Callable[[str], Databases], modes: tuple[str, ...], history: History
) -> None:
    written = write(history)

    found = set()
    for mode in modes:
        with databases_of(mode).empty() as database:
            found.add(fingerprint_of(project(written, database)))

    assert len(found) == 1


# --- order --------------------------------------------------------------------------------------------------------


@given(histories(), st.data())
def test_the_order_between_two_keys_does_not_matter(
    databases: Databases, history: History, data: st.DataObject
) -> None:
    told, retold = write(history), write(interleaved_anew(data.draw, history))
    with databases.empty() as first, databases.empty() as second:
        project(told, first)
        project(retold, second)

        assert content_of(second, retold) == content_of(first, told)


@given(histories(), st.data())
def test_the_order_between_partitions_does_not_matter(
    databases: Databases, history: History, data: st.DataObject
) -> None:
    written = write(history, partitions=3)
    with databases.empty() as one_by_one, databases.empty() as mixed:
        project(written, one_by_one)

        projector = Projector(written.log, mixed, records_per_batch=data.draw(st.integers(1, 5)))
        unfinished = {0, 1, 2}
        while unfinished:
            partition = data.draw(st.sampled_from(sorted(unfinished)))
            if not projector.project_batch(partition):
                unfinished.remove(partition)

        assert fingerprint_of(mixed) == fingerprint_of(one_by_one)


@given(histories())
def test_the_number_of_partitions_does_not_matter(databases: Databases, history: History) -> None:
    narrow, wide = write(history), write(history, partitions=5)
    with databases.empty() as first, databases.empty() as second:
        project(narrow, first)
        project(wide, second)

        assert content_of(second, wide) == content_of(first, narrow)


@given(histories(), st.integers(0, 10**15))
def test_a_copy_with_append_times_of_its_own_tells_the_same_history(
    databases: Databases, history: History, later_us: int
) -> None:
    written, copy = write(history), Written(MemoryLog(start_us=START_US + later_us))
    for step in history:
        copy.append(step)
    with databases.empty() as first, databases.empty() as second:
        project(written, first)
        project(copy, second)

        assert content_of(second, copy) == content_of(first, written)


# --- content ------------------------------------------------------------------------------------------------------

_NAMES = [f"{folder}f{n}" for folder in ("", "d/", "d/e/") for n in range(6)]
_listings = st.dictionaries(st.sampled_from(_NAMES), st.integers(0, 3))
_changes = st.dictionaries(st.sampled_from(_NAMES), st.none() | st.integers(0, 3), min_size=1, max_size=3)  # None: gone


def _rows(listing: dict[str, int], *, of_object: int = 0) -> list[FileRow]:
    return [file_row(COLLECTION, path, content, of_object=of_object) for path, content in listing.items()]


def _meant(listing: dict[str, int]) -> str:
    """The digest that a version of this content must have."""
    rows = _rows(listing)
    return digest_of(
        {
            row.path: (EXECUTABLE if row.executable else FILE, row.size, row.digest, None, None, None, None, None)
            for row in rows
        }
    )


def _sender(teller: Teller, draft: str) -> Callable[..., None]:
    def send(event_type: Callable[..., Event], session: str = SESSIONS[0], **fields: object) -> None:
        teller.tell(event_type(**{"collection": COLLECTION, "draft": draft, **fields}), session=session)

    return send


@given(_listings, st.data())
def test_writers_of_distinct_paths_give_one_digest_in_any_order(
    databases: Databases, listing: dict[str, int], data: st.DataObject
) -> None:
    teller = Teller()
    send = _sender(teller, types.shared_draft("s"))
    send(types.DraftOpened, type="dataset")
    rows = data.draw(st.permutations(_rows(listing)))
    while rows:
        size = data.draw(st.integers(1, len(rows)))
        send(types.EntryAdded, data.draw(st.sampled_from(SESSIONS)), files=files(rows[:size]))
        rows = rows[size:]
    send(types.VersionCommitted)
    written = write(teller.steps)

    with databases.empty() as database:
        project(written, database)

        assert versions_of(database, COLLECTION) == [(0, _meant(listing))]
        assert rows_of(database, "SELECT contested_count FROM versions") == [(0,)]


@given(st.data())
def test_equal_content_has_one_digest_whatever_the_route(databases: Databases, data: st.DataObject) -> None:
    # A listing that is large beside its changes, so that chains get long; each version is reached from any before it,
    # or from nothing, with detours.
    teller, versions = Teller(), [dict.fromkeys(_NAMES, 0)]
    _log(data, teller, None, {}, versions[0])
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(versions) - 1))
        listing = {path: c for path, c in {**versions[start], **data.draw(_changes)}.items() if c is not None}
        base = data.draw(st.sampled_from((start, start, start, None)))
        _log(data, teller, base, {} if base is None else versions[base], listing)
        if listing not in versions:
            versions.append(listing)
    written = write(teller.steps)

    with databases.empty() as database:
        while Projector(written.log, database, records_per_batch=data.draw(st.integers(1, 40))).project_batch(0):
            pass

        assert rejections_of(database) == []
        assert rows_of(database, _MISCOUNTED_LAYERS) == []
        _check_object_layers(database)
        assert versions_of(database, COLLECTION) == list(enumerate(map(_meant, versions)))
        for number, listing in enumerate(versions):
            assert digest_of(listing_of(database, COLLECTION, number)) == _meant(listing)


def _log(data: st.DataObject, teller: Teller, base: int | None, old: dict[str, int], new: dict[str, int]) -> None:
    """A version with the content `new` and the digest that it then must have, in a draft that starts as `old`."""
    send = _sender(teller, types.own_draft(str(len(teller.steps))))
    send(types.DraftOpened, type="dataset", base=base)
    _reach(data, send, old, new)
    send(types.VersionCommitted, expected_digest=_meant(new))


def _reach(data: st.DataObject, send: Callable[..., None], old: dict[str, int], new: dict[str, int]) -> None:
    """From `old` to `new`: a detour to other content, folders taken out, then what is still too much or too little."""
    now = dict(old)
    if data.draw(st.integers(0, 4)) == 4:
        detour = data.draw(_listings)
        send(types.EntryAdded, files=files(_rows(detour, of_object=1)))
        now |= detour
    for folder in data.draw(st.sampled_from(((), (), (), *[(name,) for name in FOLDERS]))):
        send(types.EntryRemoved, folders=(folder,))
        now = {path: content for path, content in now.items() if folder not in folders_of(path)}
    if gone := tuple(path for path in now if path not in new):
        send(types.EntryRemoved, paths=gone)
    missing = {path: content for path, content in new.items() if now.get(path) != content}
    for path in missing:  # one by one: layers of all sizes
        send(types.EntryAdded, files=files(_rows({path: missing[path]})))


# --- the past -----------------------------------------------------------------------------------------------------

_FACTS = [table_of(row_type) for row_type in ROW_TYPES if row_type.is_fact]
_EDGES = [RUN_INPUTS, RUN_OUTPUTS]


def _asked(table: Table, *, now: bool) -> Select[Any]:
    """All rows of a table with their positions, or those that are open without."""
    attributes = [column for column in table.columns if column.name not in ("from_position", "to_position")]
    ended = table.c.to_position if "to_position" in table.c else null()
    if now:
        return select(*attributes).where(ended.is_(None)).order_by(*attributes)
    return select(table.c.from_position, ended, *attributes).order_by(*attributes)


_OPEN_NOW = [_asked(table, now=True) for table in (*_FACTS, *_EDGES)]  # the present, for a reader without a position
_EVER = [_asked(table, now=False) for table in (*_FACTS, *_EDGES)]


def _shown(database: Database, statements: Sequence[Select[Any]]) -> list[list[tuple[object, ...]]]:
    with database.snapshot() as connection:
        return [run(connection, statement) for statement in statements]


def _as_of(rows: list[tuple[Any, ...]], at: int) -> list[tuple[object, ...]]:
    """What rows with their positions say was the case at a position."""
    return [row[2:] for row in rows if row[0] <= at and (row[1] is None or row[1] > at)]


@given(histories())
def test_what_is_asked_as_of_a_position_is_what_was_the_case_then(databases: Databases, history: History) -> None:
    written = write(history)
    with databases.empty() as database:
        projector = Projector(written.log, database, records_per_batch=1)
        then = []
        for record in written.log.read(0, after=-1):
            projector.project_batch(0)
            then.append((record.position.number, _shown(database, _OPEN_NOW)))

        ever = _shown(database, _EVER)
        for at, seen in then:
            assert [_as_of(rows, at) for rows in ever] == seen


@given(histories(steps_max=8))
def test_the_queries_answer_as_of_a_position_what_they_answered_then(databases: Databases, history: History) -> None:
    written = write(history)
    with databases.empty() as database:
        projector = Projector(written.log, database, records_per_batch=1)
        then = []
        for record in written.log.read(0, after=-1):
            projector.project_batch(0)
            then.append((record.position.number, _answers(database, None)))

        for at, answers in then:
            assert _answers(database, at) == answers


def _answers(database: Database, at: int | None) -> list[object]:
    """About one collection: where its aliases are, and all about its first versions and who used them."""
    selectors = (*ALIASES, "latest", "v0", "v1")
    return [
        *[queries.resolve_version(database, COLLECTION, selector, at=at) for selector in selectors],
        *[queries.version_info(database, COLLECTION, n, at=at) for n in range(2)],
        *[queries.used_by(database, COLLECTION, n, at=at) for n in range(2)],
        *[queries.producers_of(database, COLLECTION, n, at=at) for n in range(2)],
    ]


# --- meaning ------------------------------------------------------------------------------------------------------


_MISCOUNTED_LAYERS = (
    "SELECT * FROM layers l WHERE row_count != (SELECT count(*) FROM entries e WHERE e.layer = l.layer)"
)


def _check_object_layers(database: Database) -> None:
    """They are what the entries say, whatever was merged, sealed and discarded."""
    named = "SELECT DISTINCT object_name, layer FROM entries WHERE object_name IS NOT NULL"
    kept = rows_of(database, "SELECT object_name, layer FROM object_layers")
    assert sorted(kept) == sorted(rows_of(database, named))


@given(histories(steps_max=40))
def test_the_projection_agrees_with_a_model_that_knows_no_database(databases: Databases, history: History) -> None:
    model, written = Model().apply_all(history), write(history)
    with databases.empty() as database:
        project(written, database)

        assert _refusals(database, written) == Counter((step, reason.value) for step, reason in model.rejections)
        _check_runs(database, model.runs)
        policies = queries.retention_policies(database, PROJECT)
        assert {one.name: one.rules and metadata.decode(one.rules) for one in policies} == model.policies
        assert rows_of(database, _MISCOUNTED_LAYERS) == []
        _check_object_layers(database)
        for name in COLLECTIONS:
            _check_collection(database, written, name, model.collections[name])


def _check_runs(database: Database, runs: ModelRuns) -> None:
    def present(what: str, table: str) -> list[tuple[Any, ...]]:
        return rows_of(database, f"SELECT run, {what} FROM {table} WHERE to_position IS NULL")

    values = {(run, field): metadata.decode(text) for run, field, text in present("field, value", "run_values")}
    seconds = present("(due_us - append_us) / 1000000", "run_heartbeats")
    assert dict(present("state", "run_states")) == runs.states
    assert values == {key: given for key, given in runs.values.items() if given}
    assert dict(seconds) == runs.heartbeats
    assert sorted(present('"commit", dirty', "run_captures")) == sorted(
        (run, capture.commit, capture.dirty) for run, capture in runs.captures.items()
    )


def _refusals(database: Database, written: Written) -> Counter[tuple[int, str]]:
    found = rows_of(database, "SELECT position, reason FROM rejections")
    return Counter((written.step_of(position), reason) for position, reason in found)


def _check_collection(database: Database, written: Written, name: str, expected: ModelCollection) -> None:
    there = versions_of(database, name)
    assert there == [(n, digest_of(version.listing)) for n, version in enumerate(expected.versions)]
    for number, version in enumerate(expected.versions):
        assert listing_of(database, name, number) == version.listing
        assert _attributes_of(database, written, name, number) == version.attributes()
    aliases = "SELECT alias, version FROM aliases WHERE collection = ? AND to_position IS NULL"
    assert dict(rows_of(database, aliases, name)) == expected.aliases
    drafts = "SELECT draft, version, closed_position IS NOT NULL FROM drafts WHERE collection = ?"
    assert {draft: (version, bool(closed)) for draft, version, closed in rows_of(database, drafts, name)} == {
        draft: (model.version, model.closed) for draft, model in expected.drafts.items()
    }


def _attributes_of(database: Database, written: Written, name: str, number: int) -> dict[str, object]:
    def ask(columns: str, table: str, more: str = "") -> list[tuple[Any, ...]]:
        where = f"WHERE collection = ? AND version = ? {more}"
        return rows_of(database, f"SELECT {columns} FROM {table} {where}", name, number)

    still = "AND to_position IS NULL"
    updates = [written.step_at_time[time_us] for (time_us,) in ask("time_us", "version_updates", still)]
    return {
        "facts": dict(ask("field, value", "version_attributes", still)),
        "tags": {tag for (tag,) in ask("tag", "tags", still)},
        "uses": set(ask("run, requested, use_as", "run_inputs")),
        "outputs": {run for (run,) in ask("run", "run_outputs")},
        "contested": {path for (path,) in ask("path", "contested_paths")},
        "updated": updates[0] if updates else None,
    }


@given(st.lists(stamped(), max_size=8))
def test_no_event_of_a_known_schema_stops_a_partition(databases: Databases, strangers: list[Stamped]) -> None:
    teller = Teller()
    send = _sender(teller, types.own_draft("0"))
    send(types.DraftOpened, type="dataset")
    send(types.VersionCommitted)
    send(types.DraftOpened, draft=types.own_draft("1"), type="dataset", base=0)
    written = write(teller.steps)
    for n, stranger in enumerate(strangers):
        # At home in a collection that is there, as the first words of a writer: nothing else refuses them.
        event = stranger.event
        aims: dict[str, Any] = {"collection": COLLECTION, "draft": types.own_draft("1"), "version": 0}
        event = replace(event, **{name: aims[name] for name in aims if hasattr(event, name)})
        stranger = Stamped(replace(stranger.origin, session=f"{n:032x}", sequence=0), event)
        written.log.append([NewRecord(event.key, codec.encode(stranger))])

    with databases.empty() as database:
        project(written, database)

        assert rows_of(database, "SELECT count(*) FROM sessions") >= [(1,)]
