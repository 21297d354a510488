"""`headwater usage`: what takes up room, in each way to run."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from headwater._commit.client import client_for
from headwater_consumer.queries import usage_totals
from headwater_stores.config.settings import read_settings
from headwater_stores.operational import open_operational

from tests.cli.commands import ask, headwater, refused, run
from tests.support.modes import OVER_HTTP
from tests.support.stores import StoreUnderTest

CAT, DOG, COW, NEW = 3, 5, 5, 100  # bytes of the files


@pytest.fixture
def pets(images: Path) -> None:
    """Three versions of pets, of which two are deleted, another artifact with one of the files, and another project."""
    headwater("log", str(images), "-n", "pets")
    (images / "cat.txt").write_bytes(b"1" * NEW)
    headwater("log", str(images), "-n", "pets")
    headwater("log", str(images / "dog.txt"), "-n", "pets")
    headwater("log", str(images / "dog.txt"), "-n", "dogs")
    headwater("log", str(images / "dog.txt"), "-n", "dogs", "--project", "more")
    headwater("rm", "pets:v0")
    headwater("rm", "pets:v1")


@pytest.mark.usefixtures("pets")
def test_projects_have_each_content_once(store: StoreUnderTest) -> None:
    told = ask("usage")

    sums = {"versions": 2, "deleted_versions": 2, "files": 2, "needed_bytes": DOG, "reclaimable_bytes": CAT + COW + NEW}
    (animals, more) = told["projects"]
    assert animals.items() >= ({"project": "team/animals"} | sums).items()
    assert (more["project"], more["needed_bytes"], more["reclaimable_bytes"]) == ("team/more", DOG, 0)
    if store.mode == OVER_HTTP:
        assert {animals["objects"], animals["object_bytes"], told["staged"], told["staged_bytes"]} == {None}
    else:
        assert animals["object_bytes"] == DOG + CAT + COW + NEW
        assert more["objects"] == 1
        assert (told["staged"], told["staged_bytes"]) == (0, 0)
    assert ask("usage", "--entity", "nobody")["projects"] == []
    assert [one["project"] for one in ask("usage", "-n", "1")["projects"]] == ["team/animals"]
    assert run("usage", "-n", "1").err.endswith("1 more; --limit shows them.\n")


@pytest.mark.usefixtures("pets")
def test_a_project_has_its_artifacts_the_ones_with_the_most_first() -> None:
    told = ask("usage", "--project", "animals")

    assert [(one["artifact"], one["needed_bytes"], one["reclaimable_bytes"]) for one in told["artifacts"]] == [
        ("team/animals/pets", DOG, CAT + COW + NEW),
        ("team/animals/dogs", DOG, 0),
    ]
    assert (told["needed_bytes"], told["reclaimable_bytes"]) == (DOG, CAT + COW + NEW)
    assert [one["artifact"] for one in told["oldest"]] == ["team/animals/pets:v2", "team/animals/dogs:v0"]
    assert sum(told["added_by_month"].values()) == DOG + CAT + COW + NEW
    for name in ("animals", "team/animals"):
        assert ask("usage", name) == told


@pytest.mark.usefixtures("pets")
def test_an_artifact_has_its_versions_the_newest_first() -> None:
    told = ask("usage", "pets")

    newest, middle, first = told["newest"]
    assert (newest["artifact"], newest["state"], newest["files"], newest["size_bytes"]) == (
        "team/animals/pets:v2",
        "live",
        1,
        DOG,
    )
    assert (newest["own_bytes"], newest["shared_bytes"], newest["added_bytes"]) == (0, DOG, 0)
    assert (middle["state"], middle["own_bytes"], middle["added_bytes"]) == ("deleted", None, NEW)
    assert (first["added_bytes"], first["reclaimable_bytes"]) == (CAT + DOG + COW, CAT + COW)
    assert ask("usage", "pets:v0") == first
    assert ask("usage", "pets:latest") == newest
    assert [one["artifact"] for one in ask("usage", "pets", "-n", "1")["newest"]] == ["team/animals/pets:v2"]


@pytest.mark.usefixtures("pets")
def test_people_are_told_in_words(store: StoreUnderTest) -> None:
    project = headwater("usage", "--project", "animals")
    assert "needed       5 B" in project
    assert "reclaimable  108 B" in project
    assert ("stored" in project) == (store.mode != OVER_HTTP)
    assert "dogs:v0" in headwater("usage", "dogs")
    assert "own       0 B" not in headwater("usage", "pets:v0"), "nothing can be deleted of what is deleted"
    without = run("usage").err
    assert ("see them where that server runs" in without) == (store.mode == OVER_HTTP)


@pytest.mark.usefixtures("pets")
def test_what_is_not_there_is_an_error_that_says_so() -> None:
    assert "there is no artifact team/animals/nothing" in refused("usage", "nothing", code=3)
    assert "there is no artifact nobody/nothing/x" in refused("usage", "nobody/nothing/x", code=3)
    assert "has no version or alias 'v9'" in refused("usage", "pets:v9", code=3)
    assert "has no version or alias 'prod'" in refused("usage", "pets:prod", code=3)
    assert run("usage", "--project", "nothing").err.endswith(
        "team/nothing has no artifacts, or none that you may read.\n"
    )


@pytest.mark.on_stores
@pytest.mark.usefixtures("store")
def test_an_empty_store_takes_no_room() -> None:
    assert ask("usage") == {"projects": [], "staged": None, "staged_bytes": None}
    assert ask("usage", "--project", "animals")["artifacts"] == []
    assert "no artifacts yet" in run("usage").err


@pytest.mark.on_stores
@pytest.mark.usefixtures("pets")
def test_staged_content_is_told() -> None:
    blobs = client_for(read_settings(), create=False).stores.blobs
    stream = blobs.stage_stream(project="team/animals", size=16 * 1024 * 1024)
    stream.write(bytes(6 * 1024 * 1024))

    try:
        staged = list(blobs.abandoned())
        told = ask("usage")
        assert (told["staged"], told["staged_bytes"]) == (len(staged), sum(one.size for one in staged))
        assert bool(staged) == ("of staged content in 1 file; see `headwater gc`" in headwater("usage"))
    finally:
        stream.abort()


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every project with a version is one that is shown as it was last counted."""
    monkeypatch.setattr(usage_totals, "COUNTED_AT_ONCE_MAX", 0)


