"""Walking the graph of runs and artifacts, up and down."""

import headwater
import pytest

from tests.documents.pieces import fill, logged


@pytest.fixture
def _graph() -> None:
    """raw → (prepare) → data:v0 → (train), (evaluate)"""
    logged("raw", "raw.csv")
    with headwater.init(job_type="prepare", id="prepare") as run:
        run.use_artifact("raw:latest")
        run.log_artifact(fill("data.csv")[0], name="data", type="dataset")
    for job_type in ("train", "evaluate"):
        with headwater.init(job_type=job_type, id=job_type) as run:
            run.use_artifact("data:v0")


@pytest.mark.usefixtures("_graph")
def test_walk_up_from_an_artifact_to_the_run_that_logged_it() -> None:
    api = headwater.Api()

    artifact = api.artifact("data:v0")
    producer_run = artifact.logged_by()

    assert producer_run is not None
    assert (producer_run.id, producer_run.job_type) == ("prepare", "prepare")


@pytest.mark.usefixtures("_graph")
def test_walk_down_from_an_artifact_to_the_runs_that_used_it() -> None:
    consumer_runs = headwater.Api().artifact("data:v0").used_by()

    assert sorted(run.id for run in consumer_runs) == ["evaluate", "train"]


@pytest.mark.usefixtures("_graph")
def test_walk_from_a_run_to_what_it_logged_and_used() -> None:
    run = headwater.Api().run("prepare")

    logged_artifacts = run.logged_artifacts()
    used_artifacts = run.used_artifacts()

    assert [artifact.source_name for artifact in logged_artifacts] == ["data:v0"]
    assert [artifact.source_name for artifact in used_artifacts] == ["raw:v0"]
