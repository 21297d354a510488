"""Which projects there are, and in which of them a name is used."""

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import ProjectInfo, namespaces
from headwater_schemas.events import RunStarted, VersionDeleted

from tests.support.history import History

PROJECTS = ("ada/vision", "ada/vision-2", "bob/vision", "bob/words")


@pytest.fixture
def four_projects(history: History) -> History:
    """Each with the artifact `images`, one of them with a second one; and a fifth that has only runs."""
    for project in PROJECTS:
        history.commit(f"{project}/images", {"a": b"1"})
    history.commit("bob/vision/labels", {"a": b"1"})
    history.write(*[RunStarted(run=f"{name}/night", config="{}") for name in ("ada/vision", "bob/runs", "bob/runs")])
    return history


def paths(found: list[ProjectInfo]) -> list[str]:
    return [info.project for info in found]


def test_projects_are_listed_by_name_with_what_is_in_them(four_projects: History) -> None:
    assert queries.project_infos(four_projects.database) == [
        ProjectInfo("ada/vision", 1, 1),
        ProjectInfo("ada/vision-2", 1, 0),
        ProjectInfo("bob/runs", 0, 1),
        ProjectInfo("bob/vision", 2, 0),
        ProjectInfo("bob/words", 1, 0),
    ]


def test_projects_are_listed_page_by_page_and_of_one_entity(four_projects: History) -> None:
    database = four_projects.database

    assert paths(queries.project_infos(database, limit=2)) == ["ada/vision", "ada/vision-2"]
    assert paths(queries.project_infos(database, after="ada/vision-2", limit=2)) == ["bob/runs", "bob/vision"]
    assert paths(queries.project_infos(database, entity="ada")) == ["ada/vision", "ada/vision-2"]
    assert paths(queries.project_infos(database, entity="bob", after="bob/vision")) == ["bob/words"]
    assert queries.project_infos(database, entity="nobody") == []


def test_projects_are_counted_however_many_there_are(four_projects: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "SEARCHED_MAX", 2)

    counts = [
        queries.count_projects(four_projects.database, **of) for of in ({}, {"entity": "bob"}, {"after": "bob/runs"})
    ]

    assert counts == [5, 3, 2]


def test_counting_what_is_in_a_project_ends(four_projects: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "COUNTED_MAX", 1)

    assert {info.artifacts for info in queries.project_infos(four_projects.database, entity="bob")} == {0, 1}


def test_an_artifact_without_versions_is_neither_counted_nor_found(four_projects: History) -> None:
    four_projects.write(VersionDeleted(collection="bob/vision/images", version=0, delete_aliases=True))
    database = four_projects.database

    assert queries.project_infos(database, entity="bob")[1] == ProjectInfo("bob/vision", 1, 0)
    assert "bob/vision/images" not in queries.collections_named(database, "images")
    assert queries.collection_names(database, "bob/vision") == ["bob/vision/labels"]


def test_a_name_is_found_in_every_project_but_only_as_the_whole_name(four_projects: History) -> None:
    database = four_projects.database

    assert sorted(queries.collections_named(database, "images")) == sorted(f"{project}/images" for project in PROJECTS)
    assert len(queries.collections_named(database, "images", limit=3)) == 3
    assert queries.collections_named(database, "image") == []
    assert sorted(queries.runs_named(database, "night")) == ["ada/vision/night", "bob/runs/night"]
    assert queries.runs_named(database, "nigh") == []


def test_a_name_is_looked_up_in_a_bounded_number_of_projects(
    four_projects: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "SEARCHED_MAX", 2)

    assert sorted(queries.collections_named(four_projects.database, "images")) == [
        "ada/vision-2/images",
        "ada/vision/images",
    ]
