"""One store for each test, and a desk to work at."""

from pathlib import Path

import pytest

from tests.faults.processes import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.in_folder(tmp_path)
