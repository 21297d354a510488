"""Filling an artifact: what names mean in every call, what cannot be taken, and that a failed call adds nothing."""

import gzip
import io
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import headwater
import pytest
from headwater.errors import InvalidFile, InvalidInput, InvalidPath, NotFound

from tests.sdk.downloads import refusal

pytestmark = pytest.mark.usefixtures("store")

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
KELVIN = "\u212a"  # its normal form is the letter K


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.txt"
    path.write_text("meow")
    return path


@pytest.fixture
def artifact(cat: Path) -> headwater.Artifact:
    """One that has something, which a call that fails must leave as it is."""
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name="first")
    return artifact


def paths_of(artifact: headwater.Artifact) -> list[str]:
    return list(artifact.manifest.entries)


# --- spellings --------------------------------------------------------------------------------------------------

SPELLINGS = ["d/a", "./d/a", "d//a", "d/a/", ".//d/./a/", PurePosixPath("d/a"), PureWindowsPath("d\\a")]


def add_table(artifact: headwater.Artifact, name: Any) -> None:
    artifact.add(headwater.Table(["a"], [[1]]), name)


def write_file(artifact: headwater.Artifact, name: Any) -> None:
    with artifact.new_file(name) as file:
        file.write("meow")


ADDING: dict[str, Callable[[headwater.Artifact, Any, Path], object]] = {
    "add_file": lambda artifact, name, cat: artifact.add_file(cat, name=name),
    "new_file": lambda artifact, name, _: write_file(artifact, name),
    "add_reference": lambda artifact, name, _: artifact.add_reference("other:cat", name=name, checksum=False),
}


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
@pytest.mark.parametrize("call", ADDING)
def test_spellings_of_one_path_add_to_one_path(cat: Path, call: str, spelling: object) -> None:
    artifact = headwater.Artifact("pets", "dataset")

    ADDING[call](artifact, spelling, cat)

    assert paths_of(artifact) == ["d/a"]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
def test_spellings_of_one_path_ask_for_one_path_before_and_after_logging(cat: Path, spelling: Any) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name="d/a")
    add_table(artifact, "d/a")

    for _ in ("before", "after"):
        assert artifact.get_entry(spelling).path == artifact.get_path(spelling).path == "d/a"
        assert artifact.manifest.entries[spelling].path == "d/a"
        assert spelling in artifact.manifest.entries
        assert artifact.get(spelling) == headwater.Table(["a"], [[1]])
        artifact.save()

    draft = artifact.new_draft()
    draft.remove(spelling)
    assert paths_of(draft) == ["d/a.table.parquet"]


@pytest.mark.parametrize("other", ["d", "../d/a", "/d/a", "", "nul\x00", 5, None, b"d/a"])
def test_what_is_no_path_of_an_entry_is_no_key_of_the_manifest(cat: Path, other: Any) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name="d/a")

    for _ in ("before", "after"):
        assert other not in artifact.manifest.entries
        with pytest.raises(KeyError):
            artifact.manifest.entries[other]
        artifact.save()


@pytest.mark.parametrize("top", ["", ".", "./", PurePosixPath()], ids=repr)
def test_the_top_is_a_folder_to_add_to_and_to_download(cat: Path, tmp_path: Path, top: Any) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    (tmp_path / "in").mkdir()
    cat.rename(tmp_path / "in" / "cat")

    artifact.add_dir(tmp_path / "in", name=top)

    assert paths_of(artifact) == ["cat"]
    assert os.listdir(artifact.save().download(tmp_path / "out", path_prefix=top)) == ["cat"]


def test_two_artifacts_of_one_content_have_one_manifest_before_and_after_logging(cat: Path) -> None:
    first, second = (headwater.Artifact(name, "dataset") for name in ("first", "second"))
    for artifact in (first, second):
        artifact.add_file(cat, name="d/a")
        artifact.add_reference("other:cat", checksum=False)
    first.save()

    assert first.manifest == second.manifest
    second.remove("d")
    assert first.manifest != second.manifest


# --- temporary files --------------------------------------------------------------------------------------------


