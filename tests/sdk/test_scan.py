"""What a scan sees in a folder, and what it refuses."""

import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from headwater._ingest.folder_walk import CTIME_NS, INODE, MTIME_NS, NUMBERS_PER_FILE, SIZE
from headwater._ingest.scan import scan, scan_file
from headwater_schemas.errors import HeadwaterError, InvalidFile, InvalidPath
from headwater_schemas.limits import PATH_DEPTH_MAX

NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for path in ("b.txt", "a.txt", "sub/z", "sub/a", "sub/deep/x", "sub-a/x"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def refusal(error: type[HeadwaterError], look: Callable[[], object]) -> str:
    with pytest.raises(error) as refused:
        look()
    return str(refused.value)


def test_every_file_is_found_with_its_numbers(tree: Path) -> None:
    found = scan(tree)

    assert sorted(found.paths()) == ["a.txt", "b.txt", "sub-a/x", "sub/a", "sub/deep/x", "sub/z"]
    assert len(found) == 6
    numbers = [number for folder in found.folders for number in folder.stats]
    for row, (path, location) in enumerate(zip(found.paths(), found.locations(), strict=True)):
        truth = (tree / path).stat()
        assert location == str(tree / path)
        assert found.sizes()[row] == truth.st_size
        mine = numbers[row * NUMBERS_PER_FILE : (row + 1) * NUMBERS_PER_FILE]
        assert (mine[INODE], mine[SIZE]) == (truth.st_ino, truth.st_size)
        assert (mine[MTIME_NS], mine[CTIME_NS]) == (truth.st_mtime_ns, truth.st_ctime_ns)


def test_two_scans_of_an_unchanged_tree_are_equal_whatever_the_order_on_disk(tree: Path) -> None:
    first = scan(tree)
    copy = tree.with_name("copy")
    for path in reversed(first.paths()):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / path, copy / path)

    assert scan(tree) == first
    assert scan(copy).paths() == first.paths()


def test_folders_and_names_are_sorted(tree: Path) -> None:
    folders = scan(tree).folders

    assert [folder.path for folder in folders] == sorted(folder.path for folder in folders)
    assert all(folder.names == sorted(folder.names) for folder in folders)


def test_a_prefix_stands_before_every_path_but_not_before_the_location(tree: Path) -> None:
    found = scan(tree / "sub", "./images/train/")

    assert found.paths() == ["images/train/a", "images/train/z", "images/train/deep/x"]
    assert found.locations()[0] == str(tree / "sub" / "a")


def test_empty_folders_give_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty" / "within").mkdir(parents=True)

    assert scan(tmp_path).paths() == []


def test_links_to_files_and_folders_are_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "file").symlink_to(tree / "a.txt")
    (tmp_path / "links" / "folder").symlink_to(tree / "sub")

    found = scan(tmp_path / "links")

    assert found.paths() == ["file", "folder/a", "folder/z", "folder/deep/x"]
    assert found.sizes()[0] == len("a.txt")


def test_two_links_to_one_folder_are_no_loop(tree: Path) -> None:
    (tree / "sub-a" / "one").symlink_to(tree / "sub")
    (tree / "sub-a" / "other").symlink_to(tree / "sub")

    assert len(scan(tree)) == 6 + 2 * 3


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_to_a_folder_above_is_named(tree: Path, target: str) -> None:
    (tree / "sub" / "loop").symlink_to(target)

    message = refusal(InvalidFile, lambda: scan(tree))

    assert "loop" in message
    assert "back to a folder that contains it" in message


def test_two_folders_that_link_into_each_other_are_named(tree: Path) -> None:
    (tree / "sub" / "there").symlink_to(tree / "sub-a")
    (tree / "sub-a" / "back").symlink_to(tree / "sub")

    assert "back to a folder that contains it" in refusal(InvalidFile, lambda: scan(tree))


def test_a_broken_link_is_named_with_its_target(tree: Path) -> None:
    (tree / "sub" / "gone").symlink_to("nowhere")

    message = refusal(InvalidFile, lambda: scan(tree))

    assert str(tree / "sub" / "gone") in message
    assert "'nowhere'" in message


def test_a_link_to_itself_is_named(tree: Path) -> None:
    (tree / "self").symlink_to("self")

    assert str(tree / "self") in refusal(InvalidFile, lambda: scan(tree))
    assert str(tree / "self") in refusal(InvalidFile, lambda: scan_file(tree / "self"))


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path has a small limit
    with socket.socket(socket.AF_UNIX) as unbound:
        unbound.bind(path.name)
    os.chdir(here)


