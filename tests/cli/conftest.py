"""A store of its own for each test, in each way to run, and something to log."""

from pathlib import Path

import pytest

from tests.sdk.conftest import mode as mode
from tests.sdk.conftest import store as store
from tests.support.stores import StoreUnderTest


@pytest.fixture
def images(store: StoreUnderTest, tmp_path: Path) -> Path:
    """A folder with three files, of which one is in a folder."""
    folder = tmp_path / "images"
    (folder / "train").mkdir(parents=True)
    (folder / "cat.txt").write_text("cat")
    (folder / "dog.txt").write_text("a dog")
    (folder / "train" / "cow.txt").write_text("a cow")
    return folder
