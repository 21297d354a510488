"""`headwater get` and `headwater verify`."""

from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater, refused, run

pytestmark = pytest.mark.usefixtures("store")


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
def _logged(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")


def test_a_version_goes_where_it_is_told_or_to_a_folder_of_its_name(tmp_path: Path) -> None:
    assert headwater("get", "pets", "out") == "out\n"
    assert headwater("get", "pets") == "artifacts/pets:v0\n"

    for folder in ("out", "artifacts/pets:v0"):
        assert files_of(tmp_path / folder) == ["cat.txt", "dog.txt", "train/cow.txt"]


def test_a_path_fetches_that_alone(tmp_path: Path) -> None:
    headwater("get", "pets", "folder", "--path", "train")
    headwater("get", "pets", "entry", "--path", "./cat.txt")

    assert files_of(tmp_path / "folder") == ["train/cow.txt"]
    assert files_of(tmp_path / "entry") == ["cat.txt"]
    assert "'horses'" in refused("get", "pets", "none", "--path", "horses", code=3)


def test_a_checkout_removes_what_the_version_does_not_have(tmp_path: Path) -> None:
    headwater("get", "pets", "out")
    (tmp_path / "out" / "more.txt").write_text("more")
    headwater("get", "pets", "out")
    assert "more.txt" in files_of(tmp_path / "out")

    headwater("get", "pets", "out", "--checkout")

    assert files_of(tmp_path / "out") == ["cat.txt", "dog.txt", "train/cow.txt"]
    assert "--path" in refused("get", "pets", "out", "--checkout", "--path", "train", code=2)


def test_ignored_names_are_neither_removed_nor_reported(tmp_path: Path) -> None:
    headwater("get", "pets", "out")
    (tmp_path / "out" / "notes.tmp").write_text("mine")
    assert "notes.tmp" in run("verify", "pets", "out").out

    assert "matches" in headwater("verify", "pets", "out", "--ignore", "*.tmp")
    headwater("get", "pets", "out", "--checkout", "--ignore", "*.tmp")

    assert (tmp_path / "out" / "notes.tmp").read_text() == "mine"
    assert "--checkout" in refused("get", "pets", "out", "--ignore", "*.tmp", code=2)


def test_large_files_are_linked_where_that_is_asked_for(tmp_path: Path, mode: str) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(2_000_000))
    headwater("log", "large.bin", "-n", "large")

    headwater("get", "large", "out", "--hard-links")

    assert (tmp_path / "out" / "large.bin").stat().st_nlink == (2 if mode == "embedded" else 1)
    assert "--hard-links" in refused("get", "large", "out", "--checkout", "--hard-links", code=2)


def test_verify_says_that_all_is_as_recorded() -> None:
    headwater("get", "pets", "out")

    assert headwater("verify", "pets", "out") == "out matches team/animals/pets:v0.\n"
    assert ask("verify", "pets", "out")["same"] is True


def test_verify_lists_every_difference_and_exits_with_1(tmp_path: Path) -> None:
    headwater("get", "pets")
    folder = tmp_path / "artifacts" / "pets:v0"
    (folder / "cat.txt").write_text("Cat")
    (folder / "train" / "cow.txt").unlink()
    (folder / "more.txt").write_text("more")

    done = run("verify", "pets")
    assert (done.code, done.out.splitlines()) == (
        1,
        ["missing  train/cow.txt", "changed  cat.txt", "extra    more.txt"],
    )

    done = run("verify", "pets", "--json")
    assert done.code == 1
    assert '"missing": [\n    "train/cow.txt"\n  ]' in done.out


def test_verify_lists_what_is_executable_on_one_side_only(tmp_path: Path) -> None:
    headwater("get", "pets")
    (tmp_path / "artifacts" / "pets:v0" / "cat.txt").chmod(0o755)

    assert (run("verify", "pets").code, run("verify", "pets").out) == (1, "executable cat.txt\n")
    assert '"executable": [\n    "cat.txt"\n  ]' in run("verify", "pets", "--json").out


def test_a_folder_that_is_not_there_is_named() -> None:
    assert "'nowhere'" in refused("verify", "pets", "nowhere")
