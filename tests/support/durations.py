"""How long each test took: shown at the end of a run, and kept to start the longest tests first.

Durations are kept in the user's cache. `python -m tests.support.durations` copies those of the long tests to
`durations.json`, which a machine without that cache begins with.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from tests.support.node_ids import folder_of, without_group

ROOT = Path(__file__).parents[2]
KEPT = Path(platformdirs.user_cache_dir("headwater")) / "tests" / "durations.json"
SEED = Path(__file__).with_name("durations.json")
LONG_S = 3.0  # shorter tests stay in the order of their files, which share fixtures
SLOWEST_SHOWN = 40
SHOWN_S_MIN = 0.1

Durations = dict[str, float]  # seconds by test id, without the name of a group


def known() -> Durations:
    """The durations of earlier runs."""
    return {**_read(SEED), **_read(KEPT)}


def longest_first(items: Iterable[pytest.Item], durations: Mapping[str, float]) -> list[pytest.Item]:
    """Long tests by falling duration, then all others as they were. The tests of one group stay together."""
    units: dict[object, list[pytest.Item]] = {}
    for item in items:
        group = item.get_closest_marker("xdist_group")
        units.setdefault(group.args if group else item.nodeid, []).append(item)

    def rank(unit: list[pytest.Item]) -> float:
        seconds = sum(durations.get(without_group(item.nodeid), 0.0) for item in unit)
        return -seconds if seconds >= LONG_S else 0.0

    return [item for unit in sorted(units.values(), key=rank) for item in unit]


class Recorder:
    """Measures the tests of one run, in the process that shows its results."""

    def __init__(self) -> None:
        self.durations: Durations = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = without_group(report.nodeid)
        self.durations[name] = self.durations.get(name, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if self.durations:
            _write(KEPT, {**{name: s for name, s in _read(KEPT).items() if exists(name)}, **self.durations})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.durations:
            return
        slowest = sorted(self.durations.items(), key=lambda one: -one[1])[:SLOWEST_SHOWN]
        terminalreporter.write_sep("=", f"slowest {SLOWEST_SHOWN} tests")
        for name, seconds in slowest:
            if seconds >= SHOWN_S_MIN:
                terminalreporter.write_line(f"{seconds:7.1f} s  {name}")
        terminalreporter.write_sep("=", "time by folder")
        for folder, (tests, seconds) in _by_folder(self.durations).items():
            terminalreporter.write_line(f"{seconds:7.1f} s  {tests:5} tests  {folder}")


def _by_folder(durations: Mapping[str, float]) -> dict[str, tuple[int, float]]:
    """Folder → number of tests and their seconds, the longest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for name, seconds in durations.items():
        found[folder_of(name)].append(seconds)
    return {folder: (len(all_s), sum(all_s)) for folder, all_s in sorted(found.items(), key=lambda one: -sum(one[1]))}


def exists(name: str) -> bool:
    """Whether a test of this name, whatever its parameters, still stands in its file."""
    file, _, test = name.partition("[")[0].partition("::")
    return (ROOT / file).is_file() and f"def {test}(" in (ROOT / file).read_text("utf-8")


def _read(path: Path) -> Durations:
    try:
        found: Durations = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _write(path: Path, durations: Durations) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    rounded = {name: round(seconds, 2) for name, seconds in sorted(durations.items())}
    partial.write_text(json.dumps(rounded, indent=0, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)


if __name__ == "__main__":
    _write(SEED, {name: round(seconds) for name, seconds in known().items() if seconds >= LONG_S and exists(name)})
