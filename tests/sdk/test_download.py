"""What a download writes, and what it never does: half a file, anything outside of its root, anything that stays."""

import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from headwater._download import target
from headwater_consumer.queries import entries
from headwater_schemas.errors import BlobCorrupt, InvalidFile, InvalidPath, NotFound

from tests.sdk.downloads import LARGE, CaseBlindOs, OnTheWay, content_of, damage, fetch, full_disk, logged, put, refusal
from tests.support import disks
from tests.support.forked import ForkedProcess
from tests.support.modes import EMBEDDED, WAYS, stores_recycled
from tests.support.stores import StoreUnderTest

TEMPORARY_NAMES = "temporary names"
FILES = {
    "README": b"what this is",
    "images/0.png": bytes(range(256)) * 16,
    "images/deep/er/1.png": b"one",
    "images/empty": b"",
    "images-old/0.png": b"zero",
    "large.bin": os.urandom(LARGE),
    "models/large too": os.urandom(2 * LARGE),
    "ünï/çödé 名": b"bytes",
}


@pytest.fixture(autouse=True)
def _quiet_store(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")


@pytest.fixture(params=[*WAYS, TEMPORARY_NAMES])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each way to run, and a file system on which files cannot be written without a name.

    How files are written is the same for every store, so the temporary names are tried with one of them.
    """
    if request.param == TEMPORARY_NAMES:
        monkeypatch.setattr(target, "_DESCRIPTORS", "/nowhere")
    with stores_recycled():
        yield EMBEDDED if request.param == TEMPORARY_NAMES else request.param


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


# --- copies, or links where they are asked for -------------------------------------------------------------------


def test_the_files_are_the_users_own_copies(root: Path) -> None:
    logged(FILES).download(root)

    for path in FILES:
        (root / path).write_bytes(b"changed")
    logged(FILES, "again").download(root.with_name("other"))

    assert content_of(root.with_name("other")) == FILES


def test_large_files_are_linked_on_request_where_the_store_has_them_as_files(root: Path, mode: str) -> None:
    logged(FILES).download(root, hard_links=True)

    assert content_of(root) == FILES
    linked = {path for path in FILES if (root / path).stat().st_nlink > 1}
    assert linked == ({"large.bin", "models/large too"} if mode == "embedded" else set())
    assert all((root / path).stat().st_mode & 0o222 == 0 for path in linked)  # nobody writes into them by mistake


def test_a_link_replaces_a_file_that_is_not_right_and_leaves_one_that_is(root: Path) -> None:
    put(root, {"large.bin": b"other", "models/large too": FILES["models/large too"]})
    before = (root / "models/large too").stat().st_ino

    logged(FILES).download(root, hard_links=True)

    assert content_of(root) == FILES
    assert (root / "models/large too").stat().st_ino == before


def test_damaged_bytes_in_the_store_are_not_linked(root: Path, store: StoreUnderTest) -> None:
    artifact = logged({"large.bin": FILES["large.bin"]})
    damage(store, FILES["large.bin"])

    refusal(BlobCorrupt, lambda: artifact.download(root, hard_links=True))

    assert content_of(root) == {}


@pytest.mark.skipif(not disks.can_mount(), reason="another disk has to be mounted")
def test_on_another_disk_than_the_stores_the_files_are_copies(root: Path) -> None:
    artifact = logged(FILES)

    with disks.small_disk(64 * LARGE) as disk:
        artifact.download(disk / "root", hard_links=True)

        assert content_of(disk / "root") == FILES
        assert {(disk / "root" / path).stat().st_nlink for path in FILES} == {1}


@pytest.mark.parametrize("named", ["", b"root", 7, ["root"], "ro\0ot"])
def test_what_names_no_folder_is_refused(named: Any, tmp_path: Path) -> None:
    artifact = logged({"README": FILES["README"]})
    put(tmp_path, {"mine": b"kept"})

    for act in (artifact.download, artifact.checkout, artifact.verify, artifact.get_entry("README").download):
        assert "is not a folder path" in refusal(InvalidFile, lambda act=act: act(named))

    assert (tmp_path / "mine").read_bytes() == b"kept"
    assert not (tmp_path / "README").exists()


# --- what is there afterwards -----------------------------------------------------------------------------------


def test_every_file_comes_back_as_it_was_and_nothing_else_is_there(root: Path) -> None:
    artifact = logged(FILES)

    assert artifact.download(root) == str(root)

    assert content_of(root) == FILES


def test_only_the_folder_asked_for_is_fetched_and_keeps_its_paths(root: Path) -> None:
    fetch(logged(FILES), root, prefix="./images/")

    assert content_of(root) == {path: content for path, content in FILES.items() if path.startswith("images/")}


@pytest.mark.parametrize("prefix", ["README", "./images//deep/er/1.png", "large.bin"])
def test_a_path_given_as_prefix_is_fetched_alone(root: Path, prefix: str) -> None:
    path = prefix.replace("./", "").replace("//", "/")

    fetch(logged(FILES), root, prefix=prefix)

    assert content_of(root) == {path: FILES[path]}


def test_a_version_without_files_makes_an_empty_folder(root: Path) -> None:
    logged({}).download(root)

    assert list(root.iterdir()) == []


def test_files_have_the_usual_mode_less_the_umask(root: Path) -> None:
    artifact = logged(FILES)
    before = os.umask(0o027)
    try:
        artifact.download(root)
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()}
    assert modes == {0o640}


def test_what_is_there_and_right_stays_untouched(root: Path) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in root.rglob("*")}

    def fail(call: int) -> None:
        pytest.fail("it read what was there")

    fetch(artifact, root, through=lambda blobs: OnTheWay(blobs, fail))

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in root.rglob("*")} == before


@pytest.mark.parametrize("path", ["images/0.png", "large.bin"])
def test_a_file_of_the_right_size_with_other_bytes_is_replaced(root: Path, path: str) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    (root / path).write_bytes(b"x" + FILES[path][1:])

    artifact.download(root)

    assert content_of(root) == FILES


@pytest.mark.parametrize("path", ["images/0.png", "large.bin"])
def test_a_damaged_file_that_has_another_name_elsewhere_is_not_written_into(
    root: Path, tmp_path: Path, path: str
) -> None:
    artifact = logged(FILES)
    artifact.download(root)
    (root / path).write_bytes(b"mine")
    os.link(root / path, tmp_path / "mine")

    artifact.download(root)

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert content_of(root) == FILES


def test_files_of_somebody_else_are_left_alone(root: Path) -> None:
    for path in ("notes.txt", "images/mine.png", "other/x"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)

    logged(FILES).download(root)

    mine = {path: path.encode() for path in ("notes.txt", "images/mine.png", "other/x")}
    assert content_of(root) == FILES | mine


def test_names_that_differ_in_case_are_two_files_where_the_disk_tells_them_apart(root: Path) -> None:
    files = {"a/readme": b"1", "a/README": b"2", "A/readme": b"3"}

    logged(files).download(root)

    assert content_of(root) == files


# --- cut off ----------------------------------------------------------------------------------------------------


def test_what_was_cut_off_leaves_whole_files_only_and_goes_on_where_it_was(root: Path) -> None:
    artifact = logged(FILES)

    def cut_off(call: int) -> None:
        if call == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(artifact, root, through=lambda blobs: OnTheWay(blobs, cut_off))

    landed = content_of(root)
    assert landed.items() <= FILES.items()
    assert {"README", "images/0.png"} <= landed.keys() < FILES.keys()
    inodes = {path: (root / path).stat().st_ino for path in landed}
    artifact.download(root)
    assert content_of(root) == FILES
    assert {path: (root / path).stat().st_ino for path in landed} == inodes


@pytest.mark.slow
@pytest.mark.parametrize("mode", WAYS, indirect=True)
def test_a_killed_download_leaves_nothing_but_whole_files(root: Path, tmp_path: Path) -> None:
    files = {f"{i % 20}/{i}": os.urandom(300) for i in range(3000)} | {"large": os.urandom(8 * LARGE)}
    artifact = logged(files)
    damaged = dict.fromkeys(list(files)[::3], b"damaged")
    for path in damaged:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(damaged[path])
    code = f"import headwater; headwater.Api().artifact({artifact.qualified_name!r}).download({str(root)!r})"

    for there in (len(damaged) + 1, len(damaged) + 500, len(damaged) + 1500):
        process = ForkedProcess(["-c", code])
        while process.poll() is None and sum(len(names) for _, _, names in os.walk(root)) < there:
            time.sleep(0.001)
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
        found = content_of(root)
        assert {path for path, content in found.items() if content not in (files.get(path), damaged.get(path))} == set()

    artifact.download(root)
    assert content_of(root) == files


def test_downloads_into_one_folder_at_once_do_not_disturb_each_other(root: Path) -> None:
    expected = FILES | {f"many/{i}": str(i).encode() for i in range(500)}
    artifact = logged(expected).wait()

    with ThreadPoolExecutor(4) as pool:
        for downloaded in [pool.submit(fetch, artifact, root) for _ in range(4)]:
            downloaded.result()

    assert content_of(root) == expected


@pytest.mark.slow
@pytest.mark.parametrize("mode", WAYS, indirect=True)
def test_processes_that_download_into_one_folder_at_once_do_not_disturb_each_other(root: Path) -> None:
    expected = FILES | {f"many/{i}": str(i).encode() for i in range(500)}
    name = logged(expected).wait().qualified_name
    code = f"import headwater; headwater.Api().artifact({name!r}).download({str(root)!r})"

    processes = [ForkedProcess(["-c", code]) for _ in range(2)]

    assert [process.wait() for process in processes] == [0, 0]
    assert content_of(root) == expected


@pytest.mark.parametrize("path", ["images/0.png", "large.bin"])
def test_damaged_bytes_in_the_store_never_become_a_file(root: Path, store: StoreUnderTest, path: str) -> None:
    artifact = logged(FILES).wait()
    damage(store, FILES[path])

    message = refusal(BlobCorrupt, lambda: artifact.download(root))

    assert "damaged" in message
    assert path not in content_of(root)
    assert content_of(root).items() <= FILES.items()


# --- never outside ----------------------------------------------------------------------------------------------


def test_a_linked_folder_below_the_root_is_not_followed(root: Path, tmp_path: Path) -> None:
    artifact = logged(FILES)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.mkdir()
    (root / "images").symlink_to(elsewhere)

    message = refusal(InvalidFile, lambda: artifact.download(root))

    assert str(root / "images") in message
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("path", ["images/0.png", "large.bin"])
def test_a_link_in_a_files_place_is_replaced_and_what_it_led_to_stays(root: Path, tmp_path: Path, path: str) -> None:
    artifact = logged(FILES)
    mine = tmp_path / "mine"
    mine.write_bytes(FILES[path])
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(mine)

    artifact.download(root)

    assert content_of(root) == FILES
    assert not (root / path).is_symlink()
    assert mine.read_bytes() == FILES[path]


def test_a_folder_that_becomes_a_link_while_it_is_filled_leads_nowhere(root: Path, tmp_path: Path) -> None:
    artifact = logged({"images/0": b"0", "images/1": b"1" * LARGE})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def swap(call: int) -> None:
        if call == 1:
            (root / "images").rename(root / "moved")
            (root / "images").symlink_to(elsewhere)

    fetch(artifact, root, through=lambda blobs: OnTheWay(blobs, swap))

    assert list(elsewhere.iterdir()) == []


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    root.symlink_to(tmp_path / "there")

    logged(FILES).download(root)

    assert content_of(tmp_path / "there") == FILES


@pytest.mark.parametrize("in_the_way", ["folder", "fifo", "socket"])
def test_what_is_no_file_and_in_a_files_place_is_named_and_left(root: Path, in_the_way: str) -> None:
    artifact = logged({"x": b"content"})
    root.mkdir()
    with ExitStack() as stack:
        if in_the_way == "folder":
            (root / "x").mkdir()
        elif in_the_way == "fifo":
            os.mkfifo(root / "x")
        else:
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            here = os.open(root, os.O_RDONLY)  # a socket's address is short, a test's folder is not
            stack.callback(os.close, here)
            listening.bind(f"/proc/self/fd/{here}/x")
        before = (root / "x").lstat()

        message = refusal(InvalidFile, lambda: artifact.download(root))

        assert str(root / "x") in message
        assert (root / "x").lstat().st_ino == before.st_ino


def test_a_file_in_a_folders_place_is_named_and_left(root: Path) -> None:
    artifact = logged(FILES)
    root.mkdir()
    (root / "images").write_text("mine")

    message = refusal(InvalidFile, lambda: artifact.download(root))

    assert str(root / "images") in message
    assert (root / "images").read_text() == "mine"


# --- refused ----------------------------------------------------------------------------------------------------


def test_a_windows_path_is_understood_as_prefix(root: Path) -> None:
    fetch(logged(FILES), root, prefix=PureWindowsPath("images\\deep"))

    assert content_of(root) == {"images/deep/er/1.png": b"one"}


@pytest.mark.parametrize("prefix", ["nothing", "image", "README/x", "images/0"])
def test_a_prefix_that_names_nothing_is_not_found(root: Path, prefix: str) -> None:
    artifact = logged(FILES)

    assert repr(prefix) in refusal(NotFound, lambda: fetch(artifact, root, prefix=prefix))

    assert not root.exists()


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a/readme": b"1", "a/README": b"2"}, ("a/readme", "a/README")),
        ({"Data/x": b"1", "data/y": b"2"}, ("Data", "data")),
        ({"1/Data": b"1", "1/data/y": b"2"}, ("1/Data", "1/data")),
        ({"Readme": b"1", "readme": b"2"}, ("Readme", "readme")),
        ({"7": b"", "ÄPFEL": b"1", "äpfel": b"2"}, ("ÄPFEL", "äpfel")),
    ],
)
def test_names_that_a_disk_takes_for_one_are_refused_naming_both(
    root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], named: tuple[str, str]
) -> None:
    artifact = logged(files).wait()
    monkeypatch.setattr(target, "os", CaseBlindOs())

    message = refusal(InvalidPath, lambda: artifact.download(root))

    assert all(repr(name) in message for name in named)


def test_such_names_are_found_however_many_come_before_that_have_no_case(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = logged({**{f"{i:03}": b"" for i in range(10)}, "Readme": b"1", "readme": b"2"}).wait()
    monkeypatch.setattr(entries, "ROWS_PER_PAGE", 2)
    monkeypatch.setattr(target, "os", CaseBlindOs())

    message = refusal(InvalidPath, lambda: artifact.download(root))

    assert "'Readme' and 'readme'" in message


def test_a_disk_that_does_not_tell_case_takes_everything_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = logged(FILES).wait()
    monkeypatch.setattr(target, "os", CaseBlindOs())

    artifact.download(root)

    assert content_of(root) == {path.lower(): content for path, content in FILES.items()}


def test_a_full_disk_is_named_and_what_landed_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = logged({"a": b"a" * 5000, "b": os.urandom(3 * 1024 * 1024), "c": b"c"}).wait()

    with full_disk(root, 2 * 1024 * 1024, monkeypatch) as disk:
        message = refusal(InvalidFile, lambda: artifact.download(disk))

        assert repr(str(disk / "b")) in message
        assert "No space left" in message
        assert content_of(disk) == {"a": b"a" * 5000, "c": b"c"}


def test_a_folder_that_cannot_be_written_is_named(root: Path) -> None:
    artifact = logged(FILES).wait()
    root.mkdir()

    with disks.read_only(root) as view:
        message = refusal(InvalidFile, lambda: artifact.download(view))

    assert str(view) in message
    assert "cannot be written" in message


def test_a_root_that_is_a_file_is_named_and_left(root: Path) -> None:
    artifact = logged(FILES).wait()
    root.write_text("mine")

    assert str(root) in refusal(InvalidFile, lambda: artifact.download(root))
    assert str(root) in refusal(InvalidFile, lambda: artifact.download(root / "below"))
    assert root.read_text() == "mine"
