"""Failures, told as they happen: a run that is cut off has told what failed so far, and tells what still ran.

What ends a run from outside (SIGTERM, as `timeout` and CI send it) is taken like Ctrl-C, so that the details follow.
"""

import signal
import time
from typing import Any

import pytest

_LINE_MAX = 300  # characters


class FailuresAtOnce:
    """Writes one line for each failure, and at the end one for each test that has not ended."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._running: dict[str, float] = {}  # since when, by test id

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._running.pop(nodeid, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when not in ("setup", "call", "teardown"):  # its worker ended with it
            self._running.pop(report.nodeid, None)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            cause = report.longreprtext.rstrip().rpartition("\n")[2] if crash is None else crash.message
            self._tell(f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s): {cause}")

    def pytest_terminal_summary(self) -> None:
        for nodeid, since in self._running.items():
            self._tell(f"STILL RUNNING {nodeid} ({time.monotonic() - since:.0f} s)")

    def _tell(self, line: str) -> None:
        if self._terminal is not None:
            self._terminal.write("\n")
            self._terminal.write_line(" ".join(line.split())[:_LINE_MAX], red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.pluginmanager.register(FailuresAtOnce(config), "failures_at_once")
