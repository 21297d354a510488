"""The code of a run, logged as an artifact when that is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import headwater
import pytest
from headwater._run.capture import difference
from headwater.errors import InvalidInput

from tests.capture.test_git import head, run_git
from tests.capture.test_git import repository as repository
from tests.sdk.conftest import store as store
from tests.support.stores import StoreUnderTest


@pytest.fixture(autouse=True)
def _here(store: StoreUnderTest, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is a folder of a repository, and the program is in none."""
    monkeypatch.chdir(repository / "below")
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)


def logged() -> Path:
    """What a run logs of the code that is here, in a folder outside."""
    with headwater.init() as run:
        artifact = run.log_code().wait()
    assert artifact.type == "code"
    assert [found.name for found in headwater.Api().run(run.path).logged_artifacts()] == [artifact.name]
    return Path(artifact.download(str(Path.cwd().parents[1] / "out" / artifact.version)))


def test_the_commit_and_what_differs_from_it_give_the_code_again(repository: Path, tmp_path: Path) -> None:
    (repository / "below" / "train.py").write_bytes(b"print(2)\r\n\xff")
    (repository / "staged.bin").write_bytes(bytes(range(256)))
    run_git(repository, "add", "staged.bin")
    (repository / "new.py").write_text("print(3)\n")
    (repository / "ignored.log").write_text("noise")
    before = run_git(repository, "status", "--porcelain")

    code = logged()

    assert run_git(repository, "status", "--porcelain") == before
    again = tmp_path / "again"
    run_git(tmp_path, "clone", "--quiet", str(repository), str(again))
    run_git(again, "checkout", "--quiet", json.loads((code / "code.json").read_text())["commit"])
    run_git(again, "apply", str(code / "uncommitted.diff"))
    for path in ("below/train.py", "staged.bin"):
        assert (again / path).read_bytes() == (repository / path).read_bytes()
    assert [path.name for path in (code / "untracked").iterdir()] == ["new.py"]


def test_the_same_code_is_the_same_version(repository: Path) -> None:
    run_git(repository, "remote", "add", "origin", "https://ada:s3cr3t@example.org/digits.git")

    assert logged().name == logged().name == "v0"

    about = json.loads((logged() / "code.json").read_text())
    expected = {"commit": head(repository), "remote": "https://example.org/digits.git", "branch": "main"}
    assert about == {**expected, "left_out": []}
    assert (logged() / "uncommitted.diff").read_bytes() == b""


def test_downloads_and_stores_in_the_repository_are_no_code(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(repository)
    (repository / "new.py").write_text("print(3)\n")
    code = logged()
    headwater.Api().artifact("code:v0").download()
    assert (repository / "artifacts").is_dir()

    assert logged() == code


def test_what_is_large_or_too_many_is_left_out_by_name(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "UNTRACKED_BYTES_MAX", 3)
    monkeypatch.setattr(difference, "UNTRACKED_FILES_MAX", 2)
    for name, text in (("a", "1"), ("b", "1234"), ("c", "3"), ("d", "4")):
        (repository / name).write_text(text)

    code = logged()

    assert sorted(path.name for path in (code / "untracked").iterdir()) == ["a", "c"]
    assert json.loads((code / "code.json").read_text())["left_out"] == ["b", "d"]


def test_more_that_differs_than_is_logged_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "DIFFERENCE_BYTES_MAX", 10)
    (repository / "below" / "train.py").write_text("print(2)\n")
    with headwater.init() as run, pytest.raises(InvalidInput, match="Commit them first"):
        run.log_code()


def test_without_a_repository_or_a_commit_there_is_no_code_to_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    with headwater.init() as run:
        with pytest.raises(InvalidInput, match=r"no git repository in .*Log the code as a folder"):
            run.log_code()
        subprocess.run(["git", "init", "--quiet"], check=True, cwd=outside)
        with pytest.raises(InvalidInput, match="has no commit"):
            run.log_code()
