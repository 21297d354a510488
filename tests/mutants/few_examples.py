"""A plugin for the tests of mutants: the same few random examples each time."""

import pytest
from hypothesis import settings

EXAMPLES = 10


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    settings.register_profile("mutants", settings(), max_examples=EXAMPLES, derandomize=True, database=None)
    settings.load_profile("mutants")
