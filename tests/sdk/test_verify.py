"""Verification lists every difference between a folder and a version, in one error, and changes nothing."""

import os
from pathlib import Path

import headwater
import pytest
from headwater.errors import ContentError, Differences
from headwater_schemas.entries import Reference
from headwater_schemas.errors import DIFFERENCES_SHOWN_MAX, InvalidFile

from tests.sdk.downloads import LARGE, check, content_of, logged, put, referring, refusal
from tests.support.stores import StoreUnderTest

FILES = {
    "README": b"what this is",
    "a-b": b"1",
    "a/x": b"22",
    "a/y": b"333",
    "a0": b"4444",
    "large.bin": os.urandom(LARGE),
    "ünï/çödé 名": b"bytes",
}


@pytest.fixture(autouse=True)
def _quiet_store(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def differences(artifact: headwater.Artifact, root: Path) -> tuple[list[str], list[str], list[str]]:
    with pytest.raises(Differences) as found:
        check(artifact, root)
    return found.value.missing, found.value.changed, found.value.extra


def test_a_download_has_no_difference(root: Path) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    (root / "empty").mkdir()

    check(artifact, root)


def test_every_difference_is_listed_and_nothing_is_changed(root: Path, tmp_path: Path) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    (root / "a/x").unlink()
    (root / "large.bin").unlink()
    put(root, {"README": b"what that is", "a0": b"longer", "a/notes": b"", "new/x": b"", "zzz": b""})
    (root / "a/y").unlink()
    put(tmp_path, {"right": FILES["a/y"]})
    (root / "a/y").symlink_to(tmp_path / "right")
    (root / "a.link").symlink_to(tmp_path)
    before = content_of(root)

    missing, changed, extra = differences(artifact, root)

    assert missing == ["a/x", "large.bin"]
    assert changed == ["README", "a/y", "a0"]
    assert extra == ["a.link", "a/notes", "new/x", "zzz"]
    assert content_of(root) == before


def test_the_error_is_one_of_content_and_names_the_folder_and_what_to_do(root: Path) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    put(root, {"README": b"other"})

    message = refusal(ContentError, lambda: check(artifact, root))

    assert str(root) in message
    assert "1 changed: 'README'" in message
    assert "download" in message


def test_of_many_differences_the_message_shows_some_and_the_lists_have_all(root: Path) -> None:
    files = {f"{i:03}": b"" for i in range(500)}
    artifact = logged(files)
    root.mkdir()

    with pytest.raises(Differences) as found:
        check(artifact, root)

    assert found.value.missing == list(files)
    assert str(found.value).count("'") == 2 * (DIFFERENCES_SHOWN_MAX + 1)
    assert "500 missing" in str(found.value)


def test_one_changed_byte_in_the_middle_of_a_large_file_is_found(root: Path) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    with open(root / "large.bin", "r+b") as file:
        file.seek(LARGE // 2)
        file.write(bytes([FILES["large.bin"][LARGE // 2] ^ 1]))

    assert differences(artifact, root) == ([], ["large.bin"], [])


def test_a_folder_or_a_fifo_in_a_files_place_is_a_difference(root: Path) -> None:
    artifact = logged({"x": b"content", "y": b"content"})
    (root / "x/below").mkdir(parents=True)
    put(root, {"x/below/mine": b"mine"})
    os.mkfifo(root / "y")

    assert differences(artifact, root) == (["x"], ["y"], ["x/below/mine"])


def test_a_file_in_a_folders_place_is_a_difference(root: Path) -> None:
    artifact = logged({"x/y": b"content"})
    put(root, {"x": b"mine"})

    assert differences(artifact, root) == (["x/y"], [], ["x"])


def test_a_linked_folder_is_not_followed(root: Path, tmp_path: Path) -> None:
    artifact = logged({"x/y": b"content"})
    put(tmp_path / "there", {"y": b"content"})
    root.mkdir()
    (root / "x").symlink_to(tmp_path / "there")

    assert differences(artifact, root) == (["x/y"], [], ["x"])


def test_a_name_that_is_no_text_is_shown(root: Path) -> None:
    artifact = logged({"x": b"content"})
    artifact.download(root)
    name = os.fsdecode(b"caf\xe9")
    (root / name).write_bytes(b"")

    assert differences(artifact, root) == ([], [], [name])
    assert "caf\\udce9" in refusal(Differences, lambda: check(artifact, root))


def test_a_folder_that_is_not_there_is_an_error_and_is_not_made(root: Path) -> None:
    artifact = logged(FILES)

    assert str(root) in refusal(InvalidFile, lambda: check(artifact, root))
    assert not root.exists()


def test_a_reference_is_compared_by_its_checksum_of_content_and_else_by_its_size(root: Path) -> None:
    artifact = referring(
        Reference("md5", "https://example.com/a", "md5:9a0364b9e99bb480dd25e1f0284c8555", 7),
        Reference("etag", "https://example.com/b", "etag:abc", 7),
        Reference("unknown", "https://example.com/c"),
        Reference("kept as it is", "ftp://example.com/d", None, 7),
    )
    put(root, {"md5": b"content", "etag": b"CONTENT", "unknown": b"anything"})
    check(artifact, root)

    put(root, {"md5": b"CONTENT", "etag": b"longer than before", "kept as it is": b"other"})

    assert differences(artifact, root) == ([], ["etag", "kept as it is", "md5"], [])
    for path in ("md5", "etag", "unknown", "kept as it is"):
        (root / path).unlink()
    assert differences(artifact, root) == (["etag", "md5", "unknown"], [], [])
