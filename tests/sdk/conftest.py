"""A store of its own for each test of the SDK."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater import _client


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of this test's store; it is closed at the end, as at the end of a process."""
    folder = tmp_path / "store"
    monkeypatch.setenv("HEADWATER_URL", str(folder))
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    monkeypatch.chdir(tmp_path)
    yield folder
    for client in list(_client._clients.values()):
        _client.forget_client(client)
