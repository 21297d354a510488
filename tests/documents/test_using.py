"""Using and downloading artifacts, in a run and outside of one."""

from pathlib import Path

import headwater
import pytest
from headwater.errors import InvalidInput, InvalidName

from tests.documents.pieces import contents, files_in, fill, logged


@pytest.fixture
def _bikes() -> None:
    logged("bike-dataset", "bicycle-data.h5", "rides/monday.csv", "rides/tuesday.csv")


@pytest.fixture
def artifact(_bikes: None) -> headwater.Artifact:
    with headwater.init() as run:
        return run.use_artifact("bike-dataset:latest")


@pytest.mark.usefixtures("_bikes")
def test_use_artifact_marks_an_artifact_as_an_input_of_the_run() -> None:
    with headwater.init() as run:
        run.use_artifact(artifact="bike-dataset:latest")

    assert [used.source_name for used in run.used_artifacts()] == ["bike-dataset:v0"]


def test_download_returns_the_path_to_a_folder_with_all_contents(artifact: headwater.Artifact) -> None:
    datadir = artifact.download(root=None)

    assert files_in(datadir) == {name: name for name in contents(artifact)}


def test_root_says_where_to(artifact: headwater.Artifact, tmp_path: Path) -> None:
    assert artifact.download(root=str(tmp_path / "there")) == str(tmp_path / "there")
    assert sorted(files_in(str(tmp_path / "there"))) == contents(artifact)


def test_only_contents_that_are_not_present_are_downloaded(artifact: headwater.Artifact) -> None:
    datadir = Path(artifact.download())
    kept = (datadir / "bicycle-data.h5").stat().st_ino
    (datadir / "rides" / "monday.csv").unlink()

    artifact.download()

    assert (datadir / "bicycle-data.h5").stat().st_ino == kept
    assert (datadir / "rides" / "monday.csv").read_text() == "rides/monday.csv"


def test_get_path_gives_an_entry_whose_download_fetches_only_that_file(artifact: headwater.Artifact) -> None:
    path = artifact.get_path("rides/monday.csv")

    there = path.download()

    assert Path(there).read_text() == "rides/monday.csv"
    assert list(files_in("artifacts")) == ["bike-dataset:v0/rides/monday.csv"]


def test_ref_of_an_entry_is_the_uri_if_it_was_added_with_add_reference(artifact: headwater.Artifact) -> None:
    (elsewhere,) = fill("elsewhere.txt")
    referring = headwater.Artifact("referring", "dataset")
    referring.add_reference(elsewhere.resolve().as_uri())
    with headwater.init() as run:
        run.log_artifact(referring)

    assert referring.get_path("elsewhere.txt").ref() == elsewhere.resolve().as_uri()
    with pytest.raises(InvalidInput, match="not a reference"):
        artifact.get_path("bicycle-data.h5").ref()


# --- construct and use --------------------------------------------------------------------------------------------


def test_a_name_with_a_space_and_no_type_is_refused_naming_the_space() -> None:
    """The example constructs 'reference model' without a type; the same page allows no spaces, and type is needed."""
    with pytest.raises(InvalidName, match=r"'reference model' contains ' '"):
        headwater.Artifact("reference model")
    with pytest.raises(InvalidName, match="type"):
        headwater.Artifact("reference-model")


def test_construct_and_use_creates_the_artifact_once_as_long_as_the_contents_remain_the_same() -> None:
    """The same example with a name and a type that can be."""
    fill("model.h5")
    for _ in range(3):
        with headwater.init() as run:
            artifact = headwater.Artifact("reference-model", type="model")
            artifact.add_file("model.h5")
            run.use_artifact(artifact)

    (only,) = headwater.Api().artifact_versions("model", "reference-model")
    assert len(only.used_by()) == 3

    Path("model.h5").write_text("other contents")
    with headwater.init() as run:
        artifact = headwater.Artifact("reference-model", type="model")
        artifact.add_file("model.h5")
        assert run.use_artifact(artifact).version == "v1"


# --- outside of a run ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_bikes")
def test_an_artifact_is_downloaded_outside_of_a_run() -> None:
    api = headwater.Api()
    artifact = api.artifact("team/animals/bike-dataset:latest")

    assert sorted(files_in(artifact.download())) == contents(artifact)
    assert artifact.used_by() == []
