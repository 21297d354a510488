"""When tokens were last used."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_consumer.operational import token_uses as module
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.token_uses import last_uses, note_uses

from tests.support.modes import open_operational


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[OperationalDatabase]:
    database = open_operational(mode, tmp_path / "store")
    yield database
    database.close()


def test_the_last_use_of_a_token_is_remembered_and_of_others_there_is_none(database: OperationalDatabase) -> None:
    note_uses(database, ["a", "b"])
    first = last_uses(database, ["a", "b", "never"])
    note_uses(database, {"b"})
    second = last_uses(database, ["b", "a"])

    assert first.keys() == {"a", "b"}
    assert second["a"] == first["a"]
    assert second["b"] >= first["b"]
    assert last_uses(database, []) == {}


def test_many_tokens_are_asked_about_at_once(database: OperationalDatabase) -> None:
    tokens = [f"{number:016x}" for number in range(2 * module.ASKED_MAX + 1)]
    note_uses(database, tokens)

    assert last_uses(database, tokens).keys() == set(tokens)


def test_what_was_used_long_ago_is_forgotten(database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    note_uses(database, ["old"])
    monkeypatch.setattr(module, "KEPT_DAYS", -1)
    note_uses(database, ["new"])

    assert last_uses(database, ["old", "new"]) == {}
