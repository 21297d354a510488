"""What is said about a version: description, metadata, aliases, tags, time to live."""

from datetime import timedelta

import headwater
import pytest
from headwater.errors import EventRejected, InvalidInput, InvalidMetadata, InvalidName, Reason

pytestmark = pytest.mark.usefixtures("store")


def logged(text: str = "meow", **given: object) -> headwater.Artifact:
    artifact = headwater.Artifact("pets", "dataset", **given)  # type: ignore[arg-type]
    with artifact.new_file("cat.txt") as file:
        file.write(text)
    return artifact.save()


def look(name: str = "pets:v0") -> headwater.Artifact:
    return headwater.Api().artifact(name)


def test_description_metadata_and_aliases_are_set_in_place_and_saved() -> None:
    logged(metadata={"oldKey": "old value", "kept": 1})
    artifact = look("pets:latest")
    artifact.description = "My new description"
    artifact.metadata["oldKey"] = "new value"
    artifact.aliases.append("best")
    artifact.save()

    now = look()
    assert now.description == "My new description"
    assert now.metadata == {"oldKey": "new value", "kept": 1}
    assert now.aliases == ["best", "latest"]


def test_metadata_and_aliases_are_replaced_as_a_whole() -> None:
    artifact = logged(metadata={"oldKey": 1})
    artifact.metadata = {"newKey": "new value"}
    artifact.aliases = ["replaced"]
    artifact.save()

    assert look().metadata == {"newKey": "new value"}
    assert look().aliases == ["replaced"]


def test_nothing_is_known_to_others_before_save() -> None:
    artifact = logged()
    artifact.description = "not yet"
    artifact.aliases.append("not-yet")

    assert (look().description, look().aliases) == (None, ["latest"])


def test_no_new_version_comes_of_describing_one() -> None:
    artifact = logged()
    artifact.description = "described"
    artifact.tags = ["small", "checked"]
    artifact.ttl = timedelta(days=3)
    artifact.save()

    assert [found.name for found in headwater.Api().artifact_versions("dataset", "pets")] == ["pets:v0"]
    assert (look().tags, look().ttl) == (["checked", "small"], timedelta(days=3))
    artifact.ttl = None
    artifact.tags.remove("small")
    artifact.save()
    assert (look().tags, look().ttl) == (["checked"], None)


def test_two_people_who_edit_one_version_do_not_undo_each_other() -> None:
    logged(metadata={"a": 1, "b": 1})
    one, other = look(), look()
    one.metadata["a"] = 2
    one.aliases.append("ones")
    one.tags.append("seen-by-one")
    other.metadata["b"] = 2
    other.aliases.append("others")
    other.tags.append("seen-by-other")
    one.save()
    other.save()

    now = look()
    assert now.metadata == {"a": 2, "b": 2}
    assert now.aliases == ["latest", "ones", "others"]
    assert now.tags == ["seen-by-one", "seen-by-other"]


def test_a_key_set_to_none_is_kept_and_undoes_nothing_of_what_somebody_else_changed() -> None:
    """A patch cannot say it, as None removes there."""
    logged(metadata={"a": 1, "gone": 1, "deep": {"x": 1, "y": 1}})
    one, other = look(), look()
    one.metadata["mine"] = True
    one.metadata["deep"]["x"] = 2
    one.save()
    other.metadata["a"] = None
    other.metadata["deep"]["y"] = None
    other.metadata["new"] = {"z": None}
    del other.metadata["gone"]
    other.save()

    assert look().metadata == {"a": None, "deep": {"x": 2, "y": None}, "mine": True, "new": {"z": None}}


def test_more_tags_than_one_event_takes_are_saved_and_taken_off() -> None:
    artifact = logged()
    artifact.tags = [f"t{number:03}" for number in range(600)]
    artifact.description = "tagged"
    artifact.save()

    assert (look().tags, look().description) == ([f"t{number:03}" for number in range(600)], "tagged")
    artifact.tags = ["left"]
    artifact.save()
    assert look().tags == ["left"]


@pytest.mark.parametrize("names", [None, 5, "best"])
def test_aliases_and_tags_come_as_a_list(names: object) -> None:
    artifact = logged()
    with pytest.raises(InvalidInput, match="alias names must be a list"):
        artifact.aliases = names  # type: ignore[assignment]
    with pytest.raises(InvalidInput, match="tag names must be a list"):
        artifact.tags = names  # type: ignore[assignment]

    assert (artifact.aliases, artifact.tags) == (["latest"], [])


def test_an_alias_that_was_moved_away_meanwhile_is_not_taken_from_its_new_version() -> None:
    first = logged()
    first.aliases.append("prod")
    first.save()
    stale = look("pets:v0")
    second = logged("purr")
    second.aliases.append("prod")
    second.save()

    stale.aliases.remove("prod")
    stale.save()

    assert look("pets:prod").version == "v1"


