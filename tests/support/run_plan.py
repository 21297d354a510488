"""The plan of a test run, as a plugin: which tests run, in what order, and what they wait for.

With workers, each of them collects, selects and sorts the tests, and all must arrive at the same list. The controlling
process sends them what that depends on, and they report what they found at the end.
"""

import json
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from tests.support import mode_summary, selection, servers
from tests.support.durations import Durations, Recorder, known, longest_first


@dataclass(frozen=True)
class WorkerInput:
    """What all workers must know alike. A run without workers keeps the order of the files."""

    durations: Durations = field(default_factory=dict)  # of earlier runs
    servers_last: bool = False  # the programs of the servers are still to be built

    @classmethod
    def of_machine(cls) -> "WorkerInput":
        return cls(known(), not servers.programs_are_there())


@dataclass
class Findings:
    """What was found out while collecting."""

    in_one_way_only: list[str] = field(default_factory=list)
    sample: str = ""


_SHARED = {"module_path", "browser"}  # fixtures that the tests of a module share
_INPUT = pytest.StashKey[WorkerInput]()
_FINDINGS = pytest.StashKey[Findings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on-servers", choices=selection.CHOICES, default=selection.ALL, help="which of the tests on servers to run"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """With servers, one worker more than there are processors: much of the time, tests wait for servers."""
    processors = len(os.sched_getaffinity(0))
    return processors if config.getoption("--on-servers") == selection.NONE else processors + 1


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FINDINGS] = Findings()
    if hasattr(config, "workerinput"):
        config.stash[_INPUT] = WorkerInput(**json.loads(config.workerinput["plan"]))
        return
    config.stash[_INPUT] = WorkerInput()
    config.pluginmanager.register(Recorder(), "durations")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker what all workers are given."""
    if not node.config.stash[_INPUT].durations:
        node.config.stash[_INPUT] = WorkerInput.of_machine()
    node.workerinput["plan"] = json.dumps(asdict(node.config.stash[_INPUT]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Compare the ways to run before any test is left out, then choose and sort."""
    _group_by_module(items)
    findings, given = config.stash[_FINDINGS], config.stash[_INPUT]
    if mode_summary.is_whole(config):
        by_way = mode_summary.tests_by_way(item.nodeid for item in items)
        findings.in_one_way_only = mode_summary.in_one_way_only(by_way)
    yield
    chosen, sample = selection.choose(items, config.getoption("--on-servers"))
    findings.sample = str(sample or "")
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    if given.durations:
        chosen = longest_first(chosen, given.durations)
    if given.servers_last:
        chosen.sort(key=selection.needs_servers)
    items[:] = chosen


def _group_by_module(items: list[pytest.Item]) -> None:
    """The tests of a module that share something run in one process, so that it is made once."""
    for item in items:
        if not _SHARED.isdisjoint(getattr(item, "fixturenames", ())) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0].removesuffix(".py")))


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
    findings = session.config.stash[_FINDINGS]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["findings"] = json.dumps(asdict(findings))
    elif findings.in_one_way_only:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if "findings" in (output := getattr(node, "workeroutput", {})):
        node.config.stash[_FINDINGS] = Findings(**json.loads(output["findings"]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    findings = config.stash[_FINDINGS]
    mode_summary.write_summary(terminalreporter, findings.in_one_way_only)
    if findings.sample:
        terminalreporter.write_line(findings.sample)
