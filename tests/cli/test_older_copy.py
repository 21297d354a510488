"""A folder whose log was replaced by an older copy: nobody reads or writes past what is missing."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_schemas.positions import BEFORE_FIRST

from tests.cli.test_cli import ask, headwater, run

PUT_BACK = "an older copy of the log was put in its place"
ADVICE = "headwater replay --replace"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with three versions, and the log as it was after the first one."""
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "store"))
    monkeypatch.setenv("HEADWATER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "animals")
    _log_versions(tmp_path, 0, 1)
    shutil.copytree(tmp_path / "store" / "log", tmp_path / "older")
    _log_versions(tmp_path, 1, 3)
    shutil.copytree(tmp_path / "store" / "log", tmp_path / "newer")
    return tmp_path


def _log_versions(folder: Path, first: int, after_last: int) -> None:
    for n in range(first, after_last):
        (folder / "pet.txt").write_text(f"pet {n}")
        headwater("log", str(folder / "pet.txt"), "--name", "pets")
    headwater("ls")  # projects everything


def _put(folder: Path, copy: str) -> None:
    shutil.rmtree(folder / "store" / "log")
    shutil.copytree(folder / copy, folder / "store" / "log")


def _grow(folder: Path, length: int) -> None:
    with closing(EmbeddedEventLog.open(folder / "store" / "log", create=False)) as log:
        while log.end(0) < length:
            log.append([NewRecord("collection:team/animals/pets", b"other")], timeout_s=5)


def _end(folder: Path) -> int:
    with closing(EmbeddedEventLog.open(folder / "store" / "log", create=False)) as log:
        return log.end(0)


def test_an_older_copy_is_neither_read_nor_written_and_the_newer_one_is_taken_again(folder: Path) -> None:
    end = _end(folder)
    _put(folder, "older")
    shorter = _end(folder)

    for command in (("ls",), ("log", str(folder / "pet.txt"), "--name", "others")):
        said = run(*command)
        assert said.code == 1
        assert (
            f"partition 0 of log {_generation(folder)} ends at offset {shorter}, but was projected up to offset {end}"
            in said.err
        )
        assert PUT_BACK in said.err
        assert ADVICE in said.err
    assert _end(folder) == shorter
    _put(folder, "newer")

    assert [found["artifact"] for found in ask("ls", "pets")] == [f"team/animals/pets:v{n}" for n in (2, 1, 0)]
    headwater("doctor")


@pytest.mark.parametrize("beyond", [-1, 0, 5], ids=["shorter", "as long", "longer"])
def test_doctor_finds_an_older_copy_whatever_was_written_to_it_since(folder: Path, beyond: int) -> None:
    end = _end(folder)
    _put(folder, "older")
    _grow(folder, end + beyond)

    found = headwater("doctor", expect=1)

    assert PUT_BACK in found
    assert "events behind" not in found
    assert ("has another record at offset" in found) == (beyond >= 0)


@pytest.mark.parametrize("beyond", [-1, 0, 5], ids=["shorter", "as long", "longer"])
def test_what_the_copy_says_can_be_made_the_projection_where_the_newer_one_is_lost(folder: Path, beyond: int) -> None:
    end = _end(folder)
    _put(folder, "older")
    _grow(folder, end + beyond)

    assert ask("replay", "--replace")["replaced"] is True

    assert [found["artifact"] for found in ask("ls", "pets")] == ["team/animals/pets:v0"]


def _generation(folder: Path) -> str:
    with closing(EmbeddedEventLog.open(folder / "store" / "log", create=False)) as log:
        assert log.read(0, after=BEFORE_FIRST)
        return log.generation
