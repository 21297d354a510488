"""What the Api lists: lazily, page by page, with a length, and in place while members are deleted."""

import headwater
import pytest
from headwater._api import collections
from headwater._artifact import stored
from headwater._commit.client import client_for
from headwater._paging import PagedList
from headwater._run import listing
from headwater.errors import InvalidInput, InvalidName, NotFound
from headwater_stores.config.settings import read_settings

pytestmark = pytest.mark.usefixtures("store")

VERSIONS = 7
PAGE = 3


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages of few members."""
    for module in (listing, collections):
        monkeypatch.setattr(module, "ROWS_PER_PAGE", PAGE)
    return


def log(name: str = "pets", text: str = "meow", type_name: str = "dataset") -> headwater.Artifact:
    artifact = headwater.Artifact(name, type_name)
    with artifact.new_file("cat.txt") as file:
        file.write(text)
    return artifact.save()


def log_versions(count: int = VERSIONS) -> headwater.Api:
    for number in range(count):
        log(text=str(number))
    return headwater.Api()


def test_versions_come_newest_first_and_are_counted() -> None:
    versions = log_versions().artifact_versions("dataset", "pets")

    assert len(versions) == VERSIONS
    assert [version.version for version in versions] == [f"v{number}" for number in reversed(range(VERSIONS))]
    assert [version.version for version in versions[1:6:2]] == ["v5", "v3", "v1"]
    assert (versions[0].version, versions[-1].version) == ("v6", "v0")
    assert [version.version for version in versions[-2:]] == ["v1", "v0"]
    with pytest.raises(IndexError):
        _ = versions[VERSIONS]


def test_no_page_is_read_before_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    api, reads = log_versions(), client_for(read_settings(), create=False).stores.reads
    real = reads.version_infos
    monkeypatch.setattr(
        reads,
        "version_infos",
        lambda *given, after, limit: (asked.append(after), real(*given, after=after, limit=limit))[1],
    )
    versions = api.artifact_versions("dataset", "pets")
    assert asked == []

    _ = versions[1]

    assert asked == [None]


def test_deleting_while_iterating_skips_none_and_repeats_none() -> None:
    api = log_versions()
    seen = []
    for version in api.artifact_versions("dataset", "pets"):
        seen.append(version.version)
        if len(version.aliases) == 0:
            version.delete()

    assert seen == [f"v{number}" for number in reversed(range(VERSIONS))]
    assert [version.version for version in api.artifact_versions("dataset", "pets")] == ["v6"]


def test_deleting_by_place_reaches_all_as_the_length_counts_what_was_read() -> None:
    versions = log_versions().artifact_versions("dataset", "pets")
    place = 0
    while place < len(versions):
        if not versions[place].aliases:
            versions[place].delete()
        place += 1

    assert place == VERSIONS
    assert [version.version for version in headwater.Api().artifact_versions("dataset", "pets")] == ["v6"]


def test_a_list_from_its_end_has_all_of_its_members_whatever_was_deleted_meanwhile() -> None:
    api = log_versions()
    half_read, unread = (api.artifact_versions("dataset", "pets") for _ in range(2))
    assert half_read[1].version == "v5"
    assert len(unread) == VERSIONS
    for name in ("pets:v5", "pets:v1"):
        api.artifact(name).delete()

    assert [version.version for version in reversed(half_read)] == ["v0", "v2", "v3", "v4", "v5", "v6"]
    assert [version.version for version in reversed(unread)] == ["v0", "v2", "v3", "v4", "v6"]
    assert (len(half_read), half_read[-1].version, half_read[-6].version) == (6, "v0", "v6")


@pytest.mark.parametrize("start", [None, -8, -3, -1, 0, 2, 9])
@pytest.mark.parametrize("stop", [None, -8, -3, 0, 2, 9])
def test_slices_are_those_of_a_list(start: int | None, stop: int | None) -> None:
    expected = list(range(VERSIONS))
    for step in (None, 1, 2, -1, -3):
        listed = PagedList(
            lambda last: expected[0 if last is None else last + 1 :][:PAGE], lambda _: VERSIONS, lambda number: number
        )
        assert listed[start:stop:step] == expected[start:stop:step]


def test_reading_that_is_interrupted_within_a_page_doubles_nothing_when_it_is_taken_up_again() -> None:
    interrupts = [KeyboardInterrupt()]

    def member(number: int) -> int:
        if number == 1 and interrupts:
            raise interrupts.pop()
        return number

    listed = PagedList(
        lambda last: list(range(VERSIONS))[0 if last is None else last + 1 :], lambda _: VERSIONS, member
    )
    with pytest.raises(KeyboardInterrupt):
        list(listed)

    assert list(listed) == list(range(VERSIONS))


def test_collections_keep_their_place_while_all_their_versions_are_deleted() -> None:
    for name in "abcdefg":
        log(name)
    api = headwater.Api()
    collections = api.artifact_collections()
    for collection in collections:
        for version in collection.artifacts():
            version.delete(delete_aliases=True)

    assert [collection.name for collection in collections] == list("abcdefg")
    assert (len(collections), len(api.artifact_collections()), len(api.artifact_types())) == (7, 0, 0)


def test_types_are_read_page_by_page_and_counted() -> None:
    for number in range(VERSIONS):
        log(f"a{number}", type_name=f"type-{number}")
    types = headwater.Api().artifact_types()

    assert len(types) == VERSIONS
    assert types[1].name == "type-1"
    assert len(types) == VERSIONS
    assert [found.name for found in types[-2:]] == ["type-5", "type-6"]


def test_a_run_that_is_taken_up_again_while_runs_are_listed_repeats_none() -> None:
    for number in range(VERSIONS):
        headwater.init(id=f"r{number}").finish()
    runs = headwater.Api().runs()
    seen = []
    for run in runs:
        seen.append(run.id)
        if len(seen) % PAGE == 0:
            headwater.init(id=run.id).finish()
            assert headwater.Api().run(run.id).state == "finished"

    assert sorted(seen) == [f"r{number}" for number in range(VERSIONS)]
    assert len(runs) == VERSIONS


@pytest.mark.parametrize("path", [5, b"animals", None])
def test_what_cannot_name_a_project_or_run_is_refused(path: object) -> None:
    log()
    api = headwater.Api()

    with pytest.raises(InvalidName, match="must be a string"):
        api.run(path)  # type: ignore[arg-type]
    if path is None:
        return  # the project of the settings
    for ask in (api.runs, api.artifact_types, api.artifact_collections):
        with pytest.raises(InvalidName, match="must be a string"):
            ask(path)  # type: ignore[operator]


def test_types_collections_and_artifacts_of_a_project_are_listed() -> None:
    for name in ("a", "b", "c", "d"):
        log(name)
    log("m", type_name="model")
    api = headwater.Api()

    assert [found.name for found in api.artifact_types()] == ["dataset", "model"]
    assert [found.name for found in api.artifact_type("dataset").collections()] == ["a", "b", "c", "d"]
    assert [found.name for found in api.artifact_collections("animals")] == ["a", "b", "c", "d", "m"]
    assert [found.name for found in api.artifact_collections("team/animals", "model")] == ["m"]
    assert len(api.artifact_collections("animals", "dataset")) == 4
    assert api.artifact_collection("model", "m").artifacts()[0].source_name == "m:v0"
    assert [found.name for found in api.artifacts("dataset", "a")] == ["a:v0"]


def test_what_is_not_there_or_of_another_type_is_an_error_that_says_so() -> None:
    log()
    api = headwater.Api()

    with pytest.raises(NotFound, match="plants"):
        api.artifact_versions("dataset", "plants")
    with pytest.raises(InvalidInput, match=r"'dataset'.*'model'"):
        api.artifact_versions("model", "pets")
    with pytest.raises(NotFound, match="dataset"):
        api.artifact_type("model")
    with pytest.raises(InvalidName, match="v0"):
        api.artifact_collection("dataset", "pets:v0")
    with pytest.raises(InvalidName):
        api.artifact_types("a/b/c")


def test_an_artifact_exists_once_it_is_logged() -> None:
    log()
    api = headwater.Api()

    assert api.artifact_exists("pets")
    assert api.artifact_exists("team/animals/pets:v0", type="dataset")
    assert not api.artifact_exists("pets:v1")
    assert not api.artifact_exists("plants")


def test_runs_come_last_started_first_and_are_counted() -> None:
    for number in range(VERSIONS):
        headwater.init(id=f"r{number}", job_type="even" if number % 2 == 0 else "odd").finish()
    runs = headwater.Api().runs("animals")

    assert len(runs) == VERSIONS
    assert {run.id for run in runs} == {f"r{number}" for number in range(VERSIONS)}
    assert [run.state for run in runs[:2]] == ["finished", "finished"]
    assert {run.id for run in headwater.Api().runs(job_type="odd")} == {"r1", "r3", "r5"}


def test_entries_are_listed_by_path_and_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "ENTRIES_PER_PAGE", PAGE)
    artifact = headwater.Artifact("pets", "dataset")
    for number in range(VERSIONS):
        with artifact.new_file(f"{number}.txt") as file:
            file.write(str(number))
    before = [entry.path for entry in artifact.files()]
    files = artifact.save().files()

    assert [entry.path for entry in files] == before == [f"{number}.txt" for number in range(VERSIONS)]
    assert len(files) == VERSIONS
    assert files[3].size == 1


def test_the_manifest_maps_paths_to_entries_before_and_after_logging() -> None:
    artifact = headwater.Artifact("pets", "dataset")
    with artifact.new_file("dogs/rex.txt") as file:
        file.write("wuff")
    before = dict(artifact.manifest.entries)
    artifact.save()

    assert list(before) == list(artifact.manifest.entries) == ["dogs/rex.txt"]
    entry = artifact.manifest.entries["dogs/rex.txt"]
    assert (entry.digest, entry.size) == (before["dogs/rex.txt"].digest, 4)
    assert "dogs" not in artifact.manifest.entries
    with pytest.raises(NotFound, match="folder"):
        artifact.get_entry("dogs")
    assert artifact.get_path("./dogs//rex.txt").path == "dogs/rex.txt"
