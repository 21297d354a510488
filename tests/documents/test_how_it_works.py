"""How it works: a versioned folder of files and references, and a graph that nobody has to define."""

from collections.abc import Sequence
from pathlib import Path

import headwater
import pytest
from headwater.errors import InvalidInput

from tests.documents.pieces import contents, files_in, fill, logged
from tests.support.stores import StoreUnderTest


def animals(aliases: Sequence[str] = ()) -> headwater.Artifact:
    """The documents' script for the folder `images`."""
    with headwater.init() as run:
        artifact = headwater.Artifact("animals", type="dataset")
        artifact.add_dir("images")
        return run.log_artifact(artifact, aliases=aliases).wait()


@pytest.fixture
def _images() -> None:
    fill("images/cat.png", "images/dog.png")


# --- a folder of data ---------------------------------------------------------------------------------------------


def test_an_artifact_is_like_a_folder_and_folders_nest_in_it() -> None:
    fill("raw/a", "raw/one/b", "raw/one/two/c")
    artifact = headwater.Artifact("tree", "dataset")
    artifact.add_dir("raw")
    with headwater.init() as run:
        run.log_artifact(artifact)

    assert contents(artifact) == ["a", "one/b", "one/two/c"]
    assert files_in(artifact.download()) == {"a": "raw/a", "one/b": "raw/one/b", "one/two/c": "raw/one/two/c"}


def test_each_entry_is_a_stored_file_or_a_reference_to_an_external_uri() -> None:
    (elsewhere,) = fill("elsewhere.txt")
    artifact = headwater.Artifact("both", "dataset")
    with artifact.new_file("stored.txt") as file:
        file.write("stored")
    artifact.add_reference(elsewhere.resolve().as_uri())
    with headwater.init() as run:
        run.log_artifact(artifact)

    assert contents(artifact) == ["elsewhere.txt", "stored.txt"]
    assert artifact.get_entry("elsewhere.txt").ref() == elsewhere.resolve().as_uri()
    with pytest.raises(InvalidInput, match=r"stored\.txt"):
        artifact.get_entry("stored.txt").ref()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("dataset.csv", b"a,b\r\n1,2\r\n"),
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 100),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00"),
        ("page.html", "<p>größer</p>".encode()),
        ("code.py", b"print('hello')\n"),
        ("audio.wav", b"RIFF\x00\x00\x00\x00WAVE"),
        ("raw.bin", bytes(range(256))),
    ],
    ids=["datasets", "models", "images", "HTML", "code", "audio", "raw binary data"],
)
def test_any_data_can_be_stored(kind: str, content: bytes) -> None:
    Path(kind).write_bytes(content)
    artifact = headwater.Artifact("anything", "data")
    artifact.add_file(kind)
    with headwater.init() as run:
        run.log_artifact(artifact)

    assert Path(artifact.download("there"), kind).read_bytes() == content


# --- versions -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_images")
def test_a_new_artifact_gets_the_version_v0_and_the_alias_latest() -> None:
    artifact = animals()

    assert (artifact.name, artifact.version, artifact.aliases) == ("animals:v0", "v0", ["latest"])
    assert contents(artifact) == ["cat.png", "dog.png"]


@pytest.mark.usefixtures("_images")
def test_every_change_of_the_contents_is_a_new_version_that_overwrites_nothing() -> None:
    animals()
    Path("images/dog.png").write_text("another dog")
    animals()

    api = headwater.Api()
    assert files_in(api.artifact("animals:v0").download())["dog.png"] == "images/dog.png"
    assert files_in(api.artifact("animals:v1").download())["dog.png"] == "another dog"


@pytest.mark.usefixtures("_images")
def test_the_same_name_type_and_contents_are_the_version_that_is_there() -> None:
    """One document says that the version index goes up all the same; the others, and headwater, that it does not."""
    first = animals()

    assert animals().version == first.version == "v0"


