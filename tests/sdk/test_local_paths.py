"""A `~` in a local path is the home folder, wherever a path is given."""

import os
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater.errors import InvalidFile
from headwater_stores.config.local_paths import local_path

from tests.cli.commands import run
from tests.sdk.conftest import store as store
from tests.support.stores import StoreUnderTest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder, with a file and a folder in it."""
    folder = tmp_path / "home"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "cat.txt").write_text("meow")
    return folder


@pytest.fixture
def pets(store: StoreUnderTest, home: Path) -> headwater.Artifact:
    """A version with one file."""
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_dir("~/data")
    return artifact.save()


def nothing_is_called_tilde(folder: Path) -> bool:
    return not any(path.name.startswith("~") for path in folder.iterdir())


FETCHING: dict[str, Callable[[headwater.Artifact], str]] = {
    "download": lambda pets: pets.download("~/out"),
    "download to a Path": lambda pets: pets.download(Path("~/out")),
    "checkout": lambda pets: pets.checkout("~/out"),
    "entry": lambda pets: str(Path(pets.get_entry("cat.txt").download("~/out")).parent),
    "file": lambda pets: str(Path(pets.file("~/out")).parent),
    "get": lambda pets: run("get", pets.name, "~/out").out.strip(),
    "get --checkout": lambda pets: run("get", pets.name, "~/out", "--checkout").out.strip(),
}


@pytest.mark.parametrize("fetch", FETCHING.values(), ids=FETCHING)
def test_what_is_fetched_goes_to_the_home_folder(
    pets: headwater.Artifact, fetch: Callable[[headwater.Artifact], str], home: Path, tmp_path: Path
) -> None:
    assert fetch(pets) == str(home / "out")
    assert (home / "out" / "cat.txt").read_text() == "meow"
    pets.verify("~/out")
    assert run("verify", pets.name, "~/out").code == 0
    assert nothing_is_called_tilde(tmp_path)


def log_a_file(path: str) -> str:
    with headwater.init() as active:
        return active.log_artifact(path, name="new").wait().files()[0].path


def log_by_command(path: str) -> str:
    done = run("log", path, "--name", "new")
    assert done.code == 0, done
    return headwater.Api().artifact("new").files()[0].path


ADDING: dict[str, Callable[[str], str]] = {
    "add_file": lambda path: headwater.Artifact("new", "dataset").add_file(path).path,
    "log_artifact": log_a_file,
    "log": log_by_command,
}


@pytest.mark.usefixtures("store", "home")
@pytest.mark.parametrize("add", ADDING.values(), ids=ADDING)
def test_what_is_added_comes_from_the_home_folder(add: Callable[[str], str]) -> None:
    assert add("~/data/cat.txt") == "cat.txt"


@pytest.mark.usefixtures("store", "home")
def test_a_folder_of_the_home_folder_is_logged_whole() -> None:
    assert log_a_file("~/data") == log_by_command("~/data") == "cat.txt"


def test_a_file_of_that_name_is_written_with_its_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    Path("~").mkdir()

    assert local_path("./~") == "./~"
    with pytest.raises(InvalidFile, match=r"'~' is in the current folder, and would also mean '.*/home'. Write './~'"):
        local_path("~")


def test_a_name_that_only_begins_like_a_home_folder_is_that_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("~$report.docx").touch()

    assert local_path("~$report.docx") == "~$report.docx"
    with pytest.raises(InvalidFile, match="there is no account 'nobody-of-that-name'"):
        local_path("~nobody-of-that-name/x")


def test_the_home_folder_of_an_account_is_meant_as_in_a_shell() -> None:
    assert local_path("~root/x") == os.path.expanduser("~root/x")


def test_no_path_at_all_is_refused_before_anything_is_done() -> None:
    for wrong in ("", b"", None, 3, "a\0b"):
        with pytest.raises(InvalidFile):
            local_path(wrong)
