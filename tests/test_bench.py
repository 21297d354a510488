"""Every benchmark runs, and says what it measured in one shape. Never how fast: that is the machine's business."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from bench import harness
from bench.__main__ import ROWS, SERVER_ROWS, SUFFIX, main
from bench.servers import RUNNING_VARIABLE, BenchServers
from tests.support.forked import DEVNULL, PIPE, ForkedProcess
from tests.support.servers import servers

ROOT = Path(__file__).parent.parent
KEYS = ["bench", "value", "unit", "limit", "ratio", "reach", "ok", "runs", "detail"]

pytestmark = pytest.mark.slow


def forked(arguments: Sequence[str], environment: Mapping[str, str], *, log: BinaryIO | None = None) -> ForkedProcess:
    """As `harness.start_python`, in a moment: nobody minds here what a measured process has in memory before."""
    stdin, stdout = (PIPE, PIPE) if log is None else (DEVNULL, log)
    return ForkedProcess(arguments, cwd=ROOT, env=environment, stdin=stdin, stdout=stdout, stderr=log)


@pytest.mark.parametrize("name", ROWS)
def test_a_benchmark_prints_one_json_line_a_figure(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if name in SERVER_ROWS:
        _name_servers(tmp_path, monkeypatch)
    monkeypatch.setattr(harness, "start_python", forked)
    monkeypatch.setattr(os, "sync", lambda: None)  # nobody minds either what the disk still has to write

    code = main([name, "--quick", "--work", str(tmp_path)])

    printed = capfd.readouterr()
    assert code == 0, printed.err
    figures = [json.loads(line) for line in printed.out.splitlines()]
    assert figures
    for figure in figures:
        assert figure["bench"].endswith(SUFFIX) == (name in SERVER_ROWS)
        assert list(figure) == KEYS
        assert figure["value"] > 0
        assert figure["runs"]
        assert isinstance(figure["ok"], bool)
        assert (figure["limit"] is None) == (figure["ratio"] is None)


def test_a_benchmark_leaves_nothing_behind(tmp_path: Path) -> None:
    _quick("log-small", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_benchmark_leaves_nothing_on_servers_that_are_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.on_servers import ServerBench

    _name_servers(tmp_path, monkeypatch)
    bench = ServerBench(tmp_path, 1, True, servers=BenchServers(tmp_path / "servers"))
    home = bench.home()
    assert home.is_there() == {"topic", "schema"}

    bench.close()

    assert home.is_there() == set()


def test_an_unknown_benchmark_is_refused_by_name(tmp_path: Path) -> None:
    asked = _run("no-such-row", "--work", str(tmp_path))

    assert asked.returncode == 2
    assert "there is no benchmark 'no-such-row'" in asked.stderr


def _name_servers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "servers.json"
    file.write_text(json.dumps(servers().to_dict()))
    monkeypatch.setenv(RUNNING_VARIABLE, str(file))


def _quick(name: str, work: Path) -> str:
    ran = _run(name, "--quick", "--work", str(work))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