def test_a_temporary_file_has_digits_of_its_content_before_its_name_and_keeps_folder_and_extension(cat: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")

    entry = artifact.add_file(cat, name="models/best.tar.gz", is_tmp=True)

    assert re.fullmatch(r"models/[0-9a-f]{20}-best\.tar\.gz", entry.path)
    assert entry.digest is not None
    assert entry.path.removeprefix("models/")[:20] in entry.digest
    assert artifact.add_file(cat, is_tmp=True).path.endswith("-cat.txt")


def test_temporary_files_of_one_name_do_not_meet_unless_they_are_equal(artifact: headwater.Artifact, cat: Path) -> None:
    for content in ("purr", "hiss", "purr"):
        cat.write_text(content)
        artifact.add_file(cat, is_tmp=True)

    assert artifact.file_count == 1 + 2


def test_a_temporary_file_is_in_nobodys_way_by_the_name_that_it_does_not_get(cat: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name="cat.txt/in/a/folder")

    artifact.add_file(cat, is_tmp=True)

    assert artifact.file_count == 2


# --- names that look the same -----------------------------------------------------------------------------------

ALIKE = [
    (COMPOSED, DECOMPOSED),
    (f"{COMPOSED}/a", f"{DECOMPOSED}/b"),
    (f"{COMPOSED}/a", DECOMPOSED),
    (COMPOSED, f"{DECOMPOSED}/b"),
    (f"{KELVIN}/a", "K/b"),
    (f"in/{COMPOSED}/a", f"in/{DECOMPOSED}/deep/b"),
]
ALIKE += [(other, one) for one, other in ALIKE]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=ascii)
def test_names_that_look_the_same_are_refused_whichever_came_first(cat: Path, one: str, other: str) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name=one)
    digest = artifact.digest

    message = refusal(InvalidPath, lambda: artifact.add_file(cat, name=other))

    assert "look the same" in message
    assert {"\\xe9", "e\\u0301"} <= set(re.findall(r"\\xe9|e\\u0301", message)) or "\\u212a" in message
    assert (paths_of(artifact), artifact.digest) == ([one], digest)


@pytest.mark.parametrize(("one", "other"), [pair for pair in ALIKE if KELVIN not in "".join(pair)], ids=ascii)
def test_a_draft_refuses_what_looks_like_a_name_of_its_base_until_that_is_removed(
    cat: Path, one: str, other: str
) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name=one)
    draft = artifact.save().new_draft()

    assert ascii(other) in refusal(InvalidPath, lambda: draft.add_file(cat, name=other))
    draft.remove(one)
    draft.add_file(cat, name=other)

    assert paths_of(draft.save()) == [other]


