"""What runs say about what they execute: captured in the background, shown, and found by its commit."""

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import headwater
import iniconfig
import pytest
from headwater._run.capture import capture
from headwater._run.capture.environment import COMMAND_LENGTH_MAX, CUT, WORD_LENGTH_MAX, read_environment
from headwater.errors import InvalidName, InvalidSettings

from tests.capture.test_git import head
from tests.capture.test_git import repository as repository
from tests.cli.commands import ask, refused
from tests.cli.commands import headwater as command
from tests.sdk.conftest import store as store
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def _capturing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_CAPTURE", "all")
    monkeypatch.setattr(capture, "KEPT_S", 0.0)


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is a repository, and the program is in none."""
    monkeypatch.chdir(repository)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    return repository


def captured(**given: Any) -> dict[str, Any]:
    with headwater.init(**given) as run:
        pass
    return headwater.Api().run(run.path).capture


def test_a_run_says_which_code_it_executed_where_and_by_whom(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--lr", "0.1", "--token", "s3cr3t"])

    with headwater.init(id="r1") as run:
        assert run.capture["commit"] == head(here)

    found = headwater.Api().run("r1").capture
    assert (found["commit"], found["branch"], found["dirty"]) == (head(here), "main", "no")
    assert found["command"] == ["python", "train.py", "--lr", "0.1", "--token", "***"]
    assert found["python"] == sys.version.split()[0]
    assert found["packages"]["pytest"] == pytest.__version__
    assert {"host", "user", "platform"} <= found.keys()
    assert found == run.capture


def test_a_package_whose_module_does_not_say_its_version_has_the_one_that_is_installed() -> None:
    assert not hasattr(iniconfig, "__version__")

    assert read_environment([])["packages"]["iniconfig"] == metadata.version("iniconfig")


def test_the_folder_of_the_program_comes_before_the_current_one(repository: Path, store: StoreUnderTest) -> None:
    script = repository / "below" / "train.py"
    script.write_text("import headwater\nwith headwater.init(id='r1'):\n    pass\n")

    subprocess.run([sys.executable, str(script), "--password", "s3cr3t"], check=True, cwd=repository.parent)

    found = headwater.Api().run("r1").capture
    assert (found["commit"], found["dirty"]) == (head(repository), "yes")
    assert found["command"][-3:] == [str(script), "--password", "***"]


def test_only_the_code_or_nothing_is_captured_where_the_setting_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_CAPTURE", "git")
    assert captured() == {"commit": head(here), "branch": "main", "dirty": "no"}

    monkeypatch.setenv("HEADWATER_CAPTURE", "off")
    assert captured() == {}

    monkeypatch.setenv("HEADWATER_CAPTURE", "some")
    with pytest.raises(InvalidSettings, match=r"HEADWATER_CAPTURE is 'some'\. Write all, git or off"):
        headwater.init()


def test_outside_a_repository_the_environment_is_captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(tmp_path / "outside")
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)

    found = captured()

    assert "python" in found
    assert found.keys().isdisjoint(("commit", "branch", "remote", "dirty"))


def test_a_current_folder_that_is_gone_keeps_no_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert "python" in captured()
    monkeypatch.chdir(tmp_path)


def test_a_git_that_never_answers_delays_neither_the_start_nor_for_long_the_end(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with headwater.init(config={"warm": True}):  # makes the store
        pass

    started_s = time.monotonic()
    run = headwater.init(id="r1")
    begun_s = time.monotonic()
    run.finish()

    assert begun_s - started_s < 1
    assert time.monotonic() - begun_s < 10  # two seconds, and the machine may be busy
    assert headwater.Api().run("r1").capture["dirty"] == "unknown"
    assert "unknown" in command("runs", "r1")


def test_runs_are_found_by_their_commit(here: Path) -> None:
    captured(id="r1")
    first = head(here)
    (here / "new.py").write_text("")
    for arguments in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "second"]):
        subprocess.run(["git", *arguments], check=True, cwd=here)
    captured(id="r2")

    assert [run.id for run in headwater.Api().runs(commit=first[:10])] == ["r1"]
    assert [run["run"].rpartition("/")[2] for run in ask("runs", "--commit", head(here))] == ["r2"]
    assert [run.id for run in headwater.Api().runs()] == ["r2", "r1"]
    with pytest.raises(InvalidName, match="'main' is not a git commit"):
        headwater.Api().runs(commit="main")
    assert "'main' is not a git commit" in refused("runs", "--commit", "main")


def test_the_command_line_shows_what_a_run_executed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--name", "two words"])
    captured(id="r1")

    shown, answer = " ".join(command("runs", "r1").split()), ask("runs", "r1")

    assert all(text in shown for text in (head(here), "main", "python train.py --name 'two words'", "pytest "))
    assert answer["capture"] == headwater.Api().run("r1").capture
    assert answer["commit"] == head(here)


def test_a_command_line_of_any_length_and_any_bytes_is_cut_and_recorded() -> None:
    long = read_environment(["python", "x" * WORD_LENGTH_MAX * 2, "y\udcff"] + ["file"] * COMMAND_LENGTH_MAX)["command"]

    assert long[:3] == ["python", "x" * WORD_LENGTH_MAX + CUT, "y\\udcff"]
    assert long[-1] == CUT
    assert len(json.dumps(long)) < 2 * COMMAND_LENGTH_MAX + len(long) * 5
