"""`headwater doctor` through a server: what a client can know of it."""

import pytest

from tests.cli.commands import run
from tests.support.serving import ServerProcess


def test_it_says_that_the_server_answers_and_whom_it_takes_you_for(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_URL", open_server.url)

    done = run("doctor")

    assert done.code == 0, done
    assert f"server: {open_server.url} answers, and knows you as open|anybody" in done.out
    assert "projection: up to date" in done.out


def test_a_server_that_is_not_there_is_broken(open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", open_server.url)
    open_server.stop()

    done = run("doctor")

    assert done.code == 1
    assert f"broken  server: {open_server.url} cannot be reached" in done.out
