"""What is read about the git repository that a folder is in."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from headwater._run.capture import git
from headwater._run.capture.git import read_code
from headwater_schemas.events import Capture

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


def run_git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on the branch "main"."""
    folder = tmp_path / "repository"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "train.py").write_text("print(1)\n")
    (folder / ".gitignore").write_text("*.log\n")
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "first")
    return folder


def head(repository: Path) -> str:
    return run_git(repository, "rev-parse", "HEAD")


def test_commit_branch_and_remote_are_read_from_any_folder_of_a_repository(repository: Path) -> None:
    run_git(repository, "remote", "add", "fork", "https://example.org/fork.git")
    run_git(repository, "remote", "add", "origin", "https://ada:s3cr3t@example.org/digits.git")

    code = read_code([str(repository / "below")])

    assert code == Capture(head(repository), "https://example.org/digits.git", "main", "no")


def test_without_an_origin_the_first_remote_counts_and_a_commit_need_not_be_on_a_branch(repository: Path) -> None:
    run_git(repository, "remote", "add", "upstream", "git@example.org:team/digits.git")
    run_git(repository, "remote", "add", "zoo", "https://example.org/zoo.git")
    run_git(repository, "checkout", "--quiet", "--detach")

    assert read_code([str(repository)]) == Capture(head(repository), "git@example.org:team/digits.git", None, "no")


@pytest.mark.parametrize(
    ("path", "dirty"), [("below/train.py", "yes"), ("new.py", "yes"), ("ignored.log", "no"), (None, "no")]
)
def test_a_repository_is_dirty_where_a_file_differs_from_the_commit(
    repository: Path, path: str | None, dirty: str
) -> None:
    if path is not None:
        (repository / path).write_text("print(2)\n")

    code = read_code([str(repository)])

    assert code is not None
    assert code.dirty == dirty


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet", "--initial-branch=main")

    assert read_code([str(tmp_path)]) == Capture(dirty="no")


def test_the_first_folder_in_a_repository_counts(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    places = [str(tmp_path / "elsewhere"), str(tmp_path / "not there"), str(repository)]

    found = read_code(places)

    assert found is not None
    assert found.commit == head(repository)
    assert read_code(places[:2]) is None


def test_reading_a_repository_changes_nothing_in_it_and_runs_none_of_its_programs(
    repository: Path, tmp_path: Path
) -> None:
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    monitor.chmod(0o755)
    run_git(repository, "config", "core.fsmonitor", str(monitor))
    os.utime(repository / "below" / "train.py")  # so that git would refresh its index
    before = {path: path.stat().st_mtime_ns for path in (repository / ".git").rglob("*")}

    assert read_code([str(repository)]) is not None

    assert {path: path.stat().st_mtime_ns for path in (repository / ".git").rglob("*")} == before
    assert not (tmp_path / "ran").exists()


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Another git, which does this first."""
    folder.mkdir()
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    program = folder / "git"
    program.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("slow", ["status", "rev-parse"])
def test_what_git_does_not_say_in_time_is_unknown(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    commit = head(repository)
    # What it starts keeps its output open.
    wait = f'case "$*" in *" {slow} "*) echo $$ > {tmp_path}/pid; sleep 60 & wait ;; esac'
    _stand_in(tmp_path / "bin", monkeypatch, wait)
    monkeypatch.setattr(git, "GIT_S_MAX", 1.0)
    started_s = time.monotonic()

    code = read_code([str(repository)])

    assert time.monotonic() - started_s < 10  # the machine may be busy
    assert code == (Capture(commit, None, "main", "unknown") if slow == "status" else Capture(dirty="unknown"))
    assert not _is_running(int((tmp_path / "pid").read_text()))


def _is_running(group: int) -> bool:
    """Whether a process of the group still does anything a moment later."""
    deadline_s = time.monotonic() + 10
    while any(_states_of(group)):
        if time.monotonic() > deadline_s:
            return True
        time.sleep(0.05)
    return False


def _states_of(group: int) -> Iterator[str]:
    """The states of its processes, without those that only wait to be asked how they ended."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended
            state, _, of_group = file.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                yield state


def test_without_git_there_is_no_code(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))

    assert read_code([str(repository)]) is None
