"""New versions: from a single run, from distributed runs, and step by step from an existing version."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater.errors import EventRejected, InvalidInput, NotFound

from tests.documents.pieces import contents, files_in, fill, logged
from tests.support.stores import StoreUnderTest

LARGE = b"large" * 1_000_000
ID = "my_dist_artifact"
JOIN_S = 120.0  # a process that starts Python anew, on a busy machine


# --- from scratch -------------------------------------------------------------------------------------------------


def test_a_name_that_is_new_in_the_project_becomes_v0() -> None:
    assert logged("artifact_name", "a").version == "v0"


def test_changed_contents_under_the_same_name_become_v1() -> None:
    logged("artifact_name", "a")

    assert logged("artifact_name", "a", "b").version == "v1"


def test_a_name_and_type_that_match_an_existing_artifact_are_that_artifact() -> None:
    """Constructing it asks nobody, and begins empty: it joins the versions that are there when it is logged."""
    logged("artifact_name", "a", type="artifact_type")

    again = headwater.Artifact("artifact_name", "artifact_type")
    assert contents(again) == []
    with headwater.init() as run:
        again.add_file("a")
        assert run.log_artifact(again).version == "v0"

    assert len(headwater.Api().artifact_versions("artifact_type", "artifact_name")) == 1


def test_another_type_under_an_existing_name_is_refused_naming_both() -> None:
    logged("artifact_name", "a", type="artifact_type")

    with pytest.raises(EventRejected, match=r"'artifact_type'.*'another'|'another'.*'artifact_type'"):
        logged("artifact_name", "a", type="another")


def test_create_a_version_within_a_run() -> None:
    fill("image1.png")
    with headwater.init() as run:
        artifact = headwater.Artifact("artifact_name", "artifact_type")

        # Add Files and Assets to the artifact using
        # `.add`, `.add_file`, `.add_dir`, and `.add_reference`
        artifact.add_file("image1.png")
        run.log_artifact(artifact)

    assert contents(headwater.Api().artifact("artifact_name:latest")) == ["image1.png"]
    assert [made.source_name for made in run.logged_artifacts()] == ["artifact_name:v0"]


def test_create_a_version_outside_of_a_run() -> None:
    fill("image1.png")
    artifact = headwater.Artifact("artifact_name", "artifact_type")
    artifact.add_file("image1.png")
    artifact.save()

    assert (artifact.version, artifact.logged_by()) == ("v0", None)
    assert contents(headwater.Api().artifact("artifact_name:latest")) == ["image1.png"]


def test_files_and_assets_are_added_with_add_add_file_add_dir_and_add_reference() -> None:
    fill("image1.png", "images/image2.png", "elsewhere.png")
    with headwater.init() as run:
        artifact = headwater.Artifact("artifact_name", "artifact_type")
        artifact.add(headwater.Table(["a"], [[1]]), "table")
        artifact.add_file("image1.png")
        artifact.add_dir("images")
        artifact.add_reference(Path("elsewhere.png").resolve().as_uri())
        run.log_artifact(artifact)

    assert contents(artifact) == ["elsewhere.png", "image1.png", "image2.png", "table.table.parquet"]


def test_a_single_run_outputs_its_model_and_its_predictions_in_a_table_for_analysis() -> None:
    predictions = headwater.Table(["image", "guess"], [["cat.png", "cat"], ["dog.png", None]])
    with headwater.init(job_type="evaluate") as run:
        model = headwater.Artifact("model", "model")
        model.add_file(fill("model.h5")[0])
        run.log_artifact(model)
        result = headwater.Artifact("predictions", "result")
        result.add(predictions, "guesses")
        run.log_artifact(result)

    assert headwater.Api().artifact("predictions:latest").get("guesses") == predictions
    assert sorted(made.source_name for made in run.logged_artifacts()) == ["model:v0", "predictions:v0"]


# --- distributed runs ---------------------------------------------------------------------------------------------


def part(*names: str) -> headwater.Artifact:
    artifact = headwater.Artifact("artifact_name", "artifact_type")
    for path in fill(*names):
        artifact.add_file(path)
    return artifact


def test_three_runs_share_a_distributed_id_and_the_last_one_commits_the_version() -> None:
    fill("image1.png", "image2.png", "image3.png")
    for image in ("image1.png", "image2.png"):  # Run 1 and Run 2
        with headwater.init() as run:
            artifact = headwater.Artifact("artifact_name", "artifact_type")
            # Add Files and Assets to the artifact using
            # `.add`, `.add_file`, `.add_dir`, and `.add_reference`
            artifact.add_file(image)
            run.upsert_artifact(artifact, distributed_id="my_dist_artifact")
    with headwater.init() as run:  # Run 3
        artifact = headwater.Artifact("artifact_name", "artifact_type")
        # Add Files and Assets to the artifact
        # `.add`, `.add_file`, `.add_dir`, and `.add_reference`
        artifact.add_file("image3.png")
        run.finish_artifact(artifact, distributed_id="my_dist_artifact")

    found = headwater.Api().artifact("artifact_name:latest")
    assert files_in(found.download()) == {f"image{i}.png": f"image{i}.png" for i in (1, 2, 3)}
    assert found.version == "v0"


def upsert_an_image(image: str) -> None:
    """Run 1 and Run 2, each a process of its own."""
    with headwater.init() as run:
        artifact = headwater.Artifact("artifact_name", "artifact_type")
        artifact.add_file(image)
        run.upsert_artifact(artifact, distributed_id="my_dist_artifact")


def test_runs_in_parallel_jobs_that_each_have_a_portion_of_the_files_collaborate_on_one_version() -> None:
    fill("image1.png", "image2.png", "image3.png")
    spawn = multiprocessing.get_context("spawn")
    jobs = [spawn.Process(target=upsert_an_image, args=(image,)) for image in ("image1.png", "image2.png")]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(JOIN_S)
    assert [job.exitcode for job in jobs] == [0, 0]

    with headwater.init() as run:
        artifact = headwater.Artifact("artifact_name", "artifact_type")
        artifact.add_file("image3.png")
        run.finish_artifact(artifact, distributed_id="my_dist_artifact")

    assert contents(headwater.Api().artifact("artifact_name:latest")) == ["image1.png", "image2.png", "image3.png"]


def test_by_default_the_group_of_the_run_is_the_distributed_id() -> None:
    for image in ("image1.png", "image2.png"):
        with headwater.init(group="GROUP") as run:
            run.upsert_artifact(part(image))
    with headwater.init() as run:
        finished = run.finish_artifact(part(), distributed_id="GROUP").wait()

    assert contents(finished) == ["image1.png", "image2.png"]


def test_a_distributed_id_that_is_given_comes_before_the_group() -> None:
    for group in ("one", "two"):
        with headwater.init(group=group) as run:
            run.upsert_artifact(part(f"{group}.png"), distributed_id=ID)
    with headwater.init(group="three") as run:
        finished = run.finish_artifact(part(), distributed_id=ID).wait()

    assert contents(finished) == ["one.png", "two.png"]


def test_without_group_and_distributed_id_the_error_names_both() -> None:
    with headwater.init() as run, pytest.raises(InvalidInput, match=r"distributed_id.*group"):
        run.upsert_artifact(part("image1.png"))


def test_the_run_that_finishes_need_not_include_files() -> None:
    with headwater.init() as run:
        run.upsert_artifact(part("image1.png"), distributed_id=ID)
    with headwater.init() as run:
        finished = run.finish_artifact(part(), distributed_id=ID).wait()

    assert contents(finished) == ["image1.png"]


def test_nothing_is_a_version_until_a_final_run_commits_it() -> None:
    with headwater.init() as run:
        run.upsert_artifact(part("image1.png"), distributed_id=ID)

    assert not headwater.Api().artifact_exists("artifact_name")


def test_no_run_adds_files_under_the_same_id_after_the_commit() -> None:
    with headwater.init() as run:
        run.finish_artifact(part("image1.png"), distributed_id=ID)

    with pytest.raises(EventRejected, match="artifact_name:v0"), headwater.init() as run:
        run.upsert_artifact(part("image2.png"), distributed_id=ID)

    assert contents(headwater.Api().artifact("artifact_name:latest")) == ["image1.png"]


# --- from an existing version -------------------------------------------------------------------------------------


@pytest.fixture
def my_artifact(tmp_path: Path) -> headwater.Artifact:
    """One large file and some small ones, of which none is on the local disk any more."""
    artifact = headwater.Artifact("my_artifact", "dataset")
    with artifact.new_file("large.bin", "wb") as file:
        file.write(LARGE)
    for path in fill("annotations.txt", "dir_to_remove/one.txt", "dir_to_remove/two.txt", "duplicate.txt"):
        artifact.add_file(path, name=path)
        path.unlink()
    with headwater.init() as run:
        return run.log_artifact(artifact).wait()


def correct(draft: headwater.Artifact) -> None:
    with draft.new_file("annotations.txt") as file:
        file.write("corrected")


def add_a_folder(draft: headwater.Artifact) -> None:
    fill("batch-2/one.txt", "batch-2/two.txt")
    draft.add_dir("batch-2", name="batch-2")


CHANGES: dict[str, tuple[Callable[[headwater.Artifact], object], list[str]]] = {
    "add a file": (
        lambda draft: draft.add_file(fill("file_to_add.txt")[0]),
        ["annotations.txt", "dir_to_remove/one.txt", "dir_to_remove/two.txt", "duplicate.txt", "file_to_add.txt"],
    ),
    "add a folder": (
        add_a_folder,
        [
            "annotations.txt",
            "batch-2/one.txt",
            "batch-2/two.txt",
            "dir_to_remove/one.txt",
            "dir_to_remove/two.txt",
            "duplicate.txt",
        ],
    ),
    "modify a file": (
        correct,
        ["annotations.txt", "dir_to_remove/one.txt", "dir_to_remove/two.txt", "duplicate.txt"],
    ),
    "replace a file": (
        lambda draft: draft.add_file(fill("corrected.txt")[0], name="annotations.txt"),
        ["annotations.txt", "dir_to_remove/one.txt", "dir_to_remove/two.txt", "duplicate.txt"],
    ),
    "remove a file": (
        lambda draft: draft.remove("duplicate.txt"),
        ["annotations.txt", "dir_to_remove/one.txt", "dir_to_remove/two.txt"],
    ),
    "remove a folder": (
        lambda draft: draft.remove("dir_to_remove/"),
        ["annotations.txt", "duplicate.txt"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_draft_changes_a_subset_of_the_files_and_the_others_stay(
    my_artifact: headwater.Artifact, change: str, store: StoreUnderTest
) -> None:
    before = set(store.objects())
    act, expected = CHANGES[change]
    with headwater.init() as run:
        saved_artifact = run.use_artifact("my_artifact:latest")
        draft_artifact = saved_artifact.new_draft()
        act(draft_artifact)
        run.log_artifact(draft_artifact)

    found = headwater.Api().artifact("my_artifact:latest")
    assert (found.version, contents(found)) == ("v1", [*expected, "large.bin"])
    assert found.get_entry("large.bin").digest == my_artifact.get_entry("large.bin").digest
    assert sum(len(store.read(name)) for name in set(store.objects()) - before) < 1000
    assert len(contents(my_artifact)) == 5


def test_a_modified_file_has_its_new_contents_and_only_in_the_new_version(my_artifact: headwater.Artifact) -> None:
    draft = my_artifact.new_draft()
    correct(draft)
    draft.save()

    assert Path(draft.get_entry("annotations.txt").download()).read_text() == "corrected"
    assert Path(my_artifact.get_entry("annotations.txt").download()).read_text() == "annotations.txt"


def test_an_existing_entry_is_removed_as_an_entry_too(my_artifact: headwater.Artifact) -> None:
    draft = my_artifact.new_draft()
    draft.remove(draft.get_entry("duplicate.txt"))

    assert "duplicate.txt" not in contents(draft)


def test_what_is_not_there_cannot_be_removed(my_artifact: headwater.Artifact) -> None:
    with pytest.raises(NotFound, match=r"file_to_remove\.txt"):
        my_artifact.new_draft().remove("file_to_remove.txt")


def test_the_changes_are_saved_outside_of_a_run(my_artifact: headwater.Artifact) -> None:
    draft_artifact = headwater.Api().artifact("my_artifact:latest").new_draft()
    draft_artifact.add_file(fill("file_to_add.txt")[0])
    draft_artifact.save()

    assert (draft_artifact.version, draft_artifact.logged_by()) == ("v1", None)


def test_from_scratch_the_same_contents_are_the_same_version_and_take_all_the_files(
    my_artifact: headwater.Artifact,
) -> None:
    whole = headwater.Artifact("my_artifact", "dataset")
    whole.add_dir(my_artifact.download("all"))
    whole.add_file(fill("file_to_add.txt")[0])
    whole.save()

    draft = my_artifact.new_draft()
    draft.add_file("file_to_add.txt")

    assert draft.digest == whole.digest
    assert draft.save().version == whole.version == "v1"


@pytest.mark.usefixtures("my_artifact")
def test_the_examples_combined() -> None:
    fill("file_to_add.txt")
    with headwater.init(job_type="modify dataset") as run:
        saved_artifact = run.use_artifact("my_artifact:latest")  # fetch artifact and input it into your run
        draft_artifact = saved_artifact.new_draft()  # create a draft version

        # modify a subset of files in the draft version
        draft_artifact.add_file("file_to_add.txt")
        draft_artifact.remove("dir_to_remove/")
        run.log_artifact(draft_artifact)  # log your changes to create a new version and mark it as output to your run

    found = headwater.Api().artifact("my_artifact:latest")
    assert contents(found) == ["annotations.txt", "duplicate.txt", "file_to_add.txt", "large.bin"]
    assert [used.source_name for used in run.used_artifacts()] == ["my_artifact:v0"]
    assert [made.source_name for made in run.logged_artifacts()] == ["my_artifact:v1"]


def test_a_set_of_runs_makes_an_incremental_version_together(my_artifact: headwater.Artifact) -> None:
    for name in ("one.txt", "two.txt"):
        with headwater.init(group="batch-2") as run:
            draft = run.use_artifact("my_artifact:latest").new_draft()
            draft.add_file(fill(name)[0])
            if name == "two.txt":
                draft.remove("dir_to_remove/")
            run.upsert_artifact(draft)
    with headwater.init(group="batch-2") as run:
        finished = run.finish_artifact(my_artifact.new_draft()).wait()

    assert finished.version == "v1"
    assert contents(finished) == ["annotations.txt", "duplicate.txt", "large.bin", "one.txt", "two.txt"]
