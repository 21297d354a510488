"""The next version from one that is there: drafts."""

from pathlib import Path

import headwater
import pytest
from headwater.errors import EventRejected, InvalidInput, InvalidPath, NotFound

pytestmark = pytest.mark.usefixtures("store")

PETS = {"cat.txt": "meow", "dogs/rex.txt": "wuff", "dogs/old/bello.txt": "…", "fish.txt": ""}


def logged(files: dict[str, str] = PETS, name: str = "pets") -> headwater.Artifact:
    artifact = headwater.Artifact(name, "dataset")
    for path, text in files.items():
        with artifact.new_file(path) as file:
            file.write(text)
    return artifact.save()


def write(artifact: headwater.Artifact, path: str, text: str) -> None:
    with artifact.new_file(path) as file:
        file.write(text)


def contents(artifact: headwater.Artifact, root: Path) -> dict[str, str]:
    artifact.download(root)
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_draft_is_its_base_with_what_was_added_changed_and_removed(tmp_path: Path) -> None:
    draft = logged().new_draft()

    write(draft, "bird.txt", "tweet")
    write(draft, "cat.txt", "purr")
    draft.remove("dogs/old/")
    shown = list(draft.manifest.entries)
    digest, size, count = draft.digest, draft.size, draft.file_count
    draft.save()

    assert shown == ["bird.txt", "cat.txt", "dogs/rex.txt", "fish.txt"] == list(draft.manifest.entries)
    assert (draft.version, draft.digest, draft.size, draft.file_count) == ("v1", digest, size, count)
    assert contents(draft, tmp_path / "out") == {
        "bird.txt": "tweet",
        "cat.txt": "purr",
        "dogs/rex.txt": "wuff",
        "fish.txt": "",
    }


def test_a_draft_has_the_digest_of_the_same_content_made_from_nothing() -> None:
    draft = logged().new_draft()
    write(draft, "cat.txt", "purr")
    draft.remove("dogs")

    anew = headwater.Artifact("pets", "dataset")
    write(anew, "cat.txt", "purr")
    write(anew, "fish.txt", "")

    assert draft.digest == anew.digest


def test_the_base_stays_as_it_was() -> None:
    base = logged()
    draft = base.new_draft()
    draft.remove("cat.txt")
    draft.save()

    assert list(headwater.Api().artifact("pets:v0").manifest.entries) == sorted(PETS)
    assert list(base.manifest.entries) == sorted(PETS)


def test_two_drafts_of_one_base_at_once_both_become_versions() -> None:
    base = logged()
    one, other = base.new_draft(), base.new_draft()
    write(one, "one.txt", "1")
    write(other, "other.txt", "2")
    one.save()
    other.save()

    assert [one.version, other.version] == ["v1", "v2"]
    assert "one.txt" not in other.manifest.entries
    assert "one.txt" in one.manifest.entries


def test_a_draft_that_changes_nothing_is_no_new_version() -> None:
    base = logged()
    draft = base.new_draft()
    write(draft, "cat.txt", "purr")
    write(draft, "cat.txt", "meow")
    draft.save()

    assert draft.version == "v0"
    assert len(headwater.Api().artifact_versions("dataset", "pets")) == 1


def test_what_was_removed_can_be_added_again() -> None:
    draft = logged().new_draft()
    draft.remove("dogs")
    write(draft, "dogs/rex.txt", "wuff wuff")
    draft.save()

    assert sorted(draft.manifest.entries) == ["cat.txt", "dogs/rex.txt", "fish.txt"]
    with pytest.raises(NotFound, match="dogs"):
        draft.get_entry("dogs/old/bello.txt")


def test_removing_what_is_not_there_is_an_error_that_names_it() -> None:
    draft = logged().new_draft()

    with pytest.raises(NotFound, match=r"'horse\.txt' is neither an entry nor a folder"):
        draft.remove("horse.txt")
    draft.remove("./cat.txt")
    with pytest.raises(NotFound, match=r"cat\.txt"):
        draft.remove("cat.txt")


def test_a_path_of_a_draft_cannot_be_a_file_and_a_folder_at_once() -> None:
    draft = logged().new_draft()

    with pytest.raises(InvalidPath, match=r"'dogs'.*dogs/"):
        write(draft, "dogs", "all of them")
    with pytest.raises(InvalidPath, match=r"cat\.txt"):
        write(draft, "cat.txt/whiskers.txt", "")
    draft.remove("dogs")
    write(draft, "dogs", "all of them")

    assert sorted(draft.manifest.entries) == ["cat.txt", "dogs", "fish.txt"]


def test_a_path_that_looks_like_another_of_the_base_is_refused() -> None:
    draft = logged({"caf\u00e9.txt": "1"}).new_draft()

    with pytest.raises(InvalidPath):
        write(draft, "cafe\u0301.txt", "2")


