"""A log and an empty projection for each test of projectors."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.projectors.harness import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with closing(Deployment(tmp_path)) as deployment:
        yield deployment
