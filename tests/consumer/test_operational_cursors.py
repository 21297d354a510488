"""Named cursors: a subscriber goes on where it was, and two under one name notice each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.operational import named_cursors as module
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.named_cursors import (
    forget_name,
    move_cursor,
    named_cursors,
    take_name,
)
from headwater_schemas.errors import InvalidInput, InvalidName, NameTaken, NotFound

from tests.support.modes import open_operational

SCOPE = "team/vision"


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[OperationalDatabase]:
    database = open_operational(mode, tmp_path / "store")
    yield database
    database.close()


def test_a_new_name_has_read_nothing(database: OperationalDatabase) -> None:
    assert take_name(database, SCOPE, "trainer", holder="a").cursor == ""


def test_who_takes_a_name_again_goes_on_where_it_was(database: OperationalDatabase) -> None:
    take_name(database, SCOPE, "trainer", holder="a")
    move_cursor(database, SCOPE, "trainer", "one", holder="a")
    move_cursor(database, SCOPE, "trainer", "two", holder="a")

    assert take_name(database, SCOPE, "trainer", holder="b").cursor == "two"


def test_who_lost_its_name_to_another_process_is_told_and_changes_nothing(database: OperationalDatabase) -> None:
    take_name(database, SCOPE, "trainer", holder="a")
    move_cursor(database, SCOPE, "trainer", "one", holder="a")
    take_name(database, SCOPE, "trainer", holder="b")

    with pytest.raises(NameTaken, match="'trainer' of team/vision was taken by another process"):
        move_cursor(database, SCOPE, "trainer", "two", holder="a")
    move_cursor(database, SCOPE, "trainer", "three", holder="b")
    assert [found.cursor for found in named_cursors(database)] == ["three"]


def test_a_cursor_that_is_written_again_after_an_answer_was_lost_is_the_same(database: OperationalDatabase) -> None:
    take_name(database, SCOPE, "trainer", holder="a")
    move_cursor(database, SCOPE, "trainer", "one", holder="a")

    move_cursor(database, SCOPE, "trainer", "one", holder="a")

    assert [found.cursor for found in named_cursors(database)] == ["one"]


def test_one_name_in_two_scopes_is_two_subscribers(database: OperationalDatabase) -> None:
    for scope in (SCOPE, "team"):
        take_name(database, scope, "trainer", holder=scope)
    move_cursor(database, "team", "trainer", "one", holder="team")

    listed = [(found.scope, found.cursor) for found in named_cursors(database)]
    assert listed == [("team", "one"), (SCOPE, "")]
    assert [found.scope for found in named_cursors(database, SCOPE)] == [SCOPE]


def test_when_a_cursor_moved_is_told_by_the_databases_clock(database: OperationalDatabase) -> None:
    took = take_name(database, SCOPE, "trainer", holder="a")
    for n in range(3):
        move_cursor(database, SCOPE, "trainer", str(n), holder="a")

    (found,) = named_cursors(database)
    assert 0 < took.updated_us <= found.updated_us + 1000  # SQLite's clock is made of a floating-point number


def test_who_was_forgotten_is_told(database: OperationalDatabase) -> None:
    take_name(database, SCOPE, "trainer", holder="a")

    forget_name(database, SCOPE, "trainer")

    assert named_cursors(database) == []
    with pytest.raises(NameTaken, match="forgotten"):
        move_cursor(database, SCOPE, "trainer", "one", holder="a")
    with pytest.raises(NotFound, match="has no subscription 'trainer'"):
        forget_name(database, SCOPE, "trainer")


def test_a_name_that_is_none_is_refused(database: OperationalDatabase) -> None:
    with pytest.raises(InvalidName, match="subscription name"):
        take_name(database, SCOPE, "a/b", holder="a")
    assert named_cursors(database) == []


def test_those_of_one_reader_are_found_behind_any_number_of_others(
    database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LISTED_MAX", 2)
    for scope in ("a for ana", "b for ana", "c", "d for ben", "n"):
        take_name(database, scope, "trainer", holder="a")

    assert [found.scope for found in named_cursors(database, ending=" for ben")] == ["d for ben"]
    assert [found.scope for found in named_cursors(database)] == ["a for ana", "b for ana"]


def test_the_number_of_names_is_bounded_and_those_that_are_there_go_on(
    database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAMES_MAX", 2)
    for name in ("one", "two"):
        take_name(database, SCOPE, name, holder="a")

    with pytest.raises(InvalidInput, match="2 named subscriptions, which is the limit"):
        take_name(database, SCOPE, "three", holder="a")
    take_name(database, SCOPE, "two", holder="b")
    take_name(database, "team/other", "three", holder="a")
    assert len(named_cursors(database)) == 3
