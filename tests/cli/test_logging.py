"""`headwater log`: new versions, drafts over others, parts of shared drafts."""

import os
from pathlib import Path

import headwater as sdk
import pytest

from tests.cli.commands import ask, headwater, refused, run

pytestmark = pytest.mark.usefixtures("store")


def paths(name: str) -> list[str]:
    return [entry["path"] for entry in ask("ls", name)]


def test_files_and_folders_become_one_version(images: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")

    logged = ask("log", str(images), str(tmp_path / "notes.txt"), "-n", "pets")

    assert (logged["artifact"], logged["version"], logged["files"]) == ("team/animals/pets:v0", "v0", 4)
    assert paths("pets:v0") == ["cat.txt", "dog.txt", "notes.txt", "train/cow.txt"]


def test_a_folder_of_the_version_can_be_named(images: Path) -> None:
    headwater("log", str(images), str(images / "cat.txt"), "-n", "pets", "--to", "all/of")

    assert paths("pets:v0") == ["all/of/cat.txt", "all/of/dog.txt", "all/of/train/cow.txt"]


def test_several_folders_keep_their_names(images: Path, tmp_path: Path) -> None:
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.csv").write_text(folder)

    headwater("log", "train", "test/", "-n", "both")
    headwater("log", "train", "test", str(images / "cat.txt"), "--to", "raw", "-n", "below")
    headwater("log", "train", "./train/", "-n", "one")

    assert paths("both:v0") == ["test/data.csv", "train/data.csv"]
    assert paths("below:v0") == ["raw/cat.txt", "raw/test/data.csv", "raw/train/data.csv"]
    assert paths("one:v0") == ["data.csv"]


NORTH, SOUTH = os.path.join("north", "data.csv"), os.path.join("south", "data.csv")
REFERENCE = "https://example.com/data.csv"


@pytest.mark.parametrize("to", [(), ("--to", "raw")], ids=["at the top", "below a folder"])
@pytest.mark.parametrize(
    ("arguments", "sources"),
    [
        ((NORTH, SOUTH), (NORTH, SOUTH)),
        (("north", SOUTH), (NORTH, SOUTH)),
        ((SOUTH, "north"), (NORTH, SOUTH)),
        (("north/sub/same", "south/sub/same"), ("north/sub/same/data.csv", "south/sub/same/data.csv")),
        (("north/sub/same", "south", "south/sub/same"), ("north/sub/same/data.csv", "south/sub/same/data.csv")),
    ],
)
def test_two_sources_of_one_path_are_an_error_that_names_both(
    two_folders: Path, arguments: tuple[str, ...], sources: tuple[str, str], to: tuple[str, ...]
) -> None:
    said = refused("log", *arguments, "-n", "lost", *to)

    assert "data.csv" in said
    assert all(repr(str(two_folders / source)) in said for source in sources)
    assert sdk.Api().artifact_exists("lost") is False


@pytest.mark.parametrize("base", [(), ("--base", "base")])
@pytest.mark.parametrize("given", [NORTH, "north"])
def test_a_file_and_a_reference_of_one_path_are_an_error_that_names_both(
    two_folders: Path, given: str, base: tuple[str, ...]
) -> None:
    headwater("log", NORTH, "-n", "base")
    for uri, name in (("https://example.com/x", "data.csv"), (REFERENCE, None), ((two_folders / SOUTH).as_uri(), None)):
        reference = uri if name is None else f"{name}={uri}"
        said = refused("log", given, "--reference", reference, "--no-checksum", *(base or ("-n", "lost")))

        assert repr(str(two_folders / NORTH)) in said
        assert repr(uri) in said
    assert len(sdk.Api().artifacts("dataset", "base")) == 1


def test_one_file_that_is_given_twice_is_one_entry(images: Path) -> None:
    headwater("log", str(images), str(images / "cat.txt"), str(images / "train" / ".." / "cat.txt"), "-n", "pets")

    assert paths("pets:v0") == ["cat.txt", "dog.txt", "train/cow.txt"]


def test_what_a_base_has_is_replaced_by_one_source(two_folders: Path) -> None:
    headwater("log", NORTH, "-n", "base")

    assert ask("log", SOUTH, "--base", "base", "--reference", f"far={REFERENCE}", "--no-checksum")["version"] == "v1"


@pytest.fixture
def two_folders(tmp_path: Path) -> Path:
    for folder in ("north", "north/sub/same", "south", "south/sub/same"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "data.csv").write_text(folder)
    return tmp_path


def test_patterns_leave_files_out_and_it_is_said(images: Path) -> None:
    (images / ".headwaterignore").write_text("dog.*\n")

    done = run("log", str(images), "-n", "pets", "--ignore", "/train/", "--ignore", "*.tmp")

    assert (done.code, paths("pets:v0")) == (0, [".headwaterignore", "cat.txt"])
    assert f"left out of {images}: ignored: dog.txt, train\n" in done.err


def test_command_line_and_sdk_give_one_digest(images: Path) -> None:
    (images / ".headwaterignore").write_text("dog.*\n")
    (images / ".git").mkdir()
    (images / ".git" / "HEAD").write_text("ref")
    artifact = sdk.Artifact("pets", "dataset")
    artifact.add_dir(images, ignore=["/train/"])

    assert ask("log", str(images), "-n", "pets", "--ignore", "/train/")["digest"] == artifact.digest


def test_everything_that_can_be_said_is_said(images: Path) -> None:
    headwater(
        *("log", str(images), "-n", "pets", "-t", "photos", "-a", "best", "-a", "prod", "--tag", "raw", "--ttl", "7d"),
        *("-d", "All pets", "-m", '{"rows": 3}', "--immutable"),
    )

    shown = ask("show", "pets")
    assert shown["type"] == "photos"
    assert shown["aliases"] == ["best", "latest", "prod"]
    assert shown["tags"] == ["raw"]
    assert shown["ttl_seconds"] == 7 * 86_400
    assert (shown["description"], shown["metadata"]) == ("All pets", {"rows": 3})


def test_references_are_kept_under_their_names() -> None:
    uri = "https://example.com/data/a.bin"
    headwater("log", "-n", "far", "--reference", uri, "--reference", "here/b=s3://bucket/b?x=1", "--no-checksum")

    assert [(e["path"], e["uri"]) for e in ask("ls", "far:v0")] == [("a.bin", uri), ("here/b", "s3://bucket/b?x=1")]
    assert ask("show", "far")["references"] == 2


def test_a_draft_changes_what_it_is_told_and_keeps_the_rest(images: Path, tmp_path: Path) -> None:
    headwater("log", str(images), "-n", "pets", "-t", "photos")
    (tmp_path / "cow.txt").write_text("a better cow")

    logged = ask("log", "cow.txt", "--base", "pets:v0", "--to", "train", "--remove", "cat.txt")

    assert (logged["artifact"], logged["files"]) == ("team/animals/pets:v1", 2)
    assert paths("pets:v1") == ["dog.txt", "train/cow.txt"]
    assert (ask("show", "pets")["type"], ask("show", "pets")["base"]) == ("photos", "v0")


def test_a_draft_can_lose_a_folder_and_nothing_else(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    headwater("log", "--base", "pets", "--remove", "train")

    assert paths("pets:v1") == ["cat.txt", "dog.txt"]


def test_the_run_has_used_the_base_and_what_it_is_told(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    headwater("log", str(images / "cat.txt"), "-n", "labels")

    headwater("log", "--base", "pets", "--remove", "train", "--use", "labels:v0", "--use", "labels", "--run", "worker")

    assert ask("runs", "worker")["used"] == ["team/animals/labels:v0", "team/animals/pets:v0"]
    assert ask("runs", "worker")["logged"] == ["team/animals/pets:v1"]
    assert "labels:v0" in headwater("lineage", "pets:v1")


def test_writers_fill_a_shared_draft_and_one_seals_it(images: Path) -> None:
    one = ask("log", str(images / "cat.txt"), "-n", "pets", "--distributed-id", "job")
    assert (one["state"], one["version"], one["artifact"]) == ("open", None, "team/animals/pets")
    assert ask("ls") == []

    last = ask("log", str(images / "dog.txt"), "-n", "pets", "--distributed-id", "job", "--finish", "-a", "done")

    assert (last["state"], last["version"], last["files"]) == ("committed", "v0", 2)
    assert ask("show", "pets:done")["files"] == 2


def test_a_seal_waits_for_its_writers_and_a_retry_is_no_second_one(images: Path) -> None:
    shared = ("-n", "pets", "--distributed-id", "job")
    assert ask("log", *shared, "--finish", "--writers", "2")["state"] == "open"
    for _ in range(2):
        headwater("log", str(images / "cat.txt"), *shared, "--run", "worker-1")
    assert [draft["writers_done"] for draft in ask("drafts")] == [1]

    headwater("log", str(images / "dog.txt"), *shared, "--run", "worker-2")

    assert paths("pets:v0") == ["cat.txt", "dog.txt"]


def test_a_late_part_is_an_error_that_names_the_version(images: Path) -> None:
    shared = ("-n", "pets", "--distributed-id", "job")
    headwater("log", str(images / "cat.txt"), *shared, "--finish")

    assert "v0" in refused("log", str(images / "dog.txt"), *shared)


def test_a_version_is_logged_only_while_the_latest_is_the_expected_one(images: Path) -> None:
    headwater("log", str(images), "-n", "pets", "--expect-latest", "none")
    headwater("log", str(images / "cat.txt"), "-n", "pets", "--expect-latest", "v0")

    for expected in ("v0", "none"):
        said = refused("log", str(images / "dog.txt"), "-n", "pets", "--expect-latest", expected)
        assert f"while its latest version is {expected}, but v1 was logged by" in said
    assert len(sdk.Api().artifacts("dataset", "pets")) == 2


def test_what_goes_wrong_adds_no_version(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    assert "'train/horse'" in refused("log", "--base", "pets", "--remove", "train/horse", code=3)
    assert "missing" in refused("log", "missing", "-n", "pets")

    assert len(sdk.Api().artifacts("dataset", "pets")) == 1
    assert {run["state"] for run in ask("runs")} == {"finished", "failed"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((".",), 2, "--name"),
        (("-n", "x"), 2, "nothing to log"),
        ((".", "-n", "x", "--remove", "a"), 2, "--base"),
        ((".", "-n", "x", "--finish"), 2, "--distributed-id"),
        ((".", "-n", "x", "--distributed-id", "j", "--writers", "2"), 2, "--finish"),
        ((".", "-n", "x", "--distributed-id", "j", "--expect-latest", "v1"), 2, "exclude each other"),
        ((".", "-n", "x", "--expect-latest", "prod"), 2, "'prod'"),
        ((".", "-n", "x", "--ttl", "soon"), 2, "'soon'"),
        ((".", "-n", "x", "--ttl", "0d"), 2, "'0d'"),
        ((".", "-n", "x", "--alias", "v3"), 1, "'v3'"),
        ((".", "-n", "x", "--base", "pets:v9"), 3, "'v9'"),
        ((".", "-n", "x", "--use", "horses"), 3, "team/animals/horses"),
        ((".", "-n", "x", "--base", "pets"), 1, "pets, not of x"),
        ((".", "--base", "pets", "-t", "model"), 1, "'dataset', not 'model'"),
        (("-n", "x", "--reference", "https://me:secret@example.com/a", "--no-checksum"), 1, "user"),
    ],
)
def test_wrong_usage_names_what_is_wrong(images: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    headwater("log", str(images), "-n", "pets")

    said = refused("log", *arguments, code=code)

    assert says in said
    assert "secret" not in said
