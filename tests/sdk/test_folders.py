"""A walk finds everything once, in the order in which a version lists its paths, and a removal takes all of it."""

import os
import tempfile
from pathlib import Path

import pytest
from headwater._download.folders import DEPTH_MAX, ItemKind, OpenFolder, remove, walk
from headwater_schemas.errors import InvalidFile
from hypothesis import example, given
from hypothesis import strategies as st

# Names around "/" in the order of characters, which is where orders by folder and by path differ.
names = st.text(alphabet="-./0aBü名", min_size=1, max_size=4).map(lambda text: text.replace("/", "")).filter(str.strip)
trees = st.sets(st.lists(names.filter(lambda name: name not in (".", "..", "")), min_size=1, max_size=3).map("/".join))


def opened(path: Path) -> OpenFolder:
    return OpenFolder(os.open(path, os.O_RDONLY), str(path))


def planted(root: Path, paths: set[str]) -> list[str]:
    """Files at those paths, as far as none is in the way of another."""
    there = []
    for path in sorted(paths):
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"")
        except OSError:
            continue
        there.append(path)
    return there


@given(trees)
@example({"a-b", "a.txt", "a/x", "a/-", "a0", "ab/c", "a-/x"})
def test_files_are_found_in_the_order_of_their_paths(paths: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there = planted(Path(folder), paths)

        found = [one.path for one in walk(opened(Path(folder))) if one.kind is ItemKind.FILE]

        assert found == sorted(there)


@given(trees)
def test_a_folder_is_left_after_all_that_is_in_it(paths: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        planted(Path(folder), paths)
        open_folders: list[str] = []
        for one in walk(opened(Path(folder))):
            if one.kind is ItemKind.ENTERED:
                open_folders.append(one.path)
            elif one.kind is ItemKind.LEFT:
                assert open_folders.pop() == one.path
            else:
                assert one.path.rpartition("/")[0] == (open_folders or [""])[-1]
        assert open_folders == []


def test_a_removal_takes_all_below_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/x").write_bytes(b"mine")
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/link").symlink_to(tmp_path / "mine")
    (tmp_path / "root/a/file").write_bytes(b"")

    remove(opened(tmp_path / "root"), "a")
    remove(opened(tmp_path / "root"), "not there")

    assert list((tmp_path / "root").iterdir()) == []
    assert (tmp_path / "mine/x").read_bytes() == b"mine"


def test_folders_that_lie_too_deep_are_an_error_and_not_a_crash(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(DEPTH_MAX + 5):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)

    with pytest.raises(InvalidFile, match=f"more than {DEPTH_MAX} folders deep"):
        list(walk(opened(tmp_path)))
