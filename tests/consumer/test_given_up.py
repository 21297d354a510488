"""A projection that was waited for in vain is not waited for again, until something changes."""

import pytest
from headwater_consumer.database import Database
from headwater_consumer.projection.given_up import AskedServer, GivenUp
from headwater_consumer.projection.remote import RemoteProjection
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Cut

from tests.support.memory_log import MemoryLog

THRICE = Backoff(pause_s_min=0.0, pause_s_max=0.0, attempts_max=3)
BEHIND, WANTED = {0: 4, 1: 9}, Cut("g", {0: 5, 1: 9})


class Projectors:
    running = False

    def __call__(self) -> bool:
        return self.running


def given_up(projectors: Projectors) -> GivenUp:
    given_up = GivenUp(projectors)
    given_up.note(WANTED, BEHIND)
    return given_up


def test_what_stands_where_it_was_given_up_is_still_given_up() -> None:
    assert given_up(Projectors()).holds(WANTED, BEHIND)
    assert given_up(Projectors()).holds(Cut("g", {0: 7}), {**BEHIND, 1: 20})


def test_nothing_is_given_up_before_it_was_waited_for() -> None:
    assert not GivenUp(Projectors()).holds(WANTED, {})


def test_a_partition_that_moved_is_waited_for_again_and_so_is_one_that_was_not_given_up() -> None:
    projection = given_up(Projectors())

    assert not projection.holds(Cut("g", {1: 10}), BEHIND)
    assert not projection.holds(Cut("g", {0: 7}), {**BEHIND, 0: 5})
    assert not projection.holds(Cut("g", {0: 7}), BEHIND), "it had moved"


def test_when_a_projector_comes_it_is_worth_while_to_wait_again() -> None:
    projectors = Projectors()
    projection = given_up(projectors)

    projectors.running = True

    assert not projection.holds(WANTED, BEHIND)


def test_a_partition_of_which_nothing_was_projected_yet_can_be_given_up() -> None:
    projection = GivenUp(Projectors())
    projection.note(WANTED, {})

    assert projection.holds(WANTED, {})


def test_a_server_that_is_away_is_waited_for_once_until_it_is_back() -> None:
    asked: list[bool] = []
    answers, is_away = AskedServer(StoreUnavailable), True

    def ask() -> str:
        asked.append(is_away)
        if is_away:
            raise StoreUnavailable("away")
        return "answer"

    for attempts in (3, 1, 1):
        asked.clear()
        with pytest.raises(StoreUnavailable):
            answers.get(ask, THRICE.start())
        assert len(asked) == attempts
    is_away = False
    assert answers.get(ask, THRICE.start()) == "answer"
    is_away = True
    asked.clear()
    with pytest.raises(StoreUnavailable):
        answers.get(ask, THRICE.start())
    assert len(asked) == 3


def test_where_nothing_was_waited_for_in_vain_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    projection = RemoteProjection(MemoryLog(1), Database.in_memory("nothing"))
    monkeypatch.setattr(projection, "cursors", lambda: pytest.fail("the database was asked"))

    assert not projection.is_given_up(WANTED)
