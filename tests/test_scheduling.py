"""Runs of tests that go on when a worker ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

TESTS = 12
RUN_S = 60.0
FILE = """
import os, signal
import pytest

@pytest.mark.parametrize("n", range({tests}))
def test_it(n):
    if n in {killed}:
        os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.xdist_group("one after the other")
@pytest.mark.parametrize("n", range(3))
def test_a_group(n):
    if n == 1 and {in_group}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("workers", "killed", "in_group"),
    [(1, (0, TESTS - 1), False), (3, (1, TESTS - 2), True)],
    ids=["one", "three"],
)
def test_a_run_in_which_workers_are_killed_ends_with_all_other_tests_passed(
    tmp_path: Path, workers: int, killed: tuple[int, ...], in_group: bool
) -> None:
    (tmp_path / "test_file.py").write_text(FILE.format(tests=TESTS, killed=killed, in_group=in_group))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.scheduling", *options, "--rootdir", tmp_path, tmp_path],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )

    failed = len(killed) + in_group
    assert f"{failed} failed, {TESTS + 3 - failed} passed" in ran.stdout, ran.stdout + ran.stderr
