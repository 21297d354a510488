"""A workspace with a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.processes import Workspace
from tests.support.modes import OVER_HTTP, WAYS, stores_recycled
from tests.support.stores import new_store


@pytest.fixture(params=WAYS)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to run: a fault of a client loses nothing, however it gets to the store."""
    with stores_recycled():
        yield request.param


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With a store in a folder."""
    return Workspace.in_folder(tmp_path)


@pytest.fixture
def shared_workspace(mode: str, tmp_path: Path) -> Iterator[Workspace]:
    """With a store in each way to run."""
    workspace = Workspace.in_folder(tmp_path)
    with new_store(mode, workspace.store) as place:
        workspace.environment = place.environment
        workspace.is_served = mode == OVER_HTTP
        yield workspace
