"""Reading where nothing was logged yet: there is nothing, and nothing is made by looking."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater.errors import NotFound, StoreMissing
from headwater_stores import folder
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.stores import Stores

from tests.cli.commands import ask, run
from tests.support.stores import StoreUnderTest


def log(name: str = "pets") -> None:
    artifact = headwater.Artifact(name, "dataset")
    with artifact.new_file("cat.txt") as file:
        file.write("meow")
    artifact.save()


def assert_nothing_was_made(store: StoreUnderTest) -> None:
    with pytest.raises(StoreMissing):
        open_stores(read_settings(), create=False)
    assert not store.folder.exists()


READING: dict[str, Callable[[headwater.Api], object]] = {
    "artifact_exists": lambda api: api.artifact_exists("pets"),
    "artifact_exists of a version": lambda api: api.artifact_exists("other/project/pets:v3", "dataset"),
    "artifact_versions": lambda api: list(api.artifact_versions("dataset", "pets")),
    "artifacts": lambda api: list(api.artifacts("dataset", "other/project/pets")),
    "artifact_collections": lambda api: list(api.artifact_collections()),
    "artifact_types": lambda api: list(api.artifact_types("project")),
    "drafts": lambda api: list(api.drafts()),
    "runs": lambda api: [*api.runs(), *api.runs(job_type="train")],
}


@pytest.mark.on_stores
@pytest.mark.parametrize("read", READING.values(), ids=READING)
def test_reading_what_is_not_there_yet_finds_nothing(
    store: StoreUnderTest, read: Callable[[headwater.Api], object]
) -> None:
    assert read(headwater.Api()) in (False, [])
    assert_nothing_was_made(store)


@pytest.mark.on_stores
def test_only_what_is_named_is_not_found(store: StoreUnderTest) -> None:
    api = headwater.Api()

    for name in (
        lambda: api.artifact("pets"),
        lambda: api.artifact("pets:v0"),
        lambda: api.artifact_collection("dataset", "pets"),
        lambda: api.run("r"),
    ):
        with pytest.raises(NotFound, match="there is no"):
            name()
    assert_nothing_was_made(store)


@pytest.mark.on_stores
@pytest.mark.parametrize(
    ("command", "what"), [(("ls",), "artifacts"), (("runs",), "runs"), (("drafts",), "drafts")], ids=lambda given: given
)
def test_a_list_on_the_command_line_says_why_it_is_empty(
    store: StoreUnderTest, command: tuple[str, ...], what: str
) -> None:
    done = run(*command)

    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"no {what} yet; ")
    assert "og something" in done.err
    assert ask(*command) == []
    assert_nothing_was_made(store)


@pytest.mark.on_stores
@pytest.mark.parametrize("command", ["show", "get", "lineage", "rm"])
def test_a_version_that_is_named_on_the_command_line_is_not_found(store: StoreUnderTest, command: str) -> None:
    done = run(command, "pets:v0")

    assert done.code == 3
    assert "there is no artifact team/animals/pets" in done.err
    assert_nothing_was_made(store)


@pytest.mark.on_stores
def test_maintenance_has_nothing_to_do(store: StoreUnderTest) -> None:
    assert ask("maintain")["discarded"] == []
    assert ask("dead-letters") == []
    assert ask("gc")["deleted"] == ask("gc", "--dry-run")["recent"] == 0
    assert_nothing_was_made(store)


@pytest.mark.usefixtures("store")
def test_who_looked_too_early_sees_what_was_logged_since() -> None:
    api = headwater.Api()
    assert not api.artifact_exists("pets")

    log()

    assert api.artifact_exists("pets")
    assert [found.name for found in api.artifacts("dataset", "pets")] == ["pets:v0"]


@pytest.mark.usefixtures("store")
def test_an_artifact_is_missed_once_its_project_has_others() -> None:
    log("plants")

    with pytest.raises(NotFound, match="pets"):
        headwater.Api().artifacts("dataset", "pets")
    assert list(headwater.Api().artifacts("dataset", "other/project/pets")) == []


def test_of_two_that_create_one_store_at_once_both_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(url=tmp_path / "new")
    first: list[Stores] = []
    write = folder.write_atomically

    def write_second(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(folder, "write_atomically", write)
        first.append(open_stores(settings, create=True))  # which was faster
        write(*arguments, **options)

    monkeypatch.setattr(folder, "write_atomically", write_second)
    second = open_stores(settings, create=True)

    assert first[0].is_current()
    assert second.is_current()
    for stores in (*first, second):
        stores.close()
