"""A run, an artifact that it logs, and another run that uses it; versions and aliases."""

from pathlib import Path

import headwater
import pytest
from click.testing import CliRunner
from headwater.cli import cli
from headwater.errors import InvalidName

from tests.documents.pieces import contents, files_in, fill, logged

# --- initialize a run, create an artifact -------------------------------------------------------------------------


def test_job_type_tells_the_steps_of_a_pipeline_apart() -> None:
    for job_type in ("preprocessing", "train"):
        headwater.init(job_type=job_type).finish()

    api = headwater.Api()
    assert [run.job_type for run in api.runs(job_type="train")] == ["train"]
    assert sorted(str(run.job_type) for run in api.runs()) == ["preprocessing", "train"]


def test_create_an_artifact_by_logging_it_as_the_output_of_a_run(bike_dataset: Path) -> None:
    run = headwater.init(job_type="train")
    artifact = headwater.Artifact("bike-dataset", type="dataset")
    # Add a file to the artifact's contents
    artifact.add_file("bicycle-data.h5")
    # Save the artifact version and mark it as the output of this run
    run.log_artifact(artifact)
    run.finish()

    assert [made.source_name for made in run.logged_artifacts()] == ["bike-dataset:v0"]
    assert contents(artifact) == ["bicycle-data.h5"]


def test_type_name_description_and_metadata_describe_an_artifact() -> None:
    artifact = headwater.Artifact(
        type="dataset", name="bike-dataset", description="all bikes", metadata={"classes": {"road": 3, "city": 4}}
    )
    with headwater.init() as run:
        run.log_artifact(artifact)

    found = headwater.Api().artifact("bike-dataset:latest")
    assert (found.type, found.description, found.metadata) == (
        "dataset",
        "all bikes",
        {"classes": {"road": 3, "city": 4}},
    )


def test_description_and_metadata_are_displayed_next_to_the_version() -> None:
    """The documents display them on a web page, headwater on the command line."""
    artifact = headwater.Artifact("bike-dataset", "dataset", description="all bikes", metadata={"classes": 2})
    artifact.save()

    shown = CliRunner().invoke(cli, ["show", "bike-dataset:v0"])

    assert shown.exit_code == 0
    assert "all bikes" in shown.output
    assert '"classes": 2' in shown.output


def test_names_have_numbers_letters_underscores_hyphens_and_dots() -> None:
    assert logged("Bike_data-set.2", "a").source_name == "Bike_data-set.2:v0"


@pytest.mark.parametrize("name", ["bike dataset", "bike/dataset", "bike:dataset", "bike+", "vélo"])
def test_other_characters_are_refused_in_names(name: str) -> None:
    with pytest.raises(InvalidName, match="Use letters, digits"):
        headwater.Artifact(name, type="dataset")


def test_versions_count_up_from_v0_as_the_contents_change() -> None:
    versions = []
    for text in ("one", "two", "two", "three"):
        Path("data.txt").write_text(text)
        artifact = headwater.Artifact("bike-dataset", type="dataset")
        artifact.add_file("data.txt")
        with headwater.init() as run:
            versions.append(run.log_artifact(artifact).version)

    assert versions == ["v0", "v1", "v1", "v2"]


def test_what_is_logged_in_a_loop_has_its_versions_in_the_order_of_the_loop() -> None:
    """The documents promise no order; here it is that of the calls, though nobody waits for any of them."""
    run = headwater.init()
    for i in range(10):
        a = headwater.Artifact("race", type="dataset", metadata={"index": i})
        with a.new_file("index.txt") as file:
            file.write(str(i))
        run.log_artifact(a)
    run.finish()

    versions = headwater.Api().artifact_versions("dataset", "race")
    assert {version.version: version.metadata["index"] for version in versions} == {f"v{i}": i for i in range(10)}


def test_log_artifact_is_asynchronous_for_performant_uploads() -> None:
    Path("model.h5").write_bytes(b"weights" * 5_000_000)
    run = headwater.init()
    artifact = headwater.Artifact("bike-model", type="model")
    artifact.add_file("model.h5", policy="immutable")

    state_after_the_call = run.log_artifact(artifact).state
    run.finish()

    assert (state_after_the_call, artifact.state) == ("pending", "committed")


def test_metadata_is_used_to_query_and_to_make_plots() -> None:
    """Of all versions, or of those that a question finds: numbers that a plot can take."""
    with headwater.init() as run:
        for epoch, accuracy in enumerate((0.5, 0.9, 0.7)):
            artifact = headwater.Artifact("bike-model", type="model", metadata={"epoch": epoch, "accuracy": accuracy})
            with artifact.new_file("weights.txt") as file:
                file.write(str(epoch))
            run.log_artifact(artifact)

    versions = headwater.Api().artifact_versions("model", "bike-model")
    curve = sorted((version.metadata["epoch"], version.metadata["accuracy"]) for version in versions)
    best = max(versions, key=lambda version: float(version.metadata["accuracy"]))
    assert (curve, best.version) == ([(0, 0.5), (1, 0.9), (2, 0.7)], "v1")


