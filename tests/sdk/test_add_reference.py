"""Referring to what is outside, and to entries of other versions."""

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote_plus

import headwater
import pytest
from headwater.errors import InvalidInput, InvalidPath, NotFound

from tests.s3.stand_ins import answering

pytestmark = pytest.mark.usefixtures("store")


def new(name: str = "refs") -> headwater.Artifact:
    return headwater.Artifact(name, "dataset")


def logged(text: str = "meow") -> headwater.Artifact:
    artifact = new("pets")
    with artifact.new_file("cats/tom.txt") as file:
        file.write(text)
    return artifact.save()


def test_two_references_that_would_take_one_name_are_refused_naming_both() -> None:
    artifact = new()
    artifact.add_reference("hdfs://cluster/model.h5")

    with pytest.raises(InvalidPath, match=r"'model\.h5'.*hdfs://cluster/model\.h5.*hdfs://cluster/old/model\.h5"):
        artifact.add_reference("hdfs://cluster/old/model.h5")

    assert [entry.ref() for entry in artifact.files()] == ["hdfs://cluster/model.h5"]


def bucket_of(*keys: str) -> AbstractContextManager[str]:
    """The endpoint of a bucket with these keys, which not every server can store."""
    rows = "".join(f"<Contents><Key>{quote_plus(key)}</Key><Size>1</Size></Contents>" for key in keys)
    listing = f"<ListBucketResult><EncodingType>url</EncodingType>{rows}</ListBucketResult>"
    return answering(200, listing, lambda _: None)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (("p/a", "p//b"), "s3://bucket/p//b cannot be an entry: .*not empty.* or add it alone with name="),
        (("p/a//b", "p/a/b"), "s3://bucket/p/a//b cannot be an entry: .* or add it alone with name="),
        (("p/./b",), r"s3://bucket/p/\./b cannot be an entry: .* add it alone"),
        (
            ("p/a\tb", "p/c"),
            r"s3://bucket/p/a\\tb cannot be an entry: 'a\\tb' contains .* Rename the object\. To add",
        ),
        (
            ("p/" + "n" * 256,),
            "s3://bucket/p/n{256} cannot be an entry: .* than 255 bytes.* add it alone with name=",
        ),
        (("p/x", "p/x/y"), "s3://bucket/p/x and s3://bucket/p/x/y cannot be in one version: 'x' would be a file and a"),
        (("p/é/1", "p/e\u0301/2"), "s3://bucket/p/é/1 and s3://bucket/p/e\u0301/2 cannot .* look the same to a reader"),
    ],
    ids=["empty name", "empty name within", "dot", "tab", "long", "file and folder", "look alike"],
)
def test_an_object_that_cannot_be_an_entry_is_named_with_what_can_be_done(
    keys: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = new()
    with bucket_of(*keys) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(InvalidPath, match=says) as caught:
            artifact.add_reference("s3://bucket/p/")

    assert "Nothing was added. " in str(caught.value)
    assert str(caught.value).isprintable()
    assert artifact.file_count == 0


def test_an_object_whose_name_cannot_be_recorded_is_named_also_alone() -> None:
    with pytest.raises(InvalidInput, match=r"s3://bucket/a\\tb contains '\\t': .* Rename the object"):
        new().add_reference("s3://bucket/a\tb", name="b")


def test_the_same_reference_can_be_added_again() -> None:
    artifact = new()
    for _ in range(2):
        artifact.add_reference("hdfs://cluster/model.h5")

    assert artifact.file_count == 1


def test_of_a_file_and_a_reference_at_one_path_the_last_counts() -> None:
    artifact = new()
    artifact.add_reference("hdfs://cluster/model.h5")
    with artifact.new_file("model.h5") as file:
        file.write("here")
    assert not artifact.get_entry("model.h5").is_reference

    artifact.add_reference("hdfs://cluster/model.h5")

    assert artifact.get_entry("model.h5").ref() == "hdfs://cluster/model.h5"
    assert artifact.file_count == 1


def test_an_entry_of_another_version_can_be_passed_as_it_is_and_holds_the_version(tmp_path: Path) -> None:
    entry = logged().get_entry("cats/tom.txt")
    logged("purr")
    artifact = new()
    artifact.add_reference(entry)
    artifact.add_reference(entry, name="again/tom.txt")
    artifact.save()

    assert artifact.get_entry("tom.txt").ref() == "headwater://team/animals/pets/v0/cats/tom.txt"
    assert artifact.get_entry("tom.txt").digest == entry.digest
    artifact.download(tmp_path)
    assert (tmp_path / "tom.txt").read_text() == (tmp_path / "again" / "tom.txt").read_text() == "meow"


def test_a_link_to_an_entry_can_be_given_as_text_and_must_lead_somewhere() -> None:
    logged()
    artifact = new()
    artifact.add_reference("headwater://team/animals/pets/v0/cats/tom.txt")

    assert artifact.get_entry("tom.txt").size == 4
    with pytest.raises(NotFound, match=r"v7"):
        artifact.add_reference("headwater://team/animals/pets/v7/cats/tom.txt")
    with pytest.raises(NotFound, match=r"cats/jerry\.txt"):
        artifact.add_reference("headwater://team/animals/pets/v0/cats/jerry.txt")


def test_a_link_is_one_in_whatever_case_its_scheme_is(tmp_path: Path) -> None:
    logged()
    artifact = new()
    artifact.add_reference("Headwater://team/animals/pets/v0/cats/tom.txt")
    artifact.save()

    artifact.download(tmp_path)
    assert (tmp_path / "tom.txt").read_text() == "meow"


def test_without_a_checksum_a_link_is_kept_without_a_look(tmp_path: Path) -> None:
    artifact = new()
    artifact.add_reference("headwater://team/animals/pets/v0/cats/tom.txt", checksum=False)
    artifact.save()
    assert (artifact.get_entry("tom.txt").digest, artifact.get_entry("tom.txt").size) == (None, None)

    with pytest.raises(NotFound, match=r"'tom.txt' refers to headwater://team/animals/pets/v0"):
        artifact.download(tmp_path)
    logged()
    artifact.download(tmp_path)
    assert (tmp_path / "tom.txt").read_text() == "meow"


def test_an_entry_of_a_deleted_version_cannot_be_referred_to() -> None:
    artifact = logged()
    entry = artifact.get_entry("cats/tom.txt")
    artifact.delete(delete_aliases=True)

    with pytest.raises(NotFound, match=r"team/animals/pets:v0 was deleted.*'cats/tom\.txt'"):
        new().add_reference(entry)


def test_an_entry_that_was_not_logged_cannot_be_referred_to() -> None:
    unlogged = new("pets")
    with unlogged.new_file("tom.txt") as file:
        file.write("meow")

    with pytest.raises(InvalidInput, match="log_artifact"):
        new().add_reference(unlogged.get_entry("tom.txt"))


def test_references_travel_in_drafts_and_are_told_apart_by_all_they_say(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("one")
    artifact = new()
    artifact.add_reference(source.as_uri())
    artifact.add_reference("hdfs://cluster/kept")
    artifact.save()
    source.write_text("two")

    draft = artifact.new_draft()
    draft.add_reference(source.as_uri())
    draft.save()

    assert draft.version == "v1"
    assert draft.get_entry("source.txt").digest != artifact.get_entry("source.txt").digest
    assert sorted(draft.manifest.entries) == ["kept", "source.txt"]


def test_equal_references_are_equal_content() -> None:
    for _ in range(2):
        artifact = new()
        artifact.add_reference("hdfs://cluster/model.h5", checksum=False)
        artifact.save()

    assert artifact.version == "v0"


@pytest.mark.parametrize(
    "uri",
    [
        "https://me:secret@host/file",
        "no-scheme",
        "",
        7,
        "https://host/a\nb",
        b"https://me:secret@host/file",
        Path("/tmp/secret"),
    ],
)
def test_what_is_no_uri_to_keep_is_refused_without_saying_a_secret(uri: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        new().add_reference(uri)  # type: ignore[arg-type]

    assert "secret" not in str(refused.value)


def test_a_reference_is_no_file_and_a_file_no_reference() -> None:
    entry = logged().get_entry("cats/tom.txt")

    with pytest.raises(InvalidInput, match="not a reference"):
        entry.ref()
    artifact = new()
    (reference,) = artifact.add_reference("hdfs://cluster/model.h5")
    assert (reference.digest, reference.size, reference.is_reference) == (None, None, True)


def test_a_temporary_file_is_named_by_its_content_and_keeps_its_extension(tmp_path: Path) -> None:
    for folder, text in (("a", "one"), ("b", "other")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "out.csv").write_text(text)
    artifact = new()
    entries = [artifact.add_file(tmp_path / folder / "out.csv", is_tmp=True) for folder in ("a", "b")]
    again = artifact.add_file(tmp_path / "a" / "out.csv", name="runs/out.csv", is_tmp=True)

    assert artifact.file_count == 3
    assert all(entry.path.endswith("-out.csv") for entry in entries)
    assert again.path == f"runs/{entries[0].path}"
