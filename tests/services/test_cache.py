"""What is fetched once for all runs is there whole or not at all, whoever asks at the same time."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from services.cache import provide
from tests.faults.processes import WAIT_S
from tests.support.servers import ROOT

BUILD = """
    import sys, time
    from pathlib import Path
    from services.cache import provide

    def build(folder):
        (folder / "half").write_text("1")
        with (Path(sys.argv[1]).parent / "builds").open("a") as builds:
            builds.write("x")
        time.sleep(float(sys.argv[2]))
        (folder / "whole").write_text("2")

    provide(Path(sys.argv[1]), build)
"""


def ask(wanted: Path, build_s: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", dedent(BUILD), str(wanted), str(build_s)], cwd=ROOT)


def test_of_many_who_ask_at_once_one_builds(tmp_path: Path) -> None:
    wanted = tmp_path / "cache" / "program-1"

    asking = [ask(wanted, 0.3) for _ in range(4)]

    assert [process.wait(WAIT_S) for process in asking] == [0] * 4
    assert (wanted.parent / "builds").read_text() == "x"
    assert {path.name for path in wanted.iterdir()} == {"half", "whole"}


def test_a_build_that_was_killed_leaves_nothing_half_and_is_done_again(tmp_path: Path) -> None:
    wanted = tmp_path / "cache" / "program-1"
    killed = ask(wanted, WAIT_S)
    until(lambda: (wanted.parent / "builds").exists())

    killed.kill()
    killed.wait(WAIT_S)
    assert not wanted.exists()
    assert ask(wanted, 0).wait(WAIT_S) == 0

    assert (wanted / "whole").exists()
    assert {path.name for path in wanted.parent.iterdir()} == {"program-1", "program-1.lock", "builds"}


def test_a_build_that_failed_leaves_nothing(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        provide(tmp_path / "program-1", fails)

    assert [path.name for path in tmp_path.iterdir()] == ["program-1.lock"]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
