"""Applying what follows where a projector left a partition, without asking where it stands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import UnknownSchema
from headwater_schemas.events import AliasMoved, VersionCommitted

from tests.projectors.harness import UNKNOWN
from tests.support.history import APPEND_TIMEOUT_S, History, open_history

DIGITS = "team/vision/digits"


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    with open_history(mode, tmp_path) as history:
        yield history


def _write(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    history.writer().write(*events, VersionCommitted(collection=DIGITS, draft=draft))


def test_batches_follow_on_each_other(history: History) -> None:
    projector = Projector(history.log, history.database)
    cursor = projector.cursor(0)
    for _ in range(2):
        _write(history)
        cursor = projector.apply_next(cursor, history.log.read(0, after=cursor.offset))

    assert cursor == projector.cursor(0)
    assert cursor.offset == history.log.end(0)


def test_where_the_projection_stands_elsewhere_nothing_is_applied(history: History) -> None:
    projector = Projector(history.log, history.database)
    before = projector.cursor(0)
    _write(history)
    records = history.log.read(0, after=before.offset)
    after = projector.apply_next(before, records)

    with pytest.raises(StaleProjector):
        projector.apply_next(before, records)
    assert projector.cursor(0) == after


def test_a_batch_ends_before_an_unknown_schema_which_is_then_raised(history: History) -> None:
    _write(history)
    history.log.append([NewRecord(f"collection:{DIGITS}", UNKNOWN)], timeout_s=APPEND_TIMEOUT_S)
    projector = Projector(history.log, history.database)
    records = history.log.read(0, after=-1)
    after = projector.apply_next(projector.cursor(0), records)

    assert after.offset == records[-2].position.offset
    with pytest.raises(UnknownSchema, match=f"partition 0 stops at {records[-1].position.offset}"):
        projector.apply_next(after, records[-1:])
    assert projector.cursor(0) == after


def test_refusals_are_counted_and_steps_told(history: History) -> None:
    history.writer().write(AliasMoved(collection=DIGITS, alias="a", version=1))
    steps: list[int] = []
    projector = Projector(history.log, history.database, progress=lambda: steps.append(1))
    projector.apply_next(projector.cursor(0), history.log.read(0, after=-1))

    assert projector.rejections == 1
    assert steps
