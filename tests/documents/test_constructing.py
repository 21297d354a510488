"""Constructing artifacts: their fields, and every way to put files into one."""

from collections.abc import Callable
from pathlib import Path

import headwater
import pytest

from tests.documents.pieces import contents, files_in, fill


@pytest.fixture
def artifact() -> headwater.Artifact:
    return headwater.Artifact("bike-dataset", type="dataset")


def logged_anew(artifact: headwater.Artifact) -> headwater.Artifact:
    """As everybody else finds it, once it is logged."""
    with headwater.init() as run:
        name = run.log_artifact(artifact).qualified_name
    return headwater.Api().artifact(name)


# --- fields -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", ["dataset", "model", "result", "anything freeform, größer 7"])
def test_type_is_a_freeform_string(type_name: str) -> None:
    assert logged_anew(headwater.Artifact("bike-dataset", type=type_name)).type == type_name


def test_type_description_and_metadata_can_be_set_directly_on_an_artifact(artifact: headwater.Artifact) -> None:
    artifact.type = "result"
    artifact.description = "Freeform text,\nof *several* lines."
    artifact.metadata = {"classes": {"road": 3}, "any": ["structured", 1, 2.5, None, True]}
    artifact.metadata["more"] = "later"

    found = logged_anew(artifact)

    assert (found.type, found.description) == ("result", "Freeform text,\nof *several* lines.")
    assert found.metadata == {
        "classes": {"road": 3},
        "any": ["structured", 1, 2.5, None, True],
        "more": "later",
    }


# --- files and folders --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_project_directory")
def test_name_is_an_optional_file_name_of_a_file_and_a_prefix_of_a_folder(artifact: headwater.Artifact) -> None:
    artifact.add_file("model.h5", name="optional-name")
    artifact.add_dir("images", name="optional-prefix")
    artifact.add_file("model.h5")
    artifact.add_dir("checkpoints", name=None)

    assert contents(artifact) == ["model.h5", "optional-name", "optional-prefix/cat.png", "optional-prefix/dog.png"]


def test_add_dir_adds_a_folder_recursively(artifact: headwater.Artifact) -> None:
    fill("top/a", "top/below/b", "top/below/further/c")

    artifact.add_dir("top")

    assert contents(artifact) == ["a", "below/b", "below/further/c"]


def test_new_file_gives_a_file_to_write_which_is_stored_under_its_name(artifact: headwater.Artifact) -> None:
    with artifact.new_file("notes/today.txt") as f:
        f.write("written here")
    with artifact.new_file("raw.bin", mode="wb") as f:
        f.write(b"bytes")

    assert files_in(logged_anew(artifact).download()) == {"notes/today.txt": "written here", "raw.bin": "bytes"}


def write_hello(artifact: headwater.Artifact) -> None:
    with artifact.new_file("hello.txt") as f:
        f.write("hello.txt")


ROWS: dict[str, tuple[Callable[[headwater.Artifact], object], dict[str, str]]] = {
    "artifact.add_file('model.h5')": (
        lambda artifact: artifact.add_file("model.h5"),
        {"model.h5": "model.h5"},
    ),
    "artifact.add_file('checkpoints/model.h5')": (
        lambda artifact: artifact.add_file("checkpoints/model.h5"),
        {"model.h5": "checkpoints/model.h5"},
    ),
    "artifact.add_file('model.h5', name='models/mymodel.h5')": (
        lambda artifact: artifact.add_file("model.h5", name="models/mymodel.h5"),
        {"models/mymodel.h5": "model.h5"},
    ),
    "artifact.add_dir('images')": (
        lambda artifact: artifact.add_dir("images"),
        {"cat.png": "images/cat.png", "dog.png": "images/dog.png"},
    ),
    "artifact.add_dir('images', name='images')": (
        lambda artifact: artifact.add_dir("images", name="images"),
        {"images/cat.png": "images/cat.png", "images/dog.png": "images/dog.png"},
    ),
    "artifact.new_file('hello.txt')": (write_hello, {"hello.txt": "hello.txt"}),
}


@pytest.mark.usefixtures("_project_directory")
@pytest.mark.parametrize("call", ROWS)
def test_the_table_of_calls_and_resulting_contents(artifact: headwater.Artifact, call: str) -> None:
    add, expected = ROWS[call]

    add(artifact)

    assert contents(artifact) == list(expected)
    assert files_in(logged_anew(artifact).download()) == expected


@pytest.mark.usefixtures("_project_directory")
def test_an_artifact_is_created_from_all_of_these_together(artifact: headwater.Artifact) -> None:
    artifact.add_file("checkpoints/model.h5", name="last.h5")
    artifact.add_dir("images")
    write_hello(artifact)
    artifact.add_reference(Path("model.h5").resolve().as_uri())

    assert contents(logged_anew(artifact)) == ["cat.png", "dog.png", "hello.txt", "last.h5", "model.h5"]
