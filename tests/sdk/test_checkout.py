"""A checkout leaves a folder with the version and nothing else, and touches no folder that is somebody's own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from headwater._download import checkout, target
from headwater_schemas.errors import BlobCorrupt, InvalidFile

from tests.sdk.downloads import (
    LARGE,
    CaseBlindOs,
    OnTheWay,
    check,
    check_out,
    client,
    content_of,
    damage,
    full_disk,
    layers_of,
    logged,
    put,
    refusal,
)
from tests.support import disks
from tests.support.stores import StoreUnderTest

# Names that sort one way as text and another way as folders with something in them.
FILES = {
    "README": b"what this is",
    "a-b": b"before a/x",
    "a.txt": b"before a/x too",
    "a/x": b"x",
    "a0": b"after a/x",
    "ab/deep/er": b"deeper",
    "large.bin": os.urandom(LARGE),
    "ünï/çödé 名": b"bytes",
}
OTHERS = {
    "notes.txt": b"mine",
    "a/y": b"mine",
    "a/w/z": b"mine",
    "a-b-c/x": b"mine",
    "ab/deep/x": b"mine",
    "new/folder/x": b"mine",
    "zzz": b"mine",
}


@pytest.fixture(autouse=True)
def _quiet_store(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def everything_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def folders_too(files: dict[str, bytes]) -> set[str]:
    parents = {str(folder) for path in files for folder in Path(path).parents} - {"."}
    return set(files) | parents


def test_the_version_is_there_and_nothing_else(root: Path) -> None:
    artifact = logged(FILES)
    put(root, OTHERS | {"README": b"another"})
    (root / "empty/inner").mkdir(parents=True)
    (root / os.fsdecode(b"caf\xe9")).write_bytes(b"a name that is no text")
    os.mkfifo(root / "a/fifo")

    check_out(artifact, root)

    assert content_of(root) == FILES
    assert everything_in(root) == folders_too(FILES)
    check(artifact, root)


def test_a_folder_that_is_not_there_is_made(root: Path) -> None:
    check_out(logged(FILES), root / "below")

    assert content_of(root / "below") == FILES


def test_what_is_there_and_right_stays_untouched(root: Path) -> None:
    artifact = logged(FILES)
    check_out(artifact, root)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}
    put(root, OTHERS)

    check_out(artifact, root)

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()} == before


def test_a_version_without_files_empties_the_folder(root: Path) -> None:
    put(root, OTHERS)

    check_out(logged({}), root)

    assert list(root.iterdir()) == []


def test_links_are_removed_and_what_they_lead_to_stays(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "mine", {"file": b"mine", "folder/x": b"mine"})
    put(root, {"extra/x": b"mine"})
    for at in ("file", "extra/file", "a-link"):
        (root / at).symlink_to(tmp_path / "mine/file")
    for at in ("folder", "extra/folder"):
        (root / at).symlink_to(tmp_path / "mine/folder")
    (root / "nowhere").symlink_to(tmp_path / "not there")

    check_out(logged(FILES), root)

    assert everything_in(root) == folders_too(FILES)
    assert content_of(tmp_path / "mine") == {"file": b"mine", "folder/x": b"mine"}


def in_the_way_of_a_file(root: Path, mine: Path) -> None:
    put(root, {"README/deep/x": b"mine"})


def in_the_way_of_a_folder(root: Path, mine: Path) -> None:
    put(root, {"ab": b"mine"})


def a_link_in_the_way_of_a_folder(root: Path, mine: Path) -> None:
    root.mkdir()
    (root / "ab").symlink_to(mine)


def a_link_in_a_folder_in_the_way(root: Path, mine: Path) -> None:
    (root / "large.bin/below").mkdir(parents=True)
    (root / "large.bin/below/link").symlink_to(mine)


def a_fifo_in_the_way_of_a_file(root: Path, mine: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "README")


@pytest.mark.parametrize("way", ["unnamed", "named"])
@pytest.mark.parametrize(
    "prepare",
    [
        in_the_way_of_a_file,
        in_the_way_of_a_folder,
        a_link_in_the_way_of_a_folder,
        a_link_in_a_folder_in_the_way,
        a_fifo_in_the_way_of_a_file,
    ],
)
def test_what_is_in_the_way_gives_way(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path, Path], None], way: str
) -> None:
    if way == "named":
        monkeypatch.setattr(target, "_DESCRIPTORS", "/nowhere")
    mine = tmp_path / "mine"
    put(mine, {"x": b"mine"})
    prepare(root, mine)

    check_out(logged(FILES), root)

    assert content_of(root) == FILES
    assert content_of(mine) == {"x": b"mine"}


def test_one_version_after_the_other_can_be_checked_out_where_a_file_became_a_folder(root: Path) -> None:
    first, second = {"data": b"one file", "x/y/z": b"deep"}, {"data/part": b"a folder", "x": b"flat"}
    artifacts = [logged(first).wait(), logged(second).wait()]

    for artifact, files in zip([*artifacts, artifacts[0]], [first, second, first], strict=True):
        check_out(artifact, root)
        assert content_of(root) == files


def test_nothing_is_removed_unless_everything_was_fetched(root: Path, store: StoreUnderTest) -> None:
    artifact = logged(FILES).wait()
    put(root, OTHERS)
    damage(store, FILES["large.bin"])

    refusal(BlobCorrupt, lambda: check_out(artifact, root))

    assert OTHERS.items() <= content_of(root).items()
    assert set(content_of(root).items()) <= set((FILES | OTHERS).items())


def test_on_a_full_disk_nothing_is_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = logged(FILES).wait()

    with full_disk(root, LARGE // 2, monkeypatch) as disk:
        folder = disk / "below"
        put(folder, OTHERS)
        message = refusal(InvalidFile, lambda: check_out(artifact, folder))

        assert "large.bin" in message
        assert "No space left" in message
        assert OTHERS.items() <= content_of(folder).items() <= (FILES | OTHERS).items()


def test_an_interrupted_checkout_leaves_whole_files_and_goes_on(root: Path) -> None:
    artifact = logged(FILES)
    put(root, OTHERS)
    stores = client().stores

    def interrupt(call: int) -> None:
        if call == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkout.checkout(stores.reads, OnTheWay(stores.blobs, interrupt), layers_of(artifact), root)  # type: ignore[arg-type]

    assert set(content_of(root).items()) <= set((FILES | OTHERS).items())
    assert OTHERS.items() <= content_of(root).items()
    check_out(artifact, root)
    assert content_of(root) == FILES


def test_a_file_that_a_case_blind_disk_shows_in_another_spelling_is_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = logged(FILES).wait()
    put(root, {"readme": FILES["README"], "notes.txt": b"mine"})
    monkeypatch.setattr(target, "os", CaseBlindOs())

    check_out(artifact, root)

    assert content_of(root) == {path.lower(): content for path, content in FILES.items()}


def test_what_cannot_be_removed_is_named(root: Path) -> None:
    artifact = logged({}).wait()
    put(root, {"below/kept": b"mine"})

    with disks.read_only(root) as view:
        message = refusal(InvalidFile, lambda: check_out(artifact, view / "below"))

    assert repr(str(view / "below/kept")) in message
    assert "cannot be removed" in message
    assert content_of(root) == {"below/kept": b"mine"}


# --- folders that are somebody's own ----------------------------------------------------------------------------


def refused_unchanged(root: Path, files: dict[str, bytes], at: Path | None = None) -> str:
    artifact = logged({"x": b"content"}).wait()
    put(root, files)
    before = content_of(root)

    message = refusal(InvalidFile, lambda: check_out(artifact, at or root))

    assert repr(str(at or root)) in message
    assert content_of(root) == before
    return message


def test_a_home_folder_and_what_contains_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "users/me"
    monkeypatch.setenv("HOME", str(home))

    assert "is your home folder" in refused_unchanged(home, {"mine": b"mine"})
    assert str(home) in refused_unchanged(tmp_path / "users", {"me/mine": b"mine"})


def test_a_link_to_a_home_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "me"
    put(home, {"mine": b"mine"})
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "link").symlink_to(home)
    artifact = logged({"x": b"content"}).wait()

    assert "is your home folder" in refusal(InvalidFile, lambda: check_out(artifact, tmp_path / "link"))
    assert content_of(home) == {"mine": b"mine"}


def test_the_root_of_the_file_system_is_refused() -> None:
    with pytest.raises(InvalidFile, match="the root of the file system"):
        checkout.check_location("/")  # only this check: a mistake would cost the machine


@pytest.mark.parametrize("below", ["", "project/deep/"])
def test_a_folder_with_a_git_repository_is_refused(root: Path, below: str) -> None:
    message = refused_unchanged(root, {f"{below}.git/HEAD": b"ref: refs/heads/main", "mine": b"mine"})

    assert f"{below}.git" in message
    assert "Git" in message


def test_a_folder_of_a_git_repository_is_refused(root: Path) -> None:
    refused_unchanged(root, {".git/objects/mine": b"mine"}, at=root / ".git/objects")


def test_a_version_that_has_a_git_repository_itself_can_be_checked_out_again(root: Path) -> None:
    files = {".git/HEAD": b"ref: refs/heads/main", "x": b"content"}
    artifact = logged(files)
    check_out(artifact, root)
    put(root, {".git/mine": b"mine"})

    check_out(artifact, root)

    assert content_of(root) == files


def test_a_store_what_contains_one_and_what_is_in_one_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "data/store"
    store.mkdir(parents=True)
    environment = {**os.environ, "HEADWATER_URL": str(store)}
    code = "import headwater\nwith headwater.init() as run: run.log_artifact(headwater.Artifact('a', 'b'))"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    artifact = logged({"x": b"content"}).wait()
    before = content_of(store)

    for root in (store, store / "blobs", store / "log", store.parent):
        assert "headwater store" in refusal(InvalidFile, lambda root=root: check_out(artifact, root))  # type: ignore[misc]

    assert content_of(store) == before


def test_a_mounted_disk_and_what_contains_one_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = logged({"x": b"content"}).wait()
    disk = root / "below/disk"
    disk.mkdir(parents=True)

    with mounted(disk, monkeypatch):
        put(disk, {"mine": b"mine"})

        assert "mounted" in refusal(InvalidFile, lambda: check_out(artifact, disk))
        assert "'below/disk'" in refusal(InvalidFile, lambda: check_out(artifact, root))
        assert content_of(root) == {"below/disk/mine": b"mine"}


@contextmanager
def mounted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk at `folder`; where this process may not mount one, it looks like one."""
    if disks.can_mount():
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
        return
    monkeypatch.setattr(os.path, "ismount", lambda path: path == str(folder))
    monkeypatch.setattr(checkout, "_device_of", lambda opened: opened.location.startswith(str(folder)))
    yield
