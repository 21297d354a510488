"""Servers for the tests of this package."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.recorded import record
from tests.support.serving import ServerProcess, serving, serving_recorded


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on a new folder, on which everybody may do everything."""
    with serving("--url", str(tmp_path / "store"), "--open") as server:
        yield server


@pytest.fixture(scope="module")
def recorded_server(module_path: Path) -> Iterator[ServerProcess]:
    """A server on a folder in which `tests.server.recorded` recorded, on which everybody may do everything.

    The tests of a module share it: they only read.
    """
    with serving_recorded(module_path / "recorded", record) as server:
        yield server
