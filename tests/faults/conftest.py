"""One store for each test, and a desk to work at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.processes import Desk
from tests.support.stores import fresh_place


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """At a store in a folder."""
    return Desk.in_folder(tmp_path)


@pytest.fixture
def shared_desk(mode: str, tmp_path: Path) -> Iterator[Desk]:
    """At a store in each way to run."""
    desk = Desk.in_folder(tmp_path)
    with fresh_place(mode, desk.store) as place:
        desk.environment = place.environment
        yield desk
