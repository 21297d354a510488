"""What an error says about a name that is not there: where else it is, and what to type next."""

import re
from collections.abc import Callable

import headwater
import pytest
from headwater.errors import NotFound

from tests.cli.commands import headwater as command
from tests.queue.artifacts import filled

pytestmark = pytest.mark.usefixtures("store")


def log(name: str, *contents: str, project: str = "vision", entity: str = "root") -> None:
    with headwater.init(entity=entity, project=project, id="night") as run:
        for content in contents:
            run.log_artifact(filled({"a": content}, name)).wait()


def said(call: Callable[[], object]) -> str:
    with pytest.raises(NotFound) as caught:
        call()
    return str(caught.value)


def test_an_artifact_of_another_project_is_suggested_with_the_version_that_was_asked_for() -> None:
    log("images", "1", "2", "3")

    api = headwater.Api()

    assert said(lambda: api.artifact("images:v2")) == (
        "there is no artifact team/animals/images. Did you mean `root/vision/images:v2`?"
    )
    assert said(lambda: api.artifact("vision/images")).endswith("Did you mean `root/vision/images`?")
    assert said(lambda: api.artifact("images:v9")).endswith("Did you mean `root/vision/images`?")
    assert said(lambda: api.artifact_collection("dataset", "images")).endswith("Did you mean `root/vision/images`?")
    assert not api.artifact_exists("images")


def test_of_many_the_nearest_are_suggested() -> None:
    for entity, project in (("a", "b"), ("b", "animals"), ("c", "d"), ("team", "zoo"), ("e", "f")):
        log("images", "1", project=project, entity=entity)

    assert said(lambda: headwater.Api().artifact("images")).endswith(
        "Did you mean `team/zoo/images`, `b/animals/images` or `a/b/images`?"
    )


def test_a_name_that_is_misspelled_is_corrected() -> None:
    log("images", "1", project="animals", entity="team")

    assert said(lambda: headwater.Api().artifact("imagse:v0")).endswith("Did you mean `team/animals/images:v0`?")


def test_a_version_that_only_the_artifact_of_another_project_has_is_suggested() -> None:
    log("images", "1", project="animals", entity="team")
    log("images", "1", "2")

    assert said(lambda: headwater.Api().artifact("images:v1")) == (
        "team/animals/images has no version or alias 'v1'; the latest is v0. Did you mean `root/vision/images:v1`?"
    )


def test_a_run_of_another_project_is_suggested() -> None:
    log("images", "1")

    assert said(lambda: headwater.Api().run("night")) == (
        "there is no run team/animals/night. Did you mean `root/vision/night`?"
    )


def test_where_nothing_is_like_it_the_command_that_is_named_lists_what_is_there() -> None:
    log("pets", "1", project="animals", entity="team")
    log("images", "1")
    api = headwater.Api()

    assert "pets" in output_of_the_command_in(said(lambda: api.artifact("weights")))
    assert "night" in output_of_the_command_in(said(lambda: api.run("weights")))
    assert "images" in output_of_the_command_in(said(lambda: api.artifact("root/vision/weights")))
    assert "root/vision" in output_of_the_command_in(said(lambda: api.artifact("nobody/nothing/weights")))


def output_of_the_command_in(message: str) -> str:
    found = re.search("`headwater (.*?)`", message)
    assert found, message
    return command(*found[1].split())


def test_the_api_lists_projects() -> None:
    log("pets", "1", project="animals", entity="team")
    log("images", "1")

    api = headwater.Api()

    assert [(one.path, one.entity, one.name) for one in api.projects()] == [
        ("root/vision", "root", "vision"),
        ("team/animals", "team", "animals"),
    ]
    (ours,) = api.projects("team")
    assert len(api.projects()) == 2
    assert [collection.name for collection in ours.artifact_collections()] == ["pets"]
    assert [run.id for run in ours.runs()] == ["night"]
