"""The line at the end of a test run that says how many tests ran in each way to run.

What is promised of one way is promised of the others, so a whole run for which a test was collected in one way only has
failed, whether or not the test was chosen to run. What is done on the stores themselves is not there over HTTP.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from tests.support.modes import EMBEDDED, MODES, OVER_HTTP, WAYS
from tests.support.node_ids import split_way

_ENDED = ("passed", "failed", "error")


def tests_by_way(node_ids: Iterable[str]) -> dict[str, set[str]]:
    """Way to run → the tests that there are for it, by their names without it."""
    found: dict[str, set[str]] = {way: set() for way in WAYS}
    for node_id in node_ids:
        if split := split_way(node_id):
            way, name = split
            found[way].add(name)
    return found


def in_one_way_only(found: dict[str, set[str]]) -> list[str]:
    """Tests that are there in one way and not in the other, or over HTTP alone."""
    stores = [found[mode] for mode in MODES]
    return sorted((set.union(*stores) - set.intersection(*stores)) | (found[OVER_HTTP] - found[EMBEDDED]))


def is_whole(config: pytest.Config) -> bool:
    """Whether all tests are collected: of a part of them, a difference says nothing."""
    whole_folders = list(config.args) == list(config.getini("testpaths"))
    return whole_folders and not config.option.keyword and not config.option.collectonly


def write_summary(terminal: Any, lonely: Sequence[str]) -> None:
    """How many tests ran in each way, and which were collected for one alone."""
    ran = tests_by_way(report.nodeid for outcome in _ENDED for report in terminal.stats.get(outcome, []))
    if any(ran.values()):
        terminal.write_line(", ".join(f"{way}: {len(tests)} tests" for way, tests in ran.items()))
    for name in lonely:
        terminal.write_line(f"FAILED: only in one way to run: {name}", red=True)
