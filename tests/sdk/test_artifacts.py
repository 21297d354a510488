"""Filling an artifact, and logging it."""

import os
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater.errors import (
    EventRejected,
    FileChanged,
    InvalidFile,
    InvalidInput,
    InvalidMetadata,
    InvalidName,
    InvalidPath,
    Reason,
)

from tests.sdk.stat_caches import trusting_soon as trusting_soon
from tests.sdk.stat_caches import wait_until_trusted

pytestmark = pytest.mark.usefixtures("store")

LARGE = 3 * 1024 * 1024  # an object of its own


def folder_of(root: Path, **files: str) -> Path:
    """A folder with these files; `__` stands for `/` in names."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def log_folder(root: Path, name: str = "pets", **options: object) -> headwater.Artifact:
    with headwater.init() as run:
        artifact = headwater.Artifact(name, "dataset")
        artifact.add_dir(root)
        return run.log_artifact(artifact, **options).wait()  # type: ignore[arg-type]


def files_in(root: str | Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(Path(root).rglob("*")) if path.is_file()}


# --- versions ---------------------------------------------------------------------------------------------------


def test_the_first_version_is_v0_and_latest(tmp_path: Path) -> None:
    artifact = log_folder(folder_of(tmp_path / "in", cat="meow"))

    assert (artifact.version, artifact.aliases, artifact.state) == ("v0", ["latest"], "committed")
    assert artifact.qualified_name == "team/animals/pets:v0"


def test_changed_content_is_the_next_version_and_takes_latest(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", cat="meow", dog="wuff")
    first = log_folder(root)

    folder_of(root, dog="woof")
    second = log_folder(root)

    assert (second.version, second.aliases) == ("v1", ["latest"])
    assert headwater.Api().artifact("pets:v0").aliases == []
    assert first.digest != second.digest


def test_equal_content_is_the_version_that_has_it_already(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", cat="meow")
    first = log_folder(root)
    folder_of(root, cat="purr")
    log_folder(root)

    folder_of(root, cat="meow")
    again = log_folder(root, aliases=["good"])

    assert again.version == first.version == "v0"
    assert again.aliases == ["good", "latest"]


def test_the_digest_is_known_before_logging_and_does_not_depend_on_the_order_of_adding(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", a="1", b="2", c__d="3")
    whole = headwater.Artifact("pets", "dataset")
    whole.add_dir(root)
    piecemeal = headwater.Artifact("pets", "dataset")
    for name in ("c/d", "b", "a"):
        piecemeal.add_file(root / name, name=name)

    logged = log_folder(root)

    assert whole.digest == piecemeal.digest == logged.digest
    assert (whole.size, whole.file_count) == (logged.size, logged.file_count) == (3, 3)


def test_after_the_run_an_artifact_knows_its_version_without_being_asked_to_wait(tmp_path: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    with headwater.init() as run:
        run.log_artifact(artifact)

    assert (artifact.state, artifact.name) == ("committed", "pets:v0")


def test_an_artifact_that_was_refused_says_so() -> None:
    headwater.Artifact("pets", "dataset").save()
    wrong = headwater.Artifact("pets", "model")
    with headwater.init() as run:
        run.log_artifact(wrong)
        with pytest.raises(EventRejected):
            wrong.wait()

    assert wrong.state == "rejected"
    with headwater.init() as run, pytest.raises(InvalidInput, match=r"rejected.*wait\(\)` raises the reason"):
        run.log_artifact(wrong)


def test_an_empty_artifact_can_be_logged() -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(headwater.Artifact("nothing", "dataset")).wait()

    assert (artifact.version, artifact.file_count, artifact.size) == ("v0", 0, 0)


def test_removed_files_are_gone_in_the_next_version_and_stay_in_the_last(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", **{f"file{i}": str(i) for i in range(100)})
    log_folder(root)
    (root / "file7").unlink()

    second = log_folder(root)

    assert second.file_count == 99
    assert "file7" not in files_in(second.download(tmp_path / "new"))
    assert files_in(headwater.Api().artifact("pets:v0").download(tmp_path / "old"))["file7"] == "7"


# --- taking bytes -----------------------------------------------------------------------------------------------


def test_later_edits_and_deletion_of_the_source_change_nothing(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_text("as it was")
    large.write_bytes(b"x" * LARGE)
    artifact = headwater.Artifact("taken", "dataset")
    artifact.add_file(small)
    artifact.add_file(large)

    small.write_text("edited")
    large.unlink()
    with headwater.init() as run:
        run.log_artifact(artifact)

    out = Path(headwater.Api().artifact("taken").download(tmp_path / "out"))
    assert (out / "small").read_text() == "as it was"
    assert (out / "large").read_bytes() == b"x" * LARGE


def test_an_immutable_file_that_changed_before_it_was_logged_is_an_error_that_names_it(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * LARGE)
    artifact = headwater.Artifact("late", "dataset")
    artifact.add_file(large, policy="immutable")

    large.write_bytes(b"y" * LARGE)
    with headwater.init() as run:
        run.log_artifact(artifact)
        with pytest.raises(FileChanged, match=r"large\.bin"):
            artifact.wait()


def test_an_immutable_file_that_stayed_is_logged_like_any_other(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * LARGE)
    late, taken = headwater.Artifact("late", "dataset"), headwater.Artifact("taken", "dataset")
    late.add_file(large, policy="immutable")
    taken.add_file(large)

    with headwater.init() as run:
        run.log_artifact(late).wait()

    assert late.digest == taken.digest
    assert Path(late.download(tmp_path / "out"), "large.bin").stat().st_size == LARGE


@pytest.mark.usefixtures("trusting_soon")
def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", cat="meow", dog="wuff")
    wait_until_trusted()
    log_folder(root)
    (root / "cat").chmod(0o644)  # a new ctime: read again; `dog` is not

    artifact = headwater.Artifact("pets", "dataset")
    opened: list[str] = []
    original = os.open

    def spy(path: object, *arguments: object, **options: object) -> int:
        opened.append(os.path.basename(os.fsdecode(path)))  # type: ignore[arg-type]
        return original(path, *arguments, **options)  # type: ignore[arg-type]

    os.open = spy  # type: ignore[assignment]
    try:
        artifact.add_dir(root)
    finally:
        os.open = original

    assert "cat" in opened
    assert "dog" not in opened


def test_new_file_writes_text_and_bytes(tmp_path: Path) -> None:
    artifact = headwater.Artifact("made", "dataset")
    with artifact.new_file("notes/hello.txt") as file:
        file.write("grüß dich\n")
    with artifact.new_file("raw.bin", "wb") as file:
        file.write(b"\x00\x01")

    with headwater.init() as run:
        run.log_artifact(artifact).wait()

    out = Path(artifact.download(tmp_path / "out"))
    assert (out / "notes/hello.txt").read_bytes() == "grüß dich\n".encode()
    assert (out / "raw.bin").read_bytes() == b"\x00\x01"


def test_an_error_within_new_file_adds_nothing() -> None:
    artifact = headwater.Artifact("made", "dataset")

    with pytest.raises(ZeroDivisionError), artifact.new_file("half.txt") as file:
        file.write("half" * (1 // 0))

    assert artifact.file_count == 0


def test_a_path_added_twice_holds_what_was_added_last(tmp_path: Path) -> None:
    folder_of(tmp_path, one="first", two="second")
    artifact = headwater.Artifact("twice", "dataset")
    artifact.add_file(tmp_path / "one", name="same")
    artifact.add_file(tmp_path / "two", name="./same")

    with headwater.init() as run:
        run.log_artifact(artifact).wait()

    assert files_in(artifact.download(tmp_path / "out")) == {"same": "second"}


def test_names_inside_are_inferred_from_the_source(tmp_path: Path) -> None:
    folder_of(tmp_path / "project", images__cat="c", checkpoints__model="m")
    artifact = headwater.Artifact("names", "dataset")
    artifact.add_file(tmp_path / "project/checkpoints/model")
    artifact.add_file(tmp_path / "project/checkpoints/model", name="models/mine")
    artifact.add_dir(tmp_path / "project/images")
    artifact.add_dir(tmp_path / "project/images", name="images")

    with headwater.init() as run:
        run.log_artifact(artifact).wait()

    assert sorted(files_in(artifact.download(tmp_path / "out"))) == ["cat", "images/cat", "model", "models/mine"]


# --- wrong input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b", "a/b", "", "..", "ä", "x" * 129])
def test_a_bad_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidName):
        headwater.Artifact(name, "dataset")


def test_a_missing_file_is_named_and_nothing_is_added(tmp_path: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")

    with pytest.raises(InvalidFile, match="nowhere"):
        artifact.add_file(tmp_path / "nowhere")

    assert artifact.file_count == 0


def test_a_path_that_leads_out_of_the_artifact_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, cat="meow")
    artifact = headwater.Artifact("pets", "dataset")

    for name in ("../cat", "/cat", "a/../../cat", ""):
        with pytest.raises(InvalidPath):
            artifact.add_file(tmp_path / "cat", name=name)


def test_a_path_cannot_be_a_file_and_a_folder_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, cat="meow")
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(tmp_path / "cat", name="a/b")

    for name in ("a", "a/b/c"):
        with pytest.raises(InvalidPath, match="file and a folder"):
            artifact.add_file(tmp_path / "cat", name=name)


def test_metadata_that_is_not_json_is_refused_by_its_key() -> None:
    with pytest.raises(InvalidMetadata, match="when"):
        headwater.Artifact("pets", "dataset", metadata={"when": object()})


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, cat="meow")

    with pytest.raises(InvalidInput, match="sometimes"):
        headwater.Artifact("pets", "dataset").add_file(tmp_path / "cat", policy="sometimes")  # type: ignore[arg-type]


def test_after_logging_an_artifact_does_not_change(tmp_path: Path) -> None:
    artifact = log_folder(folder_of(tmp_path / "in", cat="meow"))

    with pytest.raises(InvalidInput, match="logged"):
        artifact.add_dir(tmp_path / "in", name="more")
    with pytest.raises(InvalidInput, match="logged"):
        artifact.remove("cat")


def test_another_type_under_the_same_name_is_refused_naming_both(tmp_path: Path) -> None:
    log_folder(folder_of(tmp_path / "in", cat="meow"))
    wrong = headwater.Artifact("pets", "model")

    with headwater.init() as run:
        run.log_artifact(wrong)
        with pytest.raises(EventRejected, match=r"'dataset'.*'model'") as refused:
            wrong.wait()

    assert refused.value.reason is Reason.TYPE_MISMATCH
    assert headwater.Api().artifact("pets").version == "v0"


def test_leaving_a_run_raises_what_nobody_waited_for(tmp_path: Path) -> None:
    log_folder(folder_of(tmp_path / "in", cat="meow"))
    run = headwater.init(id="r1")
    run.log_artifact(headwater.Artifact("pets", "model"))

    with pytest.raises(EventRejected, match="'model'"):
        run.finish()

    assert headwater.Api().run("r1").state == "failed"


def test_the_version_of_an_artifact_that_was_never_logged_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="log_artifact"):
        headwater.Artifact("pets", "dataset").wait()


# --- what is said about it --------------------------------------------------------------------------------------


def test_description_and_metadata_are_kept_with_the_version() -> None:
    artifact = headwater.Artifact("pets", "dataset", description="first", metadata={"n": 1})
    artifact.metadata = {"n": 2, "nested": {"deep": [1, None, "x"]}}
    with headwater.init() as run:
        run.log_artifact(artifact).wait()

    found = headwater.Api().artifact("pets:v0")

    assert (found.description, found.metadata) == ("first", {"n": 2, "nested": {"deep": [1, None, "x"]}})


def test_logging_equal_content_again_changes_only_what_is_given() -> None:
    with headwater.init() as run:
        run.log_artifact(headwater.Artifact("pets", "dataset", description="kept", metadata={"n": 1})).wait()
        run.log_artifact(headwater.Artifact("pets", "dataset", metadata={"n": 2})).wait()

    found = headwater.Api().artifact("pets")

    assert (found.version, found.description, found.metadata) == ("v0", "kept", {"n": 2})


def test_a_file_or_folder_can_be_logged_by_its_path(tmp_path: Path) -> None:
    folder_of(tmp_path, **{"model.h5": "weights"})
    folder_of(tmp_path / "images", cat="meow")

    with headwater.init(id="r1") as run:
        model = run.log_artifact("model.h5").wait()
        images = run.log_artifact("images", name="pets", type="dataset", aliases=["raw"]).wait()

    assert model.qualified_name == "team/animals/run-r1-model.h5:v0"
    assert images.aliases == ["latest", "raw"]


@pytest.mark.parametrize("opened", ["w", "wb"])
def test_new_file_takes_a_large_file_too(tmp_path: Path, opened: str) -> None:
    artifact = headwater.Artifact("made", "dataset")
    text = "0123456789" * (LARGE // 10)
    with artifact.new_file("large", opened) as file:
        for start in range(0, len(text), 100_000):
            piece = text[start : start + 100_000]
            file.write(piece if opened == "w" else piece.encode())

    with headwater.init() as run:
        run.log_artifact(artifact).wait()

    assert Path(artifact.download(tmp_path / "out"), "large").read_text() == text


@pytest.mark.usefixtures("trusting_soon")
def test_a_file_that_changes_while_it_is_added_to_another_store_is_logged_as_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder_of(tmp_path / "in", cat="meow", dog="wuff")
    wait_until_trusted()
    log_folder(root)  # from here on the index knows both files
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "other"))  # which has neither, so that they are read
    scan = headwater._artifact.building.scan

    def scan_and_change(*arguments: Any, **options: Any) -> object:
        found = scan(*arguments, **options)
        (root / "cat").write_text("purr")
        return found

    monkeypatch.setattr(headwater._artifact.building, "scan", scan_and_change)
    logged = log_folder(root)

    assert files_in(logged.download(tmp_path / "out")) == {"cat": "purr", "dog": "wuff"}
