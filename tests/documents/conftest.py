"""A store in each way to run, the servers that references lead to, and the folder of the documents' examples."""

from pathlib import Path

import pytest

from tests.documents.pieces import fill
from tests.references.conftest import _no_accounts as _no_accounts
from tests.references.conftest import _stand_in as _stand_in
from tests.references.conftest import bucket as bucket
from tests.references.conftest import google as google
from tests.references.conftest import web as web
from tests.sdk.conftest import mode as mode
from tests.sdk.conftest import store as store
from tests.support.stores import StoreUnderTest


@pytest.fixture(autouse=True)
def _in_a_store(store: StoreUnderTest) -> None:
    """Every statement holds in both ways to run."""


@pytest.fixture
def _project_directory() -> None:
    """The working folder is the project directory of the examples."""
    fill("images/cat.png", "images/dog.png", "checkpoints/model.h5", "model.h5")


@pytest.fixture
def bike_dataset() -> Path:
    """The file that most of the examples add."""
    return fill("bicycle-data.h5")[0]
