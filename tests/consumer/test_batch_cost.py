"""What a batch reads is loaded together: it costs as many statements however many drafts and runs it is about."""

from collections.abc import Callable, Mapping

import pytest
from headwater_consumer.projector.base_prefetch import LAYER_ROWS_MAX
from headwater_consumer.rows import FILE
from headwater_consumer.writing.batches import Batch
from headwater_consumer.writing.runner import Projector
from headwater_schemas.events import (
    Capture,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    VersionCommitted,
    WriterDone,
)
from headwater_schemas.keys import collection_key

from tests.consumer.inspection import Databases, digest_of, rejections_of, versions_of
from tests.support.history import History, files_of
from tests.support.history import digest_of as digest_of_file
from tests.support.memory_log import MemoryLog
from tests.support.projections import project_all

PROJECT = "team/vision"
DRAFT, SHARED = "own:first", "shared:first"
FEW, MANY = 2, 12

EVENTS: dict[str, Callable[[str], Event]] = {
    "opened": lambda name: DraftOpened(collection=name, draft="own:second", type="dataset"),
    "added": lambda name: EntryAdded(collection=name, draft=DRAFT, files=files_of(PROJECT, {"a": b"1"})),
    "removed": lambda name: EntryRemoved(collection=name, draft=DRAFT, paths=("a",)),
    "done": lambda name: WriterDone(collection=name, draft=SHARED),
    "started": lambda name: RunStarted(run=name, config='{"a":1}', heartbeat_seconds=300),
    "updated": lambda name: RunUpdated(run=name, config_set='{"a":2}', summary_set='{"b":1}', capture=Capture()),
    "alive": lambda name: RunHeartbeat(run=name, heartbeat_seconds=600),
}


def _statements(databases: Databases, event: Callable[[str], Event], count: int) -> int:
    """How many statements a batch costs that has such an event about each of so many collections with an open draft."""
    asked: list[None] = []
    names = [f"{PROJECT}/{number}" for number in range(count)]
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        drafts = [(name, draft) for name in names for draft in (DRAFT, SHARED)]
        history.write(*[DraftOpened(collection=name, draft=draft, type="dataset") for name, draft in drafts])
        history.write(*[RunStarted(run=name) for name in names])
        history.writer().write(*map(event, names))
        project_all(history.log, Projector(history.log, database, progress=lambda: asked.append(None)))
        assert rejections_of(database) == []
    return len(asked)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_a_batch_costs_as_many_statements_however_much_it_is_about(
    databases: Databases, event: Callable[[str], Event]
) -> None:
    few = _statements(databases, event, FEW)

    assert 0 < few == _statements(databases, event, MANY)


# --- a poll of many partitions ------------------------------------------------------------------------------------

PARTITIONS = 32
CHANGED = {"new": b"1", "0": b"2"}
STATEMENTS_MAX = 32  # of a poll, however many partitions it has


def _statements_of_a_poll(databases: Databases, partitions: int, *, on_a_base: bool, entries: int) -> int:
    """How many statements one poll costs that has a commit of one collection in each of so many partitions."""
    asked: list[None] = []
    with databases.empty() as database:
        history = History(MemoryLog(PARTITIONS), database)
        names = [_collection_in(history, partition) for partition in range(partitions)]
        if on_a_base:
            for name in names:
                history.commit(name, {f"{n}": b"0" for n in range(entries)})
        base = {f"{n}": b"0" for n in range(entries)} if on_a_base else {}
        meant = _digest({path: content for path, content in {**base, **CHANGED}.items() if path != "1"})
        for name in names:
            draft, events = history.draft(name, CHANGED, base=0 if on_a_base else None, removed=["1"])
            history.writer().write(*events, VersionCommitted(collection=name, draft=draft, expected_digest=meant))
        projector = Projector(history.log, database, progress=lambda: asked.append(None))
        cursors = map(projector.cursor, range(PARTITIONS))
        polled = [Batch(cursor, history.log.read(cursor.partition, after=cursor.offset)) for cursor in cursors]
        applied = projector.apply([batch for batch in polled if batch.records])

        assert {p for p, one in applied.items() if one.count} == set(range(partitions))
        assert rejections_of(database) == []
        assert all(len(versions_of(database, name)) == 1 + on_a_base for name in names)
    return len(asked)


def _digest(contents: Mapping[str, bytes]) -> str:
    """The digest of a version with these files."""
    nothing = (None,) * 5
    files = {path: (FILE, len(content), digest_of_file(content), *nothing) for path, content in contents.items()}
    return digest_of(files)


def _collection_in(history: History, partition: int) -> str:
    names = (f"{PROJECT}/c{n}" for n in range(10_000))
    return next(name for name in names if history.log.partition_of(collection_key(name)) == partition)


@pytest.mark.parametrize(
    ("on_a_base", "entries"),
    [(False, 0), (True, 3), (True, 2 * LAYER_ROWS_MAX)],
    ids=["new", "on a small base, which is merged", "on a large base"],
)
def test_a_poll_costs_as_many_statements_however_many_partitions_and_commits_it_has(
    databases: Databases, on_a_base: bool, entries: int
) -> None:
    few = _statements_of_a_poll(databases, FEW, on_a_base=on_a_base, entries=entries)
    many = _statements_of_a_poll(databases, PARTITIONS, on_a_base=on_a_base, entries=entries)

    assert 0 < few == many <= STATEMENTS_MAX
