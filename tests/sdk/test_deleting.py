"""Deleting versions, and cleaning up."""

import headwater
import pytest
from headwater.errors import EventRejected, InvalidInput, NotFound, Reason

pytestmark = pytest.mark.usefixtures("store")


def log(text: str, *aliases: str) -> headwater.Artifact:
    artifact = headwater.Artifact("pets", "dataset")
    with artifact.new_file("cat.txt") as file:
        file.write(text)
    with artifact.new_file("same.txt") as file:
        file.write("in every version")
    artifact.aliases = list(aliases)
    return artifact.save()


def versions() -> list[str]:
    return [found.version for found in headwater.Api().artifact_versions("dataset", "pets")]


def test_a_version_without_aliases_is_deleted_and_its_number_never_given_again() -> None:
    first = log("one")
    log("two")
    first.delete()

    assert (first.state, versions()) == ("deleted", ["v1"])
    with pytest.raises(NotFound, match="v0"):
        headwater.Api().artifact("pets:v0")
    assert log("one").version == "v2"


def test_a_version_with_aliases_is_deleted_only_when_asked_naming_them() -> None:
    log("one", "best", "prod")
    log("two")
    artifact = headwater.Api().artifact("pets:best")

    with pytest.raises(EventRejected, match="best, prod") as refused:
        artifact.delete()
    assert refused.value.reason is Reason.ALIAS_HELD
    artifact.delete(delete_aliases=True)

    assert versions() == ["v1"]
    assert not headwater.Api().artifact_exists("pets:best")


def test_the_version_that_is_latest_is_deleted_only_when_asked_and_latest_goes_to_the_newest_left() -> None:
    log("one")
    second = log("two")
    with pytest.raises(EventRejected, match="latest"):
        second.delete()
    second.delete(delete_aliases=True)

    assert headwater.Api().artifact("pets:latest").version == "v0"


def test_two_people_may_clean_up_at_once() -> None:
    log("one")
    log("two")
    one, other = headwater.Api().artifact("pets:v0"), headwater.Api().artifact("pets:v0")
    one.delete()
    other.delete()

    assert (one.state, other.state, versions()) == ("deleted", "deleted", ["v1"])


def test_a_preview_says_what_would_become_free_and_what_depends_on_it() -> None:
    log("to be freed", "raw")
    log("two")
    with headwater.init(id="trainer") as run:
        run.use_artifact("pets:raw")
        model = headwater.Artifact("model", "model")
        with model.new_file("w") as file:
            file.write("0")
        run.log_artifact(model)
    preview = headwater.Api().artifact("pets:v0").delete_preview()

    assert preview.versions == ("team/animals/pets:v0",)
    assert preview.aliases == ("raw",)
    assert preview.bytes_freed == len("to be freed")
    assert preview.used_by == ("team/animals/trainer",)
    assert preview.led_to == ("team/animals/model:v0",)
    assert versions() == ["v1", "v0"]


def test_pruning_keeps_the_newest_the_aliased_and_the_used() -> None:
    for number in range(6):
        log(str(number), *(["best"] if number == 1 else []))
    with headwater.init() as run:
        run.use_artifact("pets:v2")
    collection = headwater.Api().artifact_collection("dataset", "pets")

    would = collection.prune(2, dry_run=True)
    assert would.deleted == ("team/animals/pets:v3", "team/animals/pets:v0")
    assert (would.kept, would.bytes_freed, len(versions())) == (4, 2, 6)
    done = collection.prune(2)

    assert (done.deleted, done.kept) == (would.deleted, 4)
    assert versions() == ["v5", "v4", "v2", "v1"]


def test_what_other_versions_refer_to_is_shown_before_it_is_deleted_and_kept_by_pruning() -> None:
    first = log("one")
    log("two")
    log("three")
    for path in ("gone.txt", "cat.txt"):
        links = headwater.Artifact("links", "dataset")
        links.add_reference(first.get_entry("cat.txt"), name=path)
        links.save()
    headwater.Api().artifact("links:v0").delete()

    assert first.delete_preview().referred_by == ("team/animals/links:v1",)
    pruned = headwater.Api().artifact_collection("dataset", "pets").prune(1)
    assert pruned.deleted == ("team/animals/pets:v1",)
    assert versions() == ["v2", "v0"]


def test_pruning_can_be_told_to_keep_neither_the_aliased_nor_the_used() -> None:
    for number in range(4):
        log(str(number), *(["best"] if number == 1 else []))
    with headwater.init() as run:
        run.use_artifact("pets:v0")
    collection = headwater.Api().artifact_collection("dataset", "pets")
    collection.prune(1, keep_aliased=False, keep_used=False)

    assert versions() == ["v3"]


@pytest.mark.parametrize("keep", [0, -1, True])
def test_pruning_keeps_one_version_at_least(keep: int) -> None:
    log("one")
    with pytest.raises(InvalidInput, match="a whole number of at least 1"):
        headwater.Api().artifact_collection("dataset", "pets").prune(keep)
