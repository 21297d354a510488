"""A browser for the tests of this package, and servers to look at with it: each test process starts each once."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from services.browser import chromium
from tests.page.browsing import Window, window
from tests.page.hostile import record_hostile
from tests.page.lineages import record_special
from tests.server.recorded import record
from tests.server.web.viewed import record_views
from tests.support.serving import ServerProcess, serving, serving_recorded

FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--font-render-hinting=none")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a screen. Not for longer: its driver keeps an event loop running, in which no other can."""
    program = chromium(os.environ)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on what `tests.server.recorded` recorded, on which everybody may do everything. Tests only read."""
    with serving_recorded(tmp_path_factory.mktemp("shown") / "store", record) as server:
        yield server


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same on what `tests.page.hostile` recorded."""
    with serving_recorded(tmp_path_factory.mktemp("hostile") / "store", record_hostile) as server:
        yield server


@pytest.fixture(scope="session")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with something of everything that views show. Tests only read."""
    with serving_recorded(tmp_path_factory.mktemp("viewed") / "store", record_views) as server:
        yield server


@pytest.fixture(scope="session")
def special(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same on runs and versions of all kinds that lineage tells apart."""
    with serving_recorded(tmp_path_factory.mktemp("special") / "store", record_special) as server:
        yield server


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ServerProcess]:
    """The same on a store in which nothing was recorded."""
    with serving("--url", str(tmp_path / "store"), "--open") as server:
        yield server


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Window]]:
    """`opened(server.url, size=NARROW, dark=True)` is a window that is closed, and checked, at the end of the test."""
    with ExitStack() as windows:

        def opening(url: str, **how: Any) -> Window:
            return windows.enter_context(window(browser, url, **how))

        yield opening
