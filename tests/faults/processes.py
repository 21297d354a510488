"""Start real processes that use headwater, and wait for them.

A `Workspace` is one user's folders and settings for one store, and runs scripts and commands with them.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from textwrap import dedent

from tests.support.forked import PIPE, ForkedProcess

ROOT = Path(__file__).parent.parent.parent
HEADWATER = Path(sys.executable).with_name("headwater")
ENTITY, PROJECT = "team", "faults"
NAMESPACE = f"{ENTITY}/{PROJECT}"
WAIT_S = 90.0  # far more than any of these takes, on a busy machine too

# What runs a script like the interpreter does, but with a fault in it: `python -m tests.faults.at_point …`.
AT_POINT, FULL_DISK = "tests.faults.at_point", "tests.faults.full_disk"


@dataclass(frozen=True)
class Ended:
    """The exit code and output of a process."""

    code: int  # as of `subprocess`: negative if a signal ended it
    out: str
    err: str

    def succeeded(self) -> "Ended":
        """Check that it succeeded; returns itself."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        return self


class Started:
    """A running process."""

    def __init__(self, process: ForkedProcess) -> None:
        self.process = process

    def wait(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=WAIT_S)
        return Ended(self.process.returncode, out, err)

    def read_line(self) -> str:
        """The next line of its standard output."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended before it said anything more: {self.wait()}"
        return line.strip()

    def resume(self) -> None:
        """Let it go on that was paused at a point. It says so just before: a signal that comes sooner is lost."""
        deadline = time.monotonic() + WAIT_S
        while (state := Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(") ")[2][0]) != "T":
            assert time.monotonic() < deadline, f"it does not stop: {state}"
            time.sleep(0.01)
        os.kill(self.process.pid, signal.SIGCONT)

    def send_line(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


@dataclass
class Workspace:
    """The folders and settings with which one user works with a store."""

    folder: Path  # the working folder of every process
    store: Path
    cache: Path
    environment: Mapping[str, str] = field(default_factory=dict)  # takes precedence over the other settings
    is_served: bool = False  # whether its processes get to the store through a server
    refused: Path | None = None  # a folder in which no file can grow; see `full_disk`
    _scripts: "count[int]" = field(default_factory=count)

    @classmethod
    def in_folder(cls, folder: Path) -> "Workspace":
        """An empty workspace below `folder`."""
        (folder / "workspace").mkdir(parents=True)
        return cls(folder / "workspace", folder / "store", folder / "cache")

    def settings(self) -> dict[str, str]:
        """The environment variables of its processes."""
        return {
            "HEADWATER_URL": str(self.store),
            "HEADWATER_CACHE_DIR": str(self.cache),
            "HEADWATER_ENTITY": ENTITY,
            "HEADWATER_PROJECT": PROJECT,
            **self.environment,
        }

    def behind(self) -> "Workspace":
        """As its operator has it: of a store behind a server, the store itself."""
        return replace(self, environment={}, is_served=False) if self.is_served else self

    def start(self, script: str, *arguments: str, at_point: tuple[str, ...] = ()) -> Started:
        """Start Python code from a file, like a user's script."""
        file = self.folder / f"script_{next(self._scripts)}.py"
        file.write_text(dedent(script), "utf-8")
        return self._start(*self._fault(at_point), str(file), *arguments)

    def run(self, script: str, *arguments: str, at_point: tuple[str, ...] = ()) -> Ended:
        """As `start`, and wait for its end."""
        return self.start(script, *arguments, at_point=at_point).wait()

    def start_command(self, *arguments: str, at_point: tuple[str, ...] = ()) -> Started:
        """Start `headwater ARGUMENTS`."""
        if fault := self._fault(at_point):
            return self._start(*fault, "headwater", *arguments)
        return self._start(str(HEADWATER), *arguments)

    def command(self, *arguments: str, at_point: tuple[str, ...] = ()) -> Ended:
        """As `start_command`, and wait for its end."""
        return self.start_command(*arguments, at_point=at_point).wait()

    def fill(self, folder: str, *, files: int, size: int = 100, seed: int = 0) -> Path:
        """Create a folder of files whose contents depend only on their names and the seed."""
        target = self.folder / folder
        target.mkdir()
        for i in range(files):
            (target / f"{i:05}.bin").write_bytes(content(f"{seed}/{i}", size))
        return target

    def _fault(self, at_point: tuple[str, ...]) -> list[str]:
        if at_point:
            return ["-m", AT_POINT, *at_point]
        return [] if self.refused is None else ["-m", FULL_DISK, str(self.refused)]

    def _start(self, *arguments: str) -> Started:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.settings()}
        process = ForkedProcess(arguments, cwd=self.folder, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        return Started(process)


def content(seed: str, size: int) -> bytes:
    """Bytes that look random and are the same each time."""
    import random

    return random.Random(seed).randbytes(size)
