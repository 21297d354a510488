"""What a batch reads is loaded together: it costs as many statements however many drafts and runs it is about."""

from collections.abc import Callable

import pytest
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
    WriterDone,
)

from tests.consumer.inspection import Databases, rejections_of
from tests.support.history import History, files_of
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