def test_metadata_alone_makes_no_version() -> None:
    """The loop of the documents without any files: equal contents are one version, which has what was said last."""
    with headwater.init() as run:
        for i in range(3):
            run.log_artifact(headwater.Artifact("race", type="dataset", metadata={"index": i}))

    (only,) = headwater.Api().artifact_versions("dataset", "race")
    assert (only.version, only.metadata) == ("v0", {"index": 2})


# --- use an artifact ----------------------------------------------------------------------------------------------


def test_use_artifact_finds_the_named_artifact_and_marks_it_as_an_input_of_the_run() -> None:
    logged("bike-dataset", "bicycle-data.h5")
    run = headwater.init()
    # Find this artifact, and mark it as input to this run
    artifact = run.use_artifact("bike-dataset:v0")
    # Download the artifact's contents
    artifact_dir = artifact.download()
    run.finish()

    assert files_in(artifact_dir) == {"bicycle-data.h5": "bicycle-data.h5"}
    assert [used.source_name for used in run.used_artifacts()] == ["bike-dataset:v0"]


def test_a_later_step_downloads_a_version_by_its_name() -> None:
    for text in ("one", "two", "three"):
        artifact = headwater.Artifact("bike-dataset", type="dataset")
        with artifact.new_file("bicycle-data.h5") as file:
            file.write(text)
        with headwater.init() as run:
            run.log_artifact(artifact)

    with headwater.init() as run:
        artifact_dir = run.use_artifact("bike-dataset:v1").download()

    assert files_in(artifact_dir) == {"bicycle-data.h5": "two"}


def test_an_artifact_of_another_project_is_used_by_its_project_and_name() -> None:
    logged("bike-model", "model.h5", type="model", project="my-project")

    with headwater.init() as run:
        artifact = run.use_artifact("my-project/bike-model:v0")

    assert artifact.qualified_name == "team/my-project/bike-model:v0"
    assert [used.qualified_name for used in run.used_artifacts()] == [artifact.qualified_name]


def test_an_artifact_of_another_entity_is_used_by_its_entity_project_and_name() -> None:
    artifact = headwater.Artifact("bike-model", "model")
    with headwater.init(entity="my-entity", project="my-project") as run:
        artifact.add_file(fill("model.h5")[0])
        run.log_artifact(artifact)

    with headwater.init() as run:
        found = run.use_artifact("my-entity/my-project/bike-model:v0")

    assert found.qualified_name == "my-entity/my-project/bike-model:v0"
    assert [user.path for user in found.used_by()] == [run.path]


def test_an_artifact_that_has_not_been_logged_is_created_by_using_it() -> None:
    fill("model.h5")
    run = headwater.init()
    artifact = headwater.Artifact("bike-model", type="model")
    artifact.add_file("model.h5")
    run.use_artifact(artifact)
    run.finish()

    assert headwater.Api().artifact("bike-model:latest").version == "v0"
    assert [used.source_name for used in run.used_artifacts()] == ["bike-model:v0"]
    assert run.logged_artifacts() == []


def test_an_artifact_that_exists_already_is_used_as_it_is() -> None:
    logged("bike-model", "model.h5", type="model")

    with headwater.init() as run:
        artifact = headwater.Artifact("bike-model", type="model")
        artifact.add_file("model.h5")
        used = run.use_artifact(artifact)

    assert used.version == "v0"
    assert len(headwater.Api().artifact_versions("model", "bike-model")) == 1


def test_an_artifact_can_be_used_any_number_of_times_and_is_created_once() -> None:
    fill("model.h5")
    run = headwater.init()
    artifact = headwater.Artifact("bike-model", type="model")
    artifact.add_file("model.h5")
    for _ in range(3):
        run.use_artifact(artifact)
    for _ in range(3):
        same = headwater.Artifact("bike-model", type="model")
        same.add_file("model.h5")
        run.use_artifact(same)
    run.finish()

    assert len(headwater.Api().artifact_versions("model", "bike-model")) == 1
    assert len(run.used_artifacts()) == 1


# --- versions and aliases -----------------------------------------------------------------------------------------


def test_log_artifact_adds_the_alias_latest_by_default() -> None:
    assert logged("bike-dataset", "a").aliases == ["latest"]


def test_latest_is_always_the_most_recent_version() -> None:
    logged("bike-dataset", "a")
    logged("bike-dataset", "a", "b")

    with headwater.init() as run:
        artifact = run.use_artifact("bike-dataset:latest")

    assert (artifact.version, contents(artifact)) == ("v1", ["a", "b"])


def test_a_custom_alias_marks_the_best_model_when_it_is_logged() -> None:
    fill("model.h5")
    run = headwater.init()
    artifact = headwater.Artifact("run-3nq3ctyy-bike-model", type="model")
    artifact.add_file("model.h5")
    run.log_artifact(artifact, aliases=["latest", "best-ap50"])
    run.finish()

    assert artifact.aliases == ["best-ap50", "latest"]
    assert headwater.Api().artifact("run-3nq3ctyy-bike-model:best-ap50").version == "v0"
