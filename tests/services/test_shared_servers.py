"""The servers that all tests of a run share: one set, and none once the run is over, however it ended."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest

from services.cache import VARIABLE
from services.kafka import brokers
from services.processes import Process, recorded
from tests.faults.processes import WAIT_S
from tests.support.servers import ROOT, RUNNING_VARIABLE, START_S, fresh_database, servers

USES_SERVERS = """
    import time, pytest
    from tests.support.servers import servers

    @pytest.mark.parametrize("number", range(2))
    def test_uses_servers(number):
        servers()
        time.sleep({sleep_s})
"""


@pytest.mark.parametrize("number", range(4))  # so that several workers ask at once
def test_every_test_of_a_run_gets_the_same_servers(number: int) -> None:
    with psycopg.connect(fresh_database()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)

    assert brokers(servers().kafka) == {1}


@pytest.fixture
def outside(outside_environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a test run of its own, which starts servers of its own."""
    kept = {name: value for name, value in outside_environment.items() if name != RUNNING_VARIABLE}
    return {**kept, "TMPDIR": str(tmp_path)}


@contextmanager
def run_of_tests(
    folder: Path, environment: Mapping[str, str], *words: str, sleep_s: float
) -> Iterator["subprocess.Popen[str]"]:
    """A test run, which has ended in the end whatever happens to this one."""
    file = folder / "test_uses_servers.py"
    file.write_text(dedent(USES_SERVERS.format(sleep_s=sleep_s)))
    plugins = ("-p", "tests.conftest", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), *plugins, *words, str(file)]
    with subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "with-workers"])
def test_a_run_that_is_killed_leaves_no_servers_behind(
    tmp_path: Path, outside: Mapping[str, str], words: tuple[str, ...]
) -> None:
    with run_of_tests(tmp_path, outside, *words, sleep_s=START_S):
        folder = until(lambda: next(tmp_path.glob("headwater-test-*/servers.json"), None)).parent
        keeper = Process(*json.loads((folder / "keeper.json").read_text()))
        started = processes(folder / "servers")

    assert [process for process in (*started, keeper) if not process.ends_within(WAIT_S)] == []
    assert not folder.exists()


@pytest.mark.slow
def test_a_run_that_ends_by_itself_has_ended_its_servers(tmp_path: Path, outside: Mapping[str, str]) -> None:
    with run_of_tests(tmp_path, outside, "-n", "2", sleep_s=1) as run:
        folder = until(lambda: next(tmp_path.glob("headwater-test-*/servers.json"), None)).parent
        started = processes(folder / "servers")
        out, _ = run.communicate(timeout=WAIT_S)

    assert "2 passed" in out
    assert [process for process in started if process.alive] == []
    assert not folder.exists()


@pytest.mark.slow
def test_servers_end_with_their_keeper_when_that_is_killed_too(tmp_path: Path, outside: Mapping[str, str]) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    command = [sys.executable, "-m", "tests.support.servers", str(tmp_path), str(me.pid), me.start_time]
    with subprocess.Popen(command, cwd=ROOT, env=dict(outside)) as keeper:
        try:
            until(lambda: next(tmp_path.glob("servers.json"), None))
            started = processes(tmp_path / "servers")
        finally:
            keeper.kill()

    assert [process for process in started if not process.ends_within(WAIT_S)] == []


def test_a_missing_tool_fails_every_test_that_needs_servers_with_the_reason(
    tmp_path: Path, outside: Mapping[str, str]
) -> None:
    bare = {**outside, "PATH": str(tmp_path), VARIABLE: str(tmp_path / "cache")}

    with run_of_tests(tmp_path, bare, sleep_s=0) as run:
        out, _ = run.communicate(timeout=WAIT_S)

    assert run.returncode == 1
    assert "2 failed" in out
    assert out.count("Java 17 or newer: `apt install") >= 2
    assert list(tmp_path.glob("headwater-test-*")) == []


def processes(folder: Path) -> list[Process]:
    """Of every server in a folder."""
    found = [process for name in ("kafka", "postgres", "minio") if (process := recorded(folder / name))]
    assert len(found) == 3
    return found


def until(look: Callable[[], Path | None]) -> Path:
    """What a look finds, once it does."""
    deadline = time.monotonic() + WAIT_S
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found
