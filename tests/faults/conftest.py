"""A workspace with a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.processes import Workspace
from tests.support.stores import new_store


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
        yield workspace
