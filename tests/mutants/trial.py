"""Run tests on a copy of the tree with one fault in it, in a process of its own that is ended when its time is over.

The process is forked from this one, which has loaded every library but nothing of ours: a fresh interpreter would spend
more time on that than many tests take.
"""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.faults import Fault
from tests.mutants.selection import LEFT_OUT

ROOMS = ("schemas", "runtime", "eventlog", "blobs", "producer", "consumer", "sdk")
LIBRARIES = (
    *("blake3", "click", "fastavro", "hypothesis.strategies", "kafka", "minio", "numpy", "psycopg", "pytest"),
    *("pytest_timeout", "rich.progress", "sqlalchemy.dialects.sqlite", "urllib3", "xdist.plugin", "xxhash"),
)
OUTPUT = "output.txt"
OPTIONS = (
    *("-q", "-x", "--tb=no", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.mutants.few_examples"),
    *("--on-servers", "none", "-m", "not slow and not soak"),
)
POLL_S = 0.02
PASSED, FAILED = 0, 1  # pytest's exit codes; of any other the tests could not even begin, as of a bad import
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one fault."""

    verdict: str  # KILLED, SURVIVED or TIMED_OUT
    seconds: float
    by: str  # the first test that failed; "" where none did


class Copy:
    """The tree in a temporary folder. The checkout itself is never touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, path: str) -> str:
        """A module's text, without any fault."""
        return (self.folder / path).read_text("utf-8")

    def run(self, stages: Sequence[Sequence[str]], limit_s: float) -> Trial:
        """Run tests, stage by stage, until the first one fails or the time is over."""
        began = time.monotonic()
        for tests in stages:
            process = os.fork()
            if not process:
                _test_and_exit(self.folder, tests)
            code = _wait_for(process, began + limit_s)
            seconds = time.monotonic() - began
            if code is None:
                return Trial(TIMED_OUT, seconds, "")
            if code != PASSED:
                return Trial(KILLED, seconds, self._first_failed())
        return Trial(SURVIVED, seconds, "")

    def run_with(self, fault: Fault, stages: Sequence[Sequence[str]], limit_s: float) -> Trial:
        """The same with `fault` in its module."""
        before = self.text(fault.path)
        self._write(fault.path, fault.within(before))
        try:
            return self.run(stages, limit_s)
        finally:
            self._write(fault.path, before)

    def _write(self, path: str, text: str) -> None:
        module = self.folder / path
        module.write_text(text, "utf-8")
        for compiled in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
            compiled.unlink()  # its time and size may be those of the text before

    def _first_failed(self) -> str:
        output = (self.folder / OUTPUT).read_text("utf-8", "replace")
        failed = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].split(" ", 1)[1].split(" - ")[0] if failed else "the tests could not begin"


@contextmanager
def copied(root: Path) -> Iterator[Copy]:
    """A copy of all that git knows of, as it is in the checkout now."""
    for library in LIBRARIES:
        importlib.import_module(library)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    with TemporaryDirectory(prefix="headwater-mutants-") as folder:
        for name in listed.stdout.split("\0"):
            if name and (root / name).is_file():
                (target := Path(folder, name)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, target)
        yield Copy(Path(folder))


def _test_and_exit(folder: Path, tests: Sequence[str]) -> None:
    """In the child: forget what was imported of ours, and test what is in `folder`."""
    code = FAILED
    try:
        os.setsid()
        output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(folder)
        sys.path[:0] = [str(folder), *[str(folder / room) for room in ROOMS]]
        for name in [name for name in sys.modules if name.split(".")[0].startswith(("tests", "headwater"))]:
            del sys.modules[name]
        pytest = importlib.import_module("pytest")
        code = int(pytest.main([*OPTIONS, *(f"--deselect={name}" for name in LEFT_OUT), *tests]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait_for(process: int, deadline: float) -> int | None:
    """The exit code; None when the time was over. Then it is ended, with all that it started."""
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(POLL_S)
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(process, 0)
