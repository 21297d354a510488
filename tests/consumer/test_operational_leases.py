"""Leases: one process at a time holds one, and who lost it knows."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import (
    HELD,
    HeldLease,
    LeaseLost,
    release_lease,
    renew_lease,
    take_lease,
)
from headwater_schemas.errors import StoreUnavailable

from tests.support.modes import open_operational
from tests.support.serving import until

SHORT_S = 0.2
RENEWED_S = 0.05
RENEWED_IN_TIME_S = 1.0  # also on a busy machine


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[OperationalDatabase]:
    database = open_operational(mode, tmp_path / "store")
    yield database
    database.close()


def test_of_many_who_ask_at_once_one_gets_it(database: OperationalDatabase) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: take_lease(database, "relay"), range(8)))

    assert sum(lease is not None for lease in found) == 1


def test_leases_of_different_names_have_nothing_to_do_with_each_other(database: OperationalDatabase) -> None:
    assert take_lease(database, "relay") is not None
    assert take_lease(database, "webhooks") is not None


def test_one_that_was_not_renewed_goes_to_another_with_a_greater_fence(database: OperationalDatabase) -> None:
    first = take_lease(database, "relay", length_s=SHORT_S)
    assert first is not None
    until(lambda: (second := take_lease(database, "relay")) is not None and second.fence > first.fence)

    assert not renew_lease(database, first)
    release_lease(database, first)  # which does not end another's turn
    assert take_lease(database, "relay") is None


def test_one_that_was_released_is_free_at_once(database: OperationalDatabase) -> None:
    first = take_lease(database, "relay")
    assert first is not None
    release_lease(database, first)
    assert take_lease(database, "relay") is not None


def test_a_statement_of_a_turn_that_is_over_changes_nothing(database: OperationalDatabase) -> None:
    first = take_lease(database, "relay")
    assert first is not None
    marked = f"UPDATE operational_meta SET value = value WHERE {HELD}"
    with database.statement() as statements:
        assert statements.run(marked, *first.held) == 1
    release_lease(database, first)
    assert take_lease(database, "relay") is not None
    with database.statement() as statements:
        assert statements.run(marked, *first.held) == 0


def test_it_is_kept_beyond_its_length_while_the_block_lasts_and_free_after_it(database: OperationalDatabase) -> None:
    held = HeldLease.take(database, "relay", length_s=RENEWED_IN_TIME_S, renew_s=RENEWED_S)
    assert held is not None
    with held:
        for _ in range(3):
            time.sleep(RENEWED_IN_TIME_S / 2)
            held.check()
            assert take_lease(database, "relay") is None
    assert take_lease(database, "relay") is not None


def test_who_cannot_renew_it_knows_that_it_is_lost_before_another_gets_it(
    database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldLease.take(database, "relay", length_s=2 * SHORT_S, renew_s=RENEWED_S)
    assert held is not None

    def fail(*_: object, **__: object) -> bool:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr("headwater_consumer.operational.leases.renew_lease", fail)
    with held:
        until(lambda: not held.is_held)
        with pytest.raises(LeaseLost, match="'relay' is lost"):
            held.check()


def test_who_finds_it_taken_when_renewing_stops_at_once(database: OperationalDatabase) -> None:
    held = HeldLease.take(database, "relay", renew_s=RENEWED_S)
    assert held is not None
    with held:
        with database.statement() as statements:
            statements.run("UPDATE leases SET fence = fence + 1, holder = 'another'")
        until(lambda: not held.is_held)
    with database.statement() as statements:
        assert statements.first("SELECT holder FROM leases") == ("another",)
