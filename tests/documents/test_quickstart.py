"""The quickstart: log an artifact, use it, log a new version."""

from pathlib import Path

import headwater

from tests.documents.pieces import files_in
from tests.support.stores import StoreUnderTest


def dataset_creation() -> headwater.Artifact:
    """The documents' script, word for word."""
    run = headwater.init(job_type="dataset-creation")
    artifact = headwater.Artifact("my-dataset", type="dataset")
    artifact.add_file("my-dataset.txt")
    run.log_artifact(artifact)
    run.finish()
    return artifact


def model_training() -> str:
    run = headwater.init(job_type="model-training")
    artifact = run.use_artifact("my-dataset:latest")
    artifact_dir = artifact.download()
    run.finish()
    return artifact_dir


def test_initialize_a_run_and_log_an_artifact() -> None:
    Path("my-dataset.txt").write_text("one line\n")

    artifact = dataset_creation()

    assert artifact.version == "v0"
    run = artifact.logged_by()
    assert run is not None
    assert run.job_type == "dataset-creation"


def test_start_a_new_run_and_pull_down_the_saved_artifact() -> None:
    Path("my-dataset.txt").write_text("one line\n")
    dataset_creation()

    assert files_in(model_training()) == {"my-dataset.txt": "one line\n"}
    assert [run.job_type for run in headwater.Api().artifact("my-dataset").used_by()] == ["model-training"]


def test_a_run_that_is_not_finished_by_hand_can_use_what_the_run_before_it_logs() -> None:
    """As the quickstart does it in one process: no run is finished, and nothing is waited for."""
    Path("my-dataset.txt").write_text("one line\n")
    run = headwater.init(job_type="dataset-creation")
    artifact = headwater.Artifact("my-dataset", type="dataset")
    artifact.add_file("my-dataset.txt")
    run.log_artifact(artifact)

    run = headwater.init(job_type="model-training")
    artifact = run.use_artifact("my-dataset:latest")

    assert files_in(artifact.download()) == {"my-dataset.txt": "one line\n"}


def test_the_same_script_captures_the_new_version_when_the_file_changed() -> None:
    Path("my-dataset.txt").write_text("one line\n")
    first = dataset_creation()
    Path("my-dataset.txt").write_text("one line\nmore lines\n")

    second = dataset_creation()

    assert (first.version, second.version) == ("v0", "v1")
    assert files_in(model_training()) == {"my-dataset.txt": "one line\nmore lines\n"}


def test_if_nothing_changes_no_data_is_uploaded_again_and_there_is_no_new_version(store: StoreUnderTest) -> None:
    Path("my-dataset.txt").write_text("one line\n")
    first = dataset_creation()
    stored = store.objects()

    second = dataset_creation()

    assert second.version == first.version == "v0"
    assert store.objects() == stored
    assert len(headwater.Api().artifact_versions("dataset", "my-dataset")) == 1
