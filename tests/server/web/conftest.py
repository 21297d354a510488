"""Servers with something of everything that views show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.granted import GrantedServer, granting
from tests.server.web.viewed import record_views
from tests.support.serving import ServerProcess, serving_recorded


@pytest.fixture(scope="module")
def viewed(module_path: Path) -> Iterator[ServerProcess]:
    """A server that lets everybody in. The tests of a module share it: they only read."""
    with serving_recorded(module_path / "viewed", record_views) as server:
        yield server


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    """A server that wants to know who comes, of the same."""
    folder = module_path / "granted"
    record_views(folder)
    with granting(folder, recorded=False) as server:
        yield server
