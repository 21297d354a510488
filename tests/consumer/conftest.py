"""Empty projections, and a history to project, for each test of the read side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consumer.looking import Databases
from tests.support.history import History, open_history


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """As many empty projections as a test asks for, kept for the next one."""
    made = Databases(tmp_path_factory.mktemp("projections"))
    yield made
    made.close()


@pytest.fixture(params=["embedded"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    with open_history(request.param, tmp_path) as history:
        yield history
