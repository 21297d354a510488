"""Processes that write to files, so that their output survives a kill and never fills a pipe."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.forked import DEVNULL, ForkedProcess

ROOT = Path(__file__).parents[2]
WAIT_S = 120.0  # far more than any of these takes, on a busy machine too
POLL_S = 0.05

# Where, before or after, at which passing, and what happens; see `at_point`.
Fault = tuple[str, str, int, str]


class LoggedProcess:
    """A process with its output in files."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, name: str) -> None:
        self.name = name
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = ForkedProcess(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
                stdin=DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stderr_text(self) -> str:
        """Its standard error."""
        return self.err.read_text("utf-8", errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects that it printed, one per line, without an incomplete last line."""
        text = self.out.read_text("utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_until(self, is_so: Callable[[], object], what: str, *, within_s: float = WAIT_S) -> None:
        """Wait for an effect of this process."""
        deadline = time.monotonic() + within_s
        while not is_so():
            assert self.alive, f"{self.name} ended with {self._process.returncode} before {what}\n{self.output()}"
            assert time.monotonic() < deadline, f"{self.name}: no {what} within {within_s:.0f} s\n{self.output()}"
            time.sleep(POLL_S)

    def wait_for_lines(self, count: int) -> None:
        """Wait until it has printed so many lines."""
        self.wait_until(lambda: len(self.lines()) >= count, f"{count} lines")

    def exit_code(self, *, within_s: float = WAIT_S) -> int:
        """Wait for its end; returns the exit code, minus the signal's number where one ended it."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} hangs\n{self.output()}") from None

    def succeeded(self) -> None:
        code = self.exit_code()
        assert code == 0, f"{self.name} ended with {code}\n{self.output()}"

    def was_killed(self) -> None:
        """Check that its fault killed it."""
        code = self.exit_code()
        assert code == -signal.SIGKILL, f"{self.name} ended with {code}: it did not reach this point\n{self.output()}"

    def signal(self, number: int) -> None:
        if self.alive:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it and its children, even if they are stopped."""
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a process group of its own
        self._process.wait()

    def frozen(self) -> bool:
        """Whether SIGSTOP stopped it."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "T"

    def output(self) -> str:
        """The end of its output, for error messages."""
        return f"{self.out.read_text('utf-8')[-3000:]}\n{self.stderr_text()[-6000:]}"


def command_of(module: str, arguments: list[str], fault: Fault | None) -> list[str]:
    """The arguments that run a module of this package, with a fault if one is given."""
    file = str(ROOT.joinpath(*module.split(".")).with_suffix(".py"))
    if fault is None:
        return ["-m", module, *arguments]
    point, moment, number, what = fault
    return ["-m", "tests.service_faults.at_point", point, moment, str(number), what, file, *arguments]
