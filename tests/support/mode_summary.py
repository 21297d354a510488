"""The lines at the end of a test run that say how many behaviour tests ran in each way to run.

What is promised of one way is promised of the other, so a run in which a test is there for one only has failed.
"""

import re
from typing import Any

import pytest

from tests.support.modes import MODES

_MODE = re.compile(rf"(?<=[\[-])({'|'.join(MODES)})(?=[\]-])")
_ENDED = ("passed", "failed", "error")
Ids = dict[str, set[str]]  # way to run → the tests, with the way left out of their names


def ids_by_mode(reports: list[Any]) -> Ids:
    """The tests of each way that ran."""
    ran: Ids = {mode: set() for mode in MODES}
    for report in reports:
        found = _MODE.search(report.nodeid)
        if found is not None:
            ran[found[1]].add(_MODE.sub("", report.nodeid, count=1))
    return ran


def only_in_one(ran: Ids) -> list[str]:
    """Tests that ran in one way and not in the other."""
    return sorted(set.union(*ran.values()) - set.intersection(*ran.values()))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    ran = ids_by_mode([report for outcome in _ENDED for report in terminalreporter.stats.get(outcome, [])])
    if not any(ran.values()):
        return
    terminalreporter.write_line(", ".join(f"{mode}: {len(ids)} behaviour tests" for mode, ids in ran.items()))
    lonely = only_in_one(ran)
    if lonely and not _is_selection(config):
        terminalreporter.write_line(f"FAILED: {len(lonely)} ran in one way only, such as {lonely[0]}", red=True)


def exit_code(reports: list[Any], config: pytest.Config) -> int | None:
    """What a run ends with whose ways differ; None where they do not."""
    return 1 if only_in_one(ids_by_mode(reports)) and not _is_selection(config) else None


def _is_selection(config: pytest.Config) -> bool:
    """Whether only some tests were asked for, so that a difference says nothing."""
    return bool(config.option.keyword or config.option.maxfail or config.args != config.getini("testpaths"))
