"""The servers of one store have one key: one with another is not ready, and says so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import headwater, refused
from tests.support.serving import ServerProcess, serving, until


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    """The file of a key that nobody has."""
    path = tmp_path / "other.key"
    path.touch(0o600)
    path.write_text("ab" * 32 + "\n")
    return path


@contextmanager
def server_with(store: Path, key: Path | None = None) -> Iterator[ServerProcess]:
    """A server of the store, with its own key or another."""
    named = {} if key is None else {"HEADWATER_SERVER_KEY_FILE": str(key)}
    with serving("--url", str(store), "--open", env={**os.environ, **named}) as server:
        yield server


def trouble_of(server: ServerProcess) -> str | None:
    answer = server.ask("GET", "/ready")
    assert (answer.status == 200) == (answer.json["trouble"] is None)
    trouble: str | None = answer.json["trouble"]
    return trouble


def test_a_server_with_another_key_than_the_first_one_is_not_ready_and_names_both(store: Path, other_key: Path) -> None:
    with server_with(store) as first, server_with(store, other_key) as second:
        assert trouble_of(first) is None
        trouble = trouble_of(second)

        assert trouble is not None
        assert "this server's key is" in trouble
        assert "HEADWATER_SERVER_KEY_FILE" in trouble
        assert "abab" not in trouble
        assert second.get("/health") == {"status": "ok"}


def test_servers_with_one_key_in_two_files_are_ready(store: Path, tmp_path: Path) -> None:
    headwater("setup", "--url", str(store))
    copy = tmp_path / "copy.key"
    copy.touch(0o600)
    copy.write_bytes((store / "operational" / "server.key").read_bytes())

    with server_with(store) as first, server_with(store, copy) as second:
        assert (trouble_of(first), trouble_of(second)) == (None, None)


def test_a_key_is_replaced_where_its_operator_says_so(
    store: Path, other_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with(store) as first, server_with(store, other_key) as second:
        assert trouble_of(first) is None  # it said which key it is
        monkeypatch.setenv("HEADWATER_SERVER_KEY_FILE", str(other_key))
        assert "run `headwater setup --replace-key`" in refused("setup", "--url", str(store))
        assert str(other_key) in headwater("setup", "--url", str(store), "--replace-key")

        until(lambda: trouble_of(second) is None)
        assert trouble_of(first) is not None


def test_no_second_key_is_made_beside_the_one_that_servers_have(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headwater("setup", "--url", str(store))
    monkeypatch.setenv("HEADWATER_SERVER_KEY_FILE", str(tmp_path / "nowhere.key"))

    assert "Copy theirs there" in refused("setup", "--url", str(store))
    assert not (tmp_path / "nowhere.key").exists()
