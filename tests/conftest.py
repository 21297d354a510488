"""What holds for every test: its own home and settings, and one way to draw random input."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.simulation import summary
from tests.support import servers
from tests.support.modes import MODES, stores_recycled

# No deadline and no complaint about slow drawing: both measure the machine, which may be busy, not the code. Fixtures
# of one test serve all its examples: what they lend is emptied for each.
_ALWAYS = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.register_profile("dev", _ALWAYS)
settings.register_profile("ci", _ALWAYS, derandomize=True)  # the same examples on every run
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

pytest_plugins = [
    "tests.support.run_plan",
    "tests.support.scheduling",
    "tests.support.failures_at_once",
    "tests.support.memory_files",
]

_OUTSIDE = dict(os.environ)  # as it was before any test ran


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A run in the background of a shell ignores Ctrl-C, and so would every process that a test interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    servers.begin_run(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.end_run(config)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    summary.pytest_terminal_summary(terminalreporter)


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or leaves a trace in, the home, the settings or the stores of whoever runs it.

    The folder comes first, so that it is deleted last, by functions of the system that no test patches any more.
    """
    for name in os.environ:
        if name.startswith(("HEADWATER_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADWATER_SETTINGS", os.devnull)
    monkeypatch.setenv("HEADWATER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HEADWATER_CAPTURE", "off")  # each run would ask git about this repository


@pytest.fixture(scope="module")
def module_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what the tests of a module share. It is deleted after them: it may be in memory."""
    folder = tmp_path_factory.mktemp("module")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to run. What is asked of one is asked of the other, under the same name."""
    with stores_recycled():
        yield request.param


@pytest.fixture
def modes() -> tuple[str, ...]:
    """All ways to run, for a test that compares them."""
    return MODES


@pytest.fixture(scope="session")
def outside_environment() -> Mapping[str, str]:
    """The environment as it was given to the test run, for the few tests that need the machine's own tools set up."""
    return _OUTSIDE