@pytest.mark.usefixtures("_images")
def test_a_new_image_is_the_next_version_and_latest_moves_to_it() -> None:
    animals()
    fill("images/bird.png")

    second = animals()

    assert (second.name, second.aliases) == ("animals:v1", ["latest"])
    assert contents(second) == ["bird.png", "cat.png", "dog.png"]
    assert headwater.Api().artifact("animals:v0").aliases == []


@pytest.mark.usefixtures("_images")
def test_the_history_of_changes_is_complete() -> None:
    """Which versions there were, when, by which run, and what was in each."""
    animals()
    fill("images/bird.png")
    animals()
    Path("images/cat.png").unlink()
    animals()

    history = list(headwater.Api().artifact_versions("dataset", "animals"))[::-1]
    runs = [run.id for version in history if (run := version.logged_by())]

    assert [(version.version, contents(version)) for version in history] == [
        ("v0", ["cat.png", "dog.png"]),
        ("v1", ["bird.png", "cat.png", "dog.png"]),
        ("v2", ["bird.png", "dog.png"]),
    ]
    assert [version.created_at for version in history] == sorted(version.created_at for version in history)
    assert len(set(runs)) == 3


@pytest.mark.usefixtures("_images")
def test_only_what_was_modified_between_versions_is_uploaded(store: StoreUnderTest) -> None:
    large = b"large" * 1_000_000
    Path("images/cat.png").write_bytes(large)
    animals()
    before = set(store.objects())
    fill("images/bird.png")
    animals()

    uploaded = [store.read(name) for name in set(store.objects()) - before]

    assert 0 < sum(map(len, uploaded)) < len(large) // 100


@pytest.mark.usefixtures("_images")
def test_either_the_version_or_an_alias_refers_to_an_artifact() -> None:
    animals()
    with headwater.init() as run:
        by_version = run.use_artifact("animals:v0")
        by_alias = run.use_artifact("animals:latest")

    assert by_version.qualified_name == by_alias.qualified_name == "team/animals/animals:v0"


@pytest.mark.usefixtures("_images")
def test_aliases_can_be_chosen_when_logging() -> None:
    assert animals(aliases=["my-cool-alias"]).aliases == ["latest", "my-cool-alias"]
    assert headwater.Api().artifact("animals:my-cool-alias").version == "v0"


@pytest.mark.usefixtures("_images")
def test_to_use_the_artifact_its_name_and_alias_are_given() -> None:
    animals()

    with headwater.init() as run:
        found = run.use_artifact("animals:latest")
        directory = found.download()

    assert files_in(directory) == {"cat.png": "images/cat.png", "dog.png": "images/dog.png"}


# --- the graph ----------------------------------------------------------------------------------------------------


def test_artifacts_are_logged_as_outputs_of_runs_and_used_as_inputs_of_runs() -> None:
    data = logged("data", "a")
    with headwater.init(job_type="train") as run:
        run.use_artifact("data:latest")
        model = run.log_artifact(fill("model.h5")[0], name="model", type="model")

    (used,), (made,) = run.used_artifacts(), run.logged_artifacts()
    assert (used.qualified_name, made.qualified_name) == (data.qualified_name, model.qualified_name)


def test_runs_and_artifacts_form_a_graph_without_a_pipeline_that_was_defined_before() -> None:
    logged("raw", "a")
    with headwater.init(job_type="clean") as run:
        run.use_artifact("raw:latest")
        run.log_artifact(fill("clean.txt")[0], name="clean", type="dataset")
    with headwater.init(job_type="train") as run:
        run.use_artifact("clean:latest")
        run.log_artifact(fill("model.h5")[0], name="model", type="model")

    walked, artifact = [], headwater.Api().artifact("model:latest")
    while (producer := artifact.logged_by()) and (inputs := producer.used_artifacts()):
        walked.append(producer.job_type)
        artifact = inputs[0]
    assert (walked, artifact.source_name) == (["train", "clean"], "raw:v0")
