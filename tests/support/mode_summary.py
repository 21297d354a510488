"""The line at the end of a test run that says how many tests ran in each way to run.

What is promised of one way is promised of the other, so a whole run in which a test is there for one only has failed.
"""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.modes import EMBEDDED, MODES, SERVICE

# In the brackets of a test's name: a way to run; for the contracts, an adapter that belongs to one.
WAYS = {EMBEDDED: EMBEDDED, SERVICE: SERVICE}
ADAPTERS = {"embedded": EMBEDDED, "folder": EMBEDDED, "kafka": SERVICE, "s3": SERVICE}
CONTRACTS = "tests/contract/"
_ENDED = ("passed", "failed", "error")


def tests_by_way(node_ids: Sequence[str]) -> dict[str, set[str]]:
    """Way to run → the tests that ran so, by their names without it."""
    ran: dict[str, set[str]] = {mode: set() for mode in MODES}
    for node_id in node_ids:
        words = ADAPTERS if node_id.startswith(CONTRACTS) else WAYS
        word = re.compile(rf"(?<=[\[-])({'|'.join(words)})(?=[\]-])")
        if found := word.search(node_id):
            ran[words[found[1]]].add(word.sub("", node_id, count=1))
    return ran


def in_one_way_only(ran: dict[str, set[str]]) -> list[str]:
    """Tests that ran in one way and not in the other."""
    return sorted(set.union(*ran.values()) - set.intersection(*ran.values()))


def finish(session: pytest.Session) -> None:
    """A whole run whose ways differ has failed."""
    if _is_whole(session.config) and in_one_way_only(_ran(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def write_summary(terminal: Any, config: pytest.Config) -> None:
    """How many tests ran in each way, and which only in one."""
    ran = _ran(config)
    if any(ran.values()):
        terminal.write_line(", ".join(f"{way}: {len(tests)} tests" for way, tests in ran.items()))
    if _is_whole(config):
        for lonely in in_one_way_only(ran):
            terminal.write_line(f"FAILED: only in one way to run: {lonely}", red=True)


def _ran(config: pytest.Config) -> dict[str, set[str]]:
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    if terminal is None:  # a worker: its controller has the reports
        return tests_by_way([])
    return tests_by_way([report.nodeid for outcome in _ENDED for report in terminal.stats.get(outcome, [])])


def _is_whole(config: pytest.Config) -> bool:
    """Whether no choice among the tests was made: of some only, a difference says nothing."""
    whole_folders = list(config.args) == list(config.getini("testpaths"))
    return whole_folders and not config.option.keyword and not config.option.collectonly
