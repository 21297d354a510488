"""The plan of a test run, as a plugin: which tests run, in what order, and what they wait for.

With workers each worker collects, chooses and sorts, and all must come to the same list. What that depends on, the
controlling process tells them; what they find out, they tell it at the end.
"""

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from tests.support import mode_summary, selection, servers
from tests.support.durations import Durations, Recorder, known, longest_first


@dataclass(frozen=True)
class Told:
    """What a worker is told. A run without workers keeps the order of the files."""

    durations: Durations = field(default_factory=dict)  # of earlier runs
    servers_last: bool = False  # the programs of the servers are still to be built

    @classmethod
    def of_machine(cls) -> "Told":
        return cls(known(), not servers.programs_are_there())


@dataclass
class Found:
    """What collecting showed."""

    in_one_way_only: list[str] = field(default_factory=list)
    sample: str = ""


_TOLD = pytest.StashKey[Told]()
_FOUND = pytest.StashKey[Found]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on-servers", choices=selection.CHOICES, default=selection.ALL, help="which of the tests on servers to run"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FOUND] = Found()
    if hasattr(config, "workerinput"):
        config.stash[_TOLD] = Told(**json.loads(config.workerinput["plan"]))
        return
    config.stash[_TOLD] = Told()
    config.pluginmanager.register(Recorder(), "durations")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what all workers are told."""
    if not node.config.stash[_TOLD].durations:
        node.config.stash[_TOLD] = Told.of_machine()
    node.workerinput["plan"] = json.dumps(asdict(node.config.stash[_TOLD]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Compare the ways to run before any test is left out, then choose and sort."""
    found, told = config.stash[_FOUND], config.stash[_TOLD]
    if mode_summary.is_whole(config):
        by_way = mode_summary.tests_by_way(item.nodeid for item in items)
        found.in_one_way_only = mode_summary.in_one_way_only(by_way)
    yield
    chosen, sample = selection.choose(items, config.getoption("--on-servers"))
    found.sample = str(sample or "")
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    if told.durations:
        chosen = longest_first(chosen, told.durations)
    if told.servers_last:
        chosen.sort(key=selection.needs_servers)
    items[:] = chosen


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a run with workers, start the servers while the first tests run."""
    if hasattr(session.config, "workerinput") and any(map(selection.needs_servers, session.items)):
        servers.start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until the servers are built before the time begins that a test may take."""
    if selection.needs_servers(item):
        servers.wait_for_programs(google=selection.needs_google(item))
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    found = session.config.stash[_FOUND]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["found"] = json.dumps(asdict(found))
    elif found.in_one_way_only:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if "found" in (told := getattr(node, "workeroutput", {})):
        node.config.stash[_FOUND] = Found(**json.loads(told["found"]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    found = config.stash[_FOUND]
    mode_summary.write_summary(terminalreporter, found.in_one_way_only)
    if found.sample:
        terminalreporter.write_line(found.sample)
