"""The browser that these tests need: a missing one is a failure that says what to do."""

import sys
from pathlib import Path

import pytest

from services import ServicesFailed
from services.browser import VARIABLE, chromium


def test_a_missing_browser_is_reported_with_how_to_get_it(tmp_path: Path) -> None:
    for environment in ({"PATH": str(tmp_path)}, {VARIABLE: str(tmp_path / "nothing")}):
        with pytest.raises(ServicesFailed, match="apt install chromium"):
            chromium(environment)


def test_another_browser_of_its_family_can_be_named() -> None:
    assert chromium({VARIABLE: sys.executable}) == Path(sys.executable)