def test_saving_an_alias_that_another_version_holds_moves_it() -> None:
    first, second = logged(), logged("purr")
    first.aliases.append("prod")
    first.save()
    second.aliases.append("prod")
    second.save()

    assert look("pets:prod").version == "v1"
    assert "prod" not in look("pets:v0").aliases


def test_an_alias_moves_only_if_it_is_still_where_it_is_expected() -> None:
    first, second, third = logged(), logged("purr"), logged("hiss")
    first.aliases.move("prod", expect=None)
    second.aliases.move("prod", expect="v0")

    with pytest.raises(EventRejected, match=r"'prod'.*on v1, not on v0") as refused:
        third.aliases.move("prod", expect="v0")

    assert refused.value.reason is Reason.ALIAS_MOVED
    assert look("pets:prod").version == "v1"
    third.aliases.move("prod")
    assert look("pets:prod").version == "v2"


def test_an_alias_that_was_moved_is_not_moved_again_by_saving_something_else() -> None:
    first, second = logged(), logged("purr")
    first.aliases.move("prod")
    second.aliases.move("prod", expect="v0")
    first.description = "the first"
    first.save()

    assert look("pets:prod").version == "v1"


def test_what_is_used_can_be_given_aliases() -> None:
    logged()
    logged("purr")
    with headwater.init() as run:
        used = run.use_artifact("pets:v0", aliases=["chosen"])

    assert used.aliases == ["chosen"]
    assert look("pets:chosen").version == "v0"


def test_what_is_used_is_given_aliases_that_moved_away_since_it_was_read() -> None:
    first = logged()
    first.aliases.append("prod")
    first.save()
    logged("purr").aliases.move("prod")
    first.aliases.append("unsaved")
    with headwater.init() as run:
        run.use_artifact(first, aliases=["prod", "unsaved"])

    assert look("pets:prod").version == "v0"
    assert look().aliases == ["prod", "unsaved"]


def test_latest_can_be_taken_off_and_the_next_log_sets_it_again() -> None:
    artifact = logged()
    artifact.aliases.remove("latest")
    artifact.save()
    assert look().aliases == []

    assert logged("purr").aliases == ["latest"]


@pytest.mark.parametrize("alias", ["a/b", "a:b", "v1", "", " x"])
def test_what_cannot_be_an_alias_is_refused_at_once(alias: str) -> None:
    artifact = logged()

    with pytest.raises(InvalidName):
        artifact.aliases.append(alias)
    with pytest.raises(InvalidName):
        artifact.aliases = ["good", alias]

    assert artifact.aliases == ["latest"]


def test_removing_an_alias_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(InvalidInput, match="latest"):
        logged().aliases.remove("best")


def test_metadata_put_in_place_that_is_not_json_is_refused_by_its_key_and_changes_nothing() -> None:
    artifact = logged(metadata={"a": 1})
    artifact.description = "new"
    artifact.metadata["model"] = object()

    with pytest.raises(InvalidMetadata, match="model"):
        artifact.save()

    assert (look().description, look().metadata) == (None, {"a": 1})


def test_deeper_keys_and_removed_ones_are_saved_too() -> None:
    artifact = logged(metadata={"train": {"rows": 1, "cols": 2}, "gone": 1, "empty": None})
    artifact.metadata["train"]["rows"] = 10
    del artifact.metadata["gone"]
    artifact.metadata["void"] = None
    artifact.save()

    assert look().metadata == {"train": {"rows": 10, "cols": 2}, "empty": None, "void": None}


def test_what_is_said_before_logging_is_said_of_the_version() -> None:
    artifact = headwater.Artifact("pets", "draft-type")
    artifact.type = "dataset"
    artifact.description = "all of them"
    artifact.metadata["rows"] = 3
    artifact.aliases.append("first")
    artifact.tags.append("raw")
    artifact.ttl = timedelta(hours=1)
    with headwater.init() as run:
        run.log_artifact(artifact, aliases=["latest", "best-ap50"])

    now = look()
    assert (now.type, now.description, now.metadata) == ("dataset", "all of them", {"rows": 3})
    assert now.aliases == ["best-ap50", "first", "latest"]
    assert (now.tags, now.ttl) == (["raw"], timedelta(hours=1))


def test_the_type_of_what_was_logged_cannot_be_set() -> None:
    artifact = logged()
    with pytest.raises(InvalidInput, match="logged"):
        artifact.type = "model"


def test_a_change_moves_updated_at_and_not_created_at() -> None:
    artifact = logged()
    before = (artifact.created_at, artifact.updated_at)
    artifact.description = "new"
    artifact.save()

    assert artifact.created_at == before[0]
    assert artifact.updated_at >= before[1] >= before[0]
    assert look().updated_at == artifact.updated_at