@pytest.mark.usefixtures("pets", "all_is_large")
def test_a_large_project_is_shown_as_last_counted_until_it_is_counted_anew(store: StoreUnderTest, images: Path) -> None:
    with behind(store):
        whole, project, artifact = ask("usage"), ask("usage", "--project", "animals"), ask("usage", "pets", "--exact")
    headwater("rm", "dogs:v0", "--delete-aliases")
    headwater("log", str(images / "cat.txt"), "-n", "pets")

    for before, now in (
        (project, ask("usage", "--project", "animals")),
        (whole["projects"][0], ask("usage")["projects"][0]),
        (artifact, ask("usage", "pets")),
    ):
        for key in ("versions", "deleted_versions", "files", "needed_bytes", "reclaimable_bytes"):
            assert now[key] == before[key]
        assert now["as_of"] is not None
        assert now["cut"]
    assert (artifact["as_of"], artifact["cut"]) == (None, None)
    assert [one["artifact"].rpartition(":")[2] for one in ask("usage", "pets")["newest"]] == ["v3", "v2", "v1", "v0"]
    assert ask("usage", "--project", "animals")["artifacts"] == project["artifacts"]
    for arguments in ((), ("--project", "animals"), ("pets",)):
        assert "ago; --exact counts anew" in headwater("usage", *arguments)

    with behind(store):
        exact = ask("usage", "--project", "animals", "--exact")
    assert (exact["versions"], exact["deleted_versions"], exact["as_of"]) == (2, 3, None)
    again = ask("usage", "--project", "animals")
    assert [again[key] for key in ("versions", "artifacts", "largest", "oldest", "added_by_month")] == [
        exact[key] for key in ("versions", "artifacts", "largest", "oldest", "added_by_month")
    ]


@pytest.mark.usefixtures("pets", "all_is_large")
def test_maintenance_counts_what_has_changed_and_nothing_else(store: StoreUnderTest) -> None:
    with behind(store):
        assert ask("maintain")["usage_counted"] == ["team/animals", "team/more"]
        assert ask("maintain")["usage_counted"] == []
        before = ask("usage", "--project", "animals")
        headwater("rm", "dogs:v0", "--delete-aliases")

        assert ask("maintain")["usage_counted"] == ["team/animals"]

        now = ask("usage", "--project", "animals")
    assert (now["versions"], before["versions"]) == (1, 2)
    assert now["cut"] != before["cut"]
    assert "--exact counts anew" in headwater("usage", "--project", "animals")


@pytest.mark.on_stores
@pytest.mark.usefixtures("pets", "all_is_large")
def test_a_replay_and_lost_tables_change_nothing_but_that_it_is_counted_again(store: StoreUnderTest) -> None:
    counted = ask("usage", "--project", "animals")
    headwater("replay", "--replace")
    assert ask("usage", "--project", "animals") | {"as_of": None, "cut": None} == counted

    with closing(open_operational(store.settings())) as operational, operational.transaction() as statements:
        statements.run("DELETE FROM usage_sums")

    assert ask("usage", "--project", "animals") == counted


@contextmanager
def behind(store: StoreUnderTest) -> Iterator[None]:
    """A while in which commands go to the store itself, past the server where there is one."""
    with pytest.MonkeyPatch.context() as patched:
        if store.mode == OVER_HTTP:
            patched.setenv("HEADWATER_URL", str(store.folder))
        yield