def test_a_folder_can_join_a_draft(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cow.txt").write_text("moo")
    (tmp_path / "more" / "cat.txt").write_text("purr")
    draft = logged().new_draft()
    draft.add_dir(tmp_path / "more")
    draft.save()

    assert contents(draft, tmp_path / "out")["cat.txt"] == "purr"
    assert draft.file_count == len(PETS) + 1


def test_a_draft_of_a_draft_works_as_often_as_one_likes() -> None:
    artifact = logged()
    for number in range(12):
        artifact = artifact.new_draft()
        write(artifact, f"more/{number:02}.txt", str(number))
        if number % 3 == 2:
            artifact.remove(f"more/{number - 1:02}.txt")
        artifact.save()

    assert artifact.version == "v12"
    assert [path for path in artifact.manifest.entries if path.startswith("more/")] == [
        f"more/{number:02}.txt" for number in range(12) if number % 3 != 1
    ]


def test_a_draft_logged_in_another_project_is_a_version_there_with_all_of_its_content(tmp_path: Path) -> None:
    draft = logged().new_draft()
    draft.remove("cat.txt")

    with headwater.init(project="zoo") as run:
        run.log_artifact(draft).wait()

    assert draft.qualified_name == "team/zoo/pets:v0"
    assert sorted(contents(draft, tmp_path / "out")) == ["dogs/old/bello.txt", "dogs/rex.txt", "fish.txt"]


def test_a_draft_begins_with_the_description_and_metadata_of_its_base() -> None:
    base = logged()
    base.description, base.metadata, base.tags = "all pets", {"rows": 4}, ["checked"]
    base.save()
    draft = base.new_draft()
    write(draft, "bird.txt", "tweet")
    draft.metadata["rows"] = 5
    draft.save()

    assert (draft.description, draft.metadata, draft.tags) == ("all pets", {"rows": 5}, [])
    assert headwater.Api().artifact("pets:v0").metadata == {"rows": 4}


def test_what_a_draft_takes_over_does_not_change_a_version_that_has_its_content_already() -> None:
    first = logged()
    first.description = "the first"
    first.save()
    second = first.new_draft()
    second.remove("fish.txt")
    second.description = "the second"
    second.save()
    back = second.new_draft()
    write(back, "fish.txt", "")
    back.save()

    assert (back.version, back.description) == ("v0", "the first")


def test_a_draft_of_what_was_never_logged_is_refused() -> None:
    with pytest.raises(InvalidInput, match="log_artifact"):
        headwater.Artifact("pets", "dataset").new_draft()


def test_a_version_that_was_deleted_is_no_base_and_neither_is_one_that_is_deleted_meanwhile() -> None:
    base = logged()
    logged({"later.txt": ""})
    begun = base.new_draft()
    write(begun, "more.txt", "")
    base.delete(delete_aliases=True)

    with pytest.raises(NotFound, match=r"pets:v0 was deleted"):
        base.new_draft()
    with pytest.raises(EventRejected, match=r"pets:v0 was deleted"):
        begun.save()


def test_what_a_draft_holds_of_its_base_is_shown_entry_by_entry_and_the_same_once_it_is_logged() -> None:
    base = logged()
    draft = base.new_draft()
    draft.remove("dogs/")
    write(draft, "dogs", "a file now")
    draft.add_reference("other://place", "outside.txt")

    def listing() -> list[tuple[str, str | None, int | None]]:
        return [(entry.path, entry.digest, entry.size) for entry in draft.files()]

    before = listing(), draft.digest, draft.size, draft.get_entry("cat.txt").digest
    draft.save()

    assert before == (listing(), draft.digest, draft.size, base.get_entry("cat.txt").digest)
    assert [path for path, *_ in listing()] == ["cat.txt", "dogs", "fish.txt", "outside.txt"]


def test_a_draft_of_an_old_version_is_the_newest_version_and_has_nothing_of_those_between() -> None:
    base = logged()
    logged({"between.txt": ""})
    draft = base.new_draft()
    write(draft, "more.txt", "")
    draft.save()

    assert (draft.version, draft.aliases) == ("v2", ["latest"])
    assert list(draft.manifest.entries) == sorted([*PETS, "more.txt"])


def test_a_logged_draft_does_not_change_any_more() -> None:
    draft = logged().new_draft()
    draft.remove("cat.txt")
    draft.save()

    with pytest.raises(InvalidInput, match="new_draft"):
        draft.remove("fish.txt")


def test_a_run_that_logs_a_draft_has_it_as_an_output_and_the_base_as_an_input() -> None:
    logged()
    with headwater.init(job_type="modify dataset") as run:
        saved_artifact = run.use_artifact("pets:latest")
        draft_artifact = saved_artifact.new_draft()
        write(draft_artifact, "bird.txt", "tweet")
        draft_artifact.remove("dogs/")
        run.log_artifact(draft_artifact)

    assert [artifact.name for artifact in run.used_artifacts()] == ["pets:v0"]
    assert [artifact.name for artifact in run.logged_artifacts()] == ["pets:v1"]
