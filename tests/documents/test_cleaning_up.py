"""Cleaning up versions that nobody needs any more."""

import headwater
import pytest

from tests.documents.pieces import logged

ARTIFACT_TYPE, ARTIFACT_NAME = "model", "checkpoints"


@pytest.fixture(autouse=True)
def _checkpoints() -> None:
    """Six versions, of which one has an alias beside `latest`."""
    for i in range(6):
        artifact = logged(ARTIFACT_NAME, f"step-{i}", type=ARTIFACT_TYPE)
        if i == 2:
            artifact.aliases.append("best")
            artifact.save()


def clean_up() -> None:
    """The documents' example: versions are deleted while the list of them is read."""
    api = headwater.Api()

    for version in api.artifact_versions(ARTIFACT_TYPE, ARTIFACT_NAME):
        # Clean up all versions that don't have an alias such as 'latest'.
        if len(version.aliases) == 0:
            version.delete()


def test_all_versions_without_an_alias_are_cleaned_up() -> None:
    clean_up()

    left = headwater.Api().artifact_versions(ARTIFACT_TYPE, ARTIFACT_NAME)
    assert {version.version: version.aliases for version in left} == {"v5": ["latest"], "v2": ["best"]}


def test_only_the_version_tagged_latest_is_left_where_no_other_has_an_alias() -> None:
    best = headwater.Api().artifact(f"{ARTIFACT_NAME}:best")
    best.aliases.remove("best")
    best.save()

    clean_up()

    left = headwater.Api().artifact_versions(ARTIFACT_TYPE, ARTIFACT_NAME)
    assert [version.version for version in left] == ["v5"]
    assert left[0].download()


def test_cleaning_up_twice_is_fine_and_numbers_are_not_given_again() -> None:
    clean_up()
    clean_up()

    assert logged(ARTIFACT_NAME, "step-6", type=ARTIFACT_TYPE).version == "v6"
