"""Walking the graph of runs and artifacts, up and down."""

import headwater
import pytest
from click.testing import CliRunner
from headwater.cli import cli

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


@pytest.mark.usefixtures("_graph")
@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ([], ["data:v0", "run prepare (prepare)", "raw:v0"]),
        (["--down"], ["data:v0", "run evaluate (evaluate)", "run train (train)"]),
    ],
    ids=["where it came from", "what came of it"],
)
def test_the_graph_is_shown_with_every_execution_of_each_step_and_every_version(
    direction: list[str], expected: list[str]
) -> None:
    """The documents show it in a web page, headwater on the command line."""
    shown = CliRunner().invoke(cli, ["lineage", "data:v0", *direction])

    assert shown.exit_code == 0
    assert [said for said in expected if said not in shown.output] == []
    assert shown.output.startswith("data:v0 (dataset) [latest]")


@pytest.mark.usefixtures("_graph")
def test_the_whole_graph_is_walked_from_its_first_version_to_its_last_runs() -> None:
    """Through both kinds of edges, from any version: nobody defined the pipeline before."""
    steps, versions = [], [headwater.Api().artifact("raw:v0")]
    while versions:
        for run in versions.pop().used_by():
            steps.append(run.job_type)
            versions += run.logged_artifacts()

    assert sorted(str(step) for step in steps) == ["evaluate", "prepare", "train"]
