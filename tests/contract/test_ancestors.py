"""Logs into which the records of others are restored: they know their ancestors, on every adapter."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas.errors import InvalidInput, StoreNotOurs
from headwater_schemas.positions import BEFORE_FIRST

from tests.contract.event_logs import LogPlace, each_adapter, fresh_place
from tests.support.warm_processes import warm

WAIT_S = 60.0
ANCESTORS = ("0f" * 16, "5a" * 16)

pytestmark = each_adapter


@pytest.fixture
def place(adapter: str, tmp_path: Path) -> LogPlace:
    return fresh_place(adapter, tmp_path / "log")


@pytest.fixture
def log(place: LogPlace) -> Iterator[EventLog]:
    with closing(place.create(ANCESTORS)) as log:
        yield log


def _append(log: EventLog, *payloads: bytes) -> list[int]:
    positions = log.append([NewRecord("k", payload) for payload in payloads], timeout_s=WAIT_S)
    assert {position.epoch for position in positions} == {len(log.ancestors)}
    return [position.offset for position in positions]


def _ancestors_seen_from_here(place: LogPlace) -> tuple[str, ...]:
    with closing(place.open()) as log:
        return log.ancestors


def test_a_log_has_no_ancestors_unless_it_was_created_with_them(place: LogPlace) -> None:
    with closing(place.open()) as log:
        _append(log, b"1")
    assert _ancestors_seen_from_here(place) == ()


def test_a_restored_log_knows_its_ancestors_wherever_it_is_opened(log: EventLog, place: LogPlace) -> None:
    assert log.ancestors == ANCESTORS
    assert _ancestors_seen_from_here(place) == ANCESTORS
    with warm.Pool(1) as processes:
        assert processes.apply(_ancestors_seen_from_here, (place,)) == ANCESTORS


def test_its_own_records_have_the_epoch_after_theirs(log: EventLog, place: LogPlace) -> None:
    _append(log, b"1", b"2")

    with closing(place.open()) as again:
        _append(again, b"3")
        found = [record for n in range(again.partitions) for record in again.read(n, after=BEFORE_FIRST)]
    assert {record.position.epoch for record in found} == {2}
    assert [record.payload for record in found if record.key == "k"] == [b"1", b"2", b"3"]


def test_a_log_that_has_records_is_never_made_a_restored_one(place: LogPlace) -> None:
    with closing(place.open()) as log:
        _append(log, b"1")
        before = log.generation

    with pytest.raises(StoreNotOurs, match=r"restored into a new (one|folder)"):
        place.create(ANCESTORS)

    with closing(place.open()) as log:
        assert (log.generation, log.ancestors) == (before, ())


@pytest.mark.parametrize(
    ("ancestors", "says"),
    [
        (tuple(f"{n:032x}" for n in range(256)), "can have 255 ancestors"),
        (("a", "a"), "different generations"),
        (("a,b",), "letters and digits"),
        (("",), "letters and digits"),
    ],
)
def test_ancestors_that_no_position_could_name_are_refused(
    place: LogPlace, ancestors: tuple[str, ...], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        place.create(ancestors)


def test_as_many_as_positions_can_count_are_fine(place: LogPlace) -> None:
    most = tuple(f"{n:032x}" for n in range(255))
    with closing(place.create(most)) as log:
        _append(log, b"1")
    assert _ancestors_seen_from_here(place) == most
