"""A server of a new store for each test, in each way to run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater._commit import client as clients

from tests.server.operations.operated import Operated, operating
from tests.support.modes import EMBEDDED


@pytest.fixture(autouse=True)
def _closed_clients() -> Iterator[None]:
    """As at the end of a process."""
    yield
    for client in list(clients._clients.values()):
        clients.forget_client(client)


@pytest.fixture
def operated(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operated]:
    """A store and a server, on which everybody may do everything."""
    with operating(mode, tmp_path, monkeypatch) as operated, operated.serving():
        yield operated


@pytest.fixture
def folder_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operated]:
    """A store in a folder, for which the test starts servers."""
    with operating(EMBEDDED, tmp_path, monkeypatch) as operated:
        yield operated


@pytest.fixture
def on_folder(folder_store: Operated) -> Iterator[Operated]:
    """A store in a folder and a server, on which everybody may do everything."""
    with folder_store.serving():
        yield folder_store
