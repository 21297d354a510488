"""Updating description, metadata and aliases of an artifact that is logged: set them, then save."""

from pathlib import Path

import headwater
import pytest

from tests.documents.pieces import fill


@pytest.fixture
def artifact() -> headwater.Artifact:
    """As the Api gives it."""
    logged = headwater.Artifact("bike-dataset", "dataset", description="old", metadata={"oldKey": "old", "kept": 1})
    logged.add_file(fill("bicycle-data.h5")[0])
    with headwater.init() as run:
        run.log_artifact(logged)
    return headwater.Api().artifact("bike-dataset:latest")


def found() -> headwater.Artifact:
    """As somebody else sees it now."""
    return headwater.Api().artifact("bike-dataset:v0")


def test_update_the_description(artifact: headwater.Artifact) -> None:
    artifact.description = "My new description"
    artifact.save()

    assert found().description == "My new description"


def test_selectively_update_metadata_keys(artifact: headwater.Artifact) -> None:
    artifact.metadata["oldKey"] = "new value"
    artifact.save()

    assert found().metadata == {"oldKey": "new value", "kept": 1}


def test_replace_the_metadata_entirely(artifact: headwater.Artifact) -> None:
    artifact.metadata = {"newKey": "new value"}
    artifact.save()

    assert found().metadata == {"newKey": "new value"}


def test_add_an_alias(artifact: headwater.Artifact) -> None:
    artifact.aliases.append("best")
    artifact.save()

    assert found().aliases == ["best", "latest"]


def test_remove_an_alias(artifact: headwater.Artifact) -> None:
    artifact.aliases.remove("latest")
    artifact.save()

    assert found().aliases == []
    assert not headwater.Api().artifact_exists("bike-dataset:latest")


def test_completely_replace_the_aliases(artifact: headwater.Artifact) -> None:
    artifact.aliases = ["replaced"]
    artifact.save()

    assert found().aliases == ["replaced"]


def test_nothing_is_persisted_before_save(artifact: headwater.Artifact) -> None:
    artifact.description = "My new description"
    artifact.metadata["oldKey"] = "new value"
    artifact.aliases.append("best")

    now = found()
    assert (now.description, now.metadata["oldKey"], now.aliases) == ("old", "old", ["latest"])


def test_save_persists_all_modifications_together() -> None:
    """The example, in one piece."""
    Path("bicycle-data.h5").write_text("data")
    with headwater.init() as run:
        run.log_artifact("bicycle-data.h5", name="bike-dataset", type="dataset")
    api = headwater.Api()
    artifact = api.artifact("bike-dataset:latest")

    # Update the description
    artifact.description = "My new description"

    # Selectively update metadata keys
    artifact.metadata["oldKey"] = "new value"

    # Replace the metadata entirely
    artifact.metadata = {"newKey": "new value"}

    # Add an alias
    artifact.aliases.append("best")

    # Remove an alias
    artifact.aliases.remove("latest")

    # Completely replace the aliases
    artifact.aliases = ["replaced"]

    # Persist all artifact modifications
    artifact.save()

    now = found()
    assert (now.description, now.metadata, now.aliases) == ("My new description", {"newKey": "new value"}, ["replaced"])
    assert (now.version, now.digest) == (artifact.version, artifact.digest)
