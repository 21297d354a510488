"""What operators are told of relays: how far each topic is, and which process relays."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import Lease, release_lease, take_lease
from headwater_consumer.operational.relay_positions import LEASE, move_relay
from headwater_consumer.queries.event_pages import version_events
from headwater_schemas.event_cursors import EventCursor
from headwater_stores import relays
from headwater_stores.config.settings import Settings, read_settings
from headwater_stores.opening import open_stores
from headwater_stores.operational import open_operational
from headwater_stores.relays import diagnose_relays
from headwater_stores.stores import Stores

from tests.support.history import History

PETS = "team/animals/pets"


@dataclass
class Relayed:
    """A store with a version, and its operational tables."""

    settings: Settings
    stores: Stores
    operational: OperationalDatabase
    history: History

    def told(self) -> list[tuple[bool, str]]:
        return [(one.is_good, one.text) for one in diagnose_relays(self.settings, self.stores.database)]

    def log(self, content: bytes) -> None:
        self.history.commit(PETS, {"a": content})

    def lease(self) -> Lease:
        lease = take_lease(self.operational, LEASE)
        assert lease is not None
        return lease

    def relay(self, lease: Lease) -> str:
        """All events there are: the cursor after them."""
        page = version_events(self.stores.database, EventCursor(self.stores.log.generation), limit=1000)
        move_relay(self.operational, lease, "an-id", "pets-events", page.cursor.encode())
        return page.cursor.encode()


@pytest.fixture
def relayed(tmp_path: Path) -> Iterator[Relayed]:
    settings = read_settings(url=tmp_path / "store")
    with (
        closing(open_stores(settings, create=True)) as stores,
        closing(open_operational(settings)) as operational,
    ):
        relayed = Relayed(settings, stores, operational, History(stores.log, stores.database))
        relayed.log(b"first")
        yield relayed


def test_where_nobody_ever_relayed_nothing_is_said(relayed: Relayed) -> None:
    assert relayed.told() == []


def test_the_process_that_relays_and_the_position_of_its_topic_are_named(relayed: Relayed) -> None:
    cursor = relayed.relay(relayed.lease())

    ((is_good, text),) = relayed.told()

    assert is_good
    assert f"process {os.getpid()} relays: topic 'pets-events' has all version events, at {cursor}." in text


def test_a_topic_that_is_far_behind_is_not_well(relayed: Relayed, monkeypatch: pytest.MonkeyPatch) -> None:
    relayed.relay(relayed.lease())
    relayed.log(b"second")
    assert [is_good for is_good, _ in relayed.told()] == [True], "a moment is nothing"

    monkeypatch.setattr(relays, "BEHIND_S_MAX", 0.0)

    ((is_good, text),) = relayed.told()
    assert not is_good
    assert " behind, at " in text


def test_a_topic_that_nobody_writes_to_any_more_is_told(relayed: Relayed) -> None:
    lease = relayed.lease()
    relayed.relay(lease)
    release_lease(relayed.operational, lease)

    ((is_good, text),) = relayed.told()

    assert not is_good
    assert text.startswith("nobody relays: topic 'pets-events' has all version events, at ")
    assert text.endswith("Start `headwater relay`.")