def test_a_name_is_free_for_its_other_spelling_once_all_of_it_was_removed(cat: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_file(cat, name=f"{COMPOSED}/a")
    artifact.add_file(cat, name=f"{COMPOSED}/b")
    artifact.remove(f"{COMPOSED}/a")

    assert "look the same" in refusal(InvalidPath, lambda: artifact.add_file(cat, name=DECOMPOSED))

    artifact.remove(f"{COMPOSED}/b")
    artifact.add_file(cat, name=DECOMPOSED)
    assert paths_of(artifact.save()) == [DECOMPOSED]


# --- errors in the middle ---------------------------------------------------------------------------------------


def in_a_loop(folder: Path) -> None:
    (folder / "loop").symlink_to(".")


def to_nowhere(folder: Path) -> None:
    (folder / "broken").symlink_to("nowhere")


def a_fifo(folder: Path) -> None:
    os.mkfifo(folder / "fifo")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (in_a_loop, "{}/loop' leads through a link back to a folder that contains it. Remove the link."),
        (to_nowhere, "{}/broken' is a link to 'nowhere', which does not exist. Restore its target or remove the link."),
        (a_fifo, "{}/fifo' is a FIFO, not a file. Only files and folders can be added: move it elsewhere."),
    ],
)
@pytest.mark.parametrize("policy", ["mutable", "immutable"])
def test_a_folder_with_something_that_cannot_be_taken_says_so_once_and_adds_nothing(
    artifact: headwater.Artifact, tmp_path: Path, make: Callable[[Path], None], said: str, policy: Any
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("good")
    make(folder)
    before = artifact.digest

    message = refusal(InvalidFile, lambda: artifact.add_dir(folder, policy=policy))

    assert message == f"'{said.format(folder)}"
    assert (paths_of(artifact), artifact.digest) == (["first"], before)


@pytest.mark.parametrize("source", [None, 5, ["cat.txt"], ""])
@pytest.mark.parametrize("call", ["add_file", "add_dir"])
def test_what_is_no_local_path_is_refused_and_adds_nothing(
    artifact: headwater.Artifact, call: str, source: object
) -> None:
    assert "a local path is" in refusal(InvalidFile, lambda: getattr(artifact, call)(source))

    assert paths_of(artifact) == ["first"]


def test_a_local_path_may_be_bytes_as_the_system_has_them(cat: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")

    artifact.add_file(os.fsencode(cat))  # type: ignore[arg-type]
    artifact.add_dir(os.fsencode(cat.parent), name="all")  # type: ignore[arg-type]

    assert {"cat.txt", "all/cat.txt"} <= set(paths_of(artifact))


def test_an_unknown_encoding_is_named_and_adds_nothing(artifact: headwater.Artifact) -> None:
    with pytest.raises(InvalidInput, match="unknown encoding 'utf-9'"), artifact.new_file("a", encoding="utf-9"):
        pass

    assert paths_of(artifact) == ["first"]


@pytest.mark.parametrize("name", ["first", "second"])
def test_an_error_while_a_file_is_written_leaves_what_was_there(artifact: headwater.Artifact, name: str) -> None:
    before = artifact.digest

    with pytest.raises(UnicodeEncodeError), artifact.new_file(name, encoding="ascii") as file:
        file.write("ümlaut")

    assert (paths_of(artifact), artifact.digest) == (["first"], before)


# --- files that are written -------------------------------------------------------------------------------------


def close_text(file: Any) -> None:
    file.write("meow")
    file.close()


def close_bytes(file: Any) -> None:
    file.write(b"meow")
    file.close()


def leave_bytes(file: Any) -> None:
    with file:
        file.write(b"meow")


def wrap(file: Any) -> None:
    io.TextIOWrapper(file).write("meow")  # which closes the file when it goes away


@pytest.mark.parametrize(
    ("opened", "write"), [("w", close_text), ("wb", close_bytes), ("wb", leave_bytes), ("wb", wrap)]
)
def test_what_is_written_may_be_closed_by_whoever_writes_it(
    opened: str, write: Callable[[Any], None], cat: Path
) -> None:
    artifact = headwater.Artifact("pets", "dataset")

    with artifact.new_file("cat", opened) as file:
        write(file)

    assert artifact.get_entry("cat").digest == artifact.add_file(cat).digest


def test_a_large_file_may_be_closed_by_whoever_writes_it(tmp_path: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    content = os.urandom(3 * 1024 * 1024)

    with artifact.new_file("large.gz", "wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=0) as compressed:
            compressed.write(content)
        file.close()

    assert gzip.decompress(Path(artifact.save().file(tmp_path / "out")).read_bytes()) == content


def test_a_file_that_is_written_while_the_artifact_is_logged_does_not_join_it(artifact: headwater.Artifact) -> None:
    before = artifact.digest

    with headwater.init() as run:
        writing = artifact.new_file("late")
        writing.__enter__().write("late")
        run.log_artifact(artifact)
        message = refusal(InvalidInput, lambda: writing.__exit__(None, None, None))

    assert "was logged" in message
    assert (paths_of(artifact), artifact.digest) == (["first"], before)


def test_the_only_file_of_an_artifact_that_has_none_or_several_is_an_error_that_says_which(cat: Path) -> None:
    artifact = headwater.Artifact("pets", "dataset")
    assert "no entries" in refusal(InvalidInput, artifact.file)

    artifact.add_file(cat)
    artifact.add_file(cat, name="another")

    assert "2 entries. Name one" in refusal(InvalidInput, artifact.file)


def test_removing_what_is_not_there_is_an_error_and_takes_nothing_out(artifact: headwater.Artifact) -> None:
    for name in ("nothing", "fir", "first/a"):
        assert repr(name) in refusal(NotFound, lambda name=name: artifact.remove(name))  # type: ignore[misc]

    assert paths_of(artifact) == ["first"]