def make_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("make", "kind"), [(make_fifo, "FIFO"), (make_socket, "socket"), (make_link_to_a_device, "device")]
)
def test_what_has_no_bytes_of_its_own_is_refused(tree: Path, make: Callable[[Path], None], kind: str) -> None:
    special = tree / "sub" / "special"
    make(special)

    for message in (refusal(InvalidFile, lambda: scan(tree)), refusal(InvalidFile, lambda: scan_file(special))):
        assert str(special) in message
        assert f"a {kind}" in message


def test_a_root_that_is_missing_or_a_file_is_refused(tree: Path) -> None:
    assert str(tree / "no") in refusal(InvalidFile, lambda: scan(tree / "no"))
    assert str(tree / "a.txt") in refusal(InvalidFile, lambda: scan(tree / "a.txt"))
    assert "not a folder" in refusal(InvalidFile, lambda: scan(tree / "a.txt"))
    refusal(InvalidFile, lambda: scan("a\x00b"))


def test_one_file_is_looked_at_like_those_of_a_folder(tree: Path) -> None:
    found = scan_file(tree / "a.txt")

    assert found.location == str(tree / "a.txt")
    assert found.size == len("a.txt")
    assert found.stats == scan(tree).folders[0].stats[:NUMBERS_PER_FILE]


def test_one_file_that_is_missing_or_a_folder_is_refused(tree: Path) -> None:
    missing = refusal(InvalidFile, lambda: scan_file(tree / "no"))
    folder = refusal(InvalidFile, lambda: scan_file(tree / "sub"))

    assert str(tree / "no") in missing
    assert "as a folder" in folder


def test_names_that_cannot_be_kept_are_refused_and_shown_readably(tree: Path) -> None:
    for name in (b"undecodable\xff", b"line\nbreak", b"tab\t", b"delete\x7f"):
        location = os.fsencode(tree) + b"/sub/" + name
        with open(location, "wb"):
            pass
        message = refusal(InvalidPath, lambda: scan(tree))
        os.unlink(location)

        assert "sub/" in message
        assert message.isprintable()


def test_a_folder_whose_name_cannot_be_kept_is_refused(tree: Path) -> None:
    (tree / "line\nbreak").mkdir()
    (tree / "line\nbreak" / "file").touch()

    assert "line\\nbreak/file" in refusal(InvalidPath, lambda: scan(tree))


def test_a_prefix_that_leads_upwards_is_refused(tree: Path) -> None:
    assert ".." in refusal(InvalidPath, lambda: scan(tree, "../elsewhere"))


def test_two_names_that_look_the_same_are_both_named(tree: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    (tree / composed).touch()
    (tree / decomposed).touch()

    message = refusal(InvalidPath, lambda: scan(tree))

    assert ascii(composed) in message
    assert ascii(decomposed) in message


def test_depth_is_bounded(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath("root", *["d"] * (PATH_DEPTH_MAX - 1))
    deepest.mkdir(parents=True)
    (deepest / "file").touch()

    assert len(scan(tmp_path / "root")) == 1
    (deepest / "d").mkdir()
    (deepest / "d" / "file").touch()
    assert str(PATH_DEPTH_MAX) in refusal(InvalidPath, lambda: scan(tmp_path / "root"))
    (deepest / "d" / "file").unlink()
    (deepest / "d" / "d").mkdir()
    assert str(PATH_DEPTH_MAX) in refusal(InvalidPath, lambda: scan(tmp_path / "root"))


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that other users can reach, as pytest's own cannot."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_read_is_named(shared_folder: Path) -> None:
    locked = shared_folder / "locked"
    locked.mkdir(mode=0o700)
    if os.geteuid() != 0:
        locked.chmod(0)
    context = get_context("fork")  # a new interpreter might not be readable for the other user
    receiver, sender = context.Pipe(duplex=False)

    process = context.Process(target=_scan_as_nobody, args=(shared_folder, sender))
    process.start()
    message = receiver.recv() if receiver.poll(30) else ""
    process.join(30)

    locked.chmod(stat.S_IRWXU)
    assert f"'{locked}' is not readable" in message


def _scan_as_nobody(folder: Path, sender: "Connection[str, str]") -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    sender.send(refusal(InvalidFile, lambda: scan(folder)))


def test_files_that_come_and_go_during_a_scan_give_a_listing_or_an_error_that_names_one(tree: Path) -> None:
    stop = threading.Event()
    listings: list[set[str]] = []
    messages: list[str] = []

    def churn() -> None:
        while not stop.is_set():
            for i in range(50):
                (tree / f"churn-{i}").touch()
            for i in range(50):
                (tree / f"churn-{i}").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    for _ in range(200):
        try:
            listings.append(set(scan(tree).paths()))
        except InvalidFile as error:
            messages.append(str(error))
    stop.set()
    thread.join()

    assert len(listings) + len(messages) == 200
    assert all({"a.txt", "sub/deep/x"} <= listing for listing in listings)
    assert all("churn-" in message for message in messages)
