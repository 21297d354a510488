"""A plugin for the tests of mutants: the same few random examples each time, and only what is fast without servers."""

import pytest
from hypothesis import settings

from tests.support.modes import SERVICE

EXAMPLES = 20
SLOW = ("slow", "soak")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    settings.register_profile("mutants", settings(), max_examples=EXAMPLES, derandomize=True, database=None)
    settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {item for item in items if _is_on_servers(item) or any(item.get_closest_marker(name) for name in SLOW)}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = [item for item in items if item not in left_out]


def _is_on_servers(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    return spec is not None and spec.params.get("mode") == SERVICE
