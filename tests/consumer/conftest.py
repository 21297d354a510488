from collections.abc import Iterator

import pytest

from tests.consumer.looking import Databases


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """As many empty projections as a test asks for, kept for the next one."""
    made = Databases(tmp_path_factory.mktemp("projections"))
    yield made
    made.close()
