"""A log and an empty projection for each test of projectors."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.projectors.harness import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as place:
        yield place
