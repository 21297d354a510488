"""Empty projections, and a history to project, for each test of the read side, in both ways to run."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.consumer.inspection import Databases
from tests.support.history import History, open_history


@pytest.fixture(scope="session")
def databases_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Databases]]:
    """As many empty projections as a test asks for, of its way to run, kept for the next one."""
    made = cache(lambda mode: Databases(mode, tmp_path_factory.mktemp("projections")))
    kept: list[Databases] = []

    def of(mode: str) -> Databases:
        if made(mode) not in kept:
            kept.append(made(mode))
        return made(mode)

    yield of
    for databases in kept:
        databases.close()


@pytest.fixture
def databases(mode: str, databases_of: Callable[[str], Databases]) -> Databases:
    return databases_of(mode)


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    with open_history(mode, tmp_path) as history:
        yield history
