"""A store of its own for each test of the SDK, in each way to run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater._commit import client as clients

from tests.support.modes import WAYS, stores_recycled
from tests.support.stores import StoreUnderTest, new_store
from tests.support.web import Web, serving


@pytest.fixture(params=WAYS)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to run: what a user sees is the same, however a client gets to the store."""
    with stores_recycled():
        yield request.param


@pytest.fixture
def store(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreUnderTest]:
    """This test's store; it is closed at the end, as at the end of a process."""
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    monkeypatch.chdir(tmp_path)
    with new_store(mode, tmp_path / "store") as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place
        for client in list(clients._clients.values()):
            clients.forget_client(client)


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server of this test."""
    with serving() as web:
        yield web
