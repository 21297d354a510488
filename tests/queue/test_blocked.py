"""A collection that waits behind an event that cannot be decoded: its writers hear of it, whatever they were doing."""

from collections.abc import Callable

import headwater
import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.events import DraftOpened, Event, VersionCommitted
from headwater_schemas.keys import collection_key

from tests.queue.artifacts import filled
from tests.queue.conftest import BeforeAppend
from tests.support.history import UNDECODABLE
from tests.support.stores import StoreUnderTest

PETS = "team/animals/pets"
WAIT_S = 5  # a writer that is not told waits in vain
BLOCKED = f"{PETS} is parked behind an event that cannot be decoded.*headwater doctor"


def _log(run: headwater.Run) -> None:
    run.log_artifact(filled({"a": "1"})).wait(WAIT_S)


def _upsert(run: headwater.Run) -> None:
    run.upsert_artifact(filled({"a": "1"}), distributed_id="job-1").wait(WAIT_S)


def _finish(run: headwater.Run) -> None:
    run.finish_artifact(filled({"a": "1"}), distributed_id="job-1").wait(WAIT_S)


def _finish_with_writers(run: headwater.Run) -> None:
    run.finish_artifact(filled({"a": "1"}), distributed_id="job-1", writers=1).wait(WAIT_S)


@pytest.mark.parametrize(
    ("write", "before"),
    [
        (_log, DraftOpened),
        (_log, VersionCommitted),
        (_upsert, DraftOpened),
        (_finish, DraftOpened),
        (_finish, VersionCommitted),
        (_finish_with_writers, VersionCommitted),
    ],
)
def test_who_writes_to_a_collection_that_is_parked_is_told(
    store: StoreUnderTest,
    before_append: BeforeAppend,
    write: Callable[[headwater.Run], None],
    before: type[Event],
) -> None:
    def damage(log: EmbeddedEventLog, events: list[Event]) -> None:
        if any(isinstance(event, before) for event in events):
            log.append([NewRecord(collection_key(PETS), UNDECODABLE)], timeout_s=5)

    with headwater.init() as run:
        before_append(damage)

        with pytest.raises(StoreUnavailable, match=BLOCKED):
            write(run)
