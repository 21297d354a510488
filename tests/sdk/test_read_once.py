"""What was read by one call is not read again by the next. Nothing here differs between the ways to run."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater._ingest import recent_reads, trust
from headwater_blobs.port import PACKED_FILE_BYTES_MAX

from tests.sdk.conftest import store as store
from tests.sdk.stat_caches import trusting_soon as trusting_soon
from tests.sdk.stat_caches import wait_until_trusted
from tests.support.bytes_read import BytesRead
from tests.support.modes import EMBEDDED

pytestmark = pytest.mark.usefixtures("store")

LARGE = PACKED_FILE_BYTES_MAX + 3


@pytest.fixture
def mode() -> str:
    return EMBEDDED


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "one" / "two.bin"
    path.parent.mkdir()
    path.write_bytes(os.urandom(LARGE))
    return path


@pytest.fixture
def bytes_read(large: Path, monkeypatch: pytest.MonkeyPatch) -> BytesRead:
    return BytesRead(large, monkeypatch)


def artifact() -> headwater.Artifact:
    return headwater.Artifact("data", "dataset")


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are large enough here to take longer than a tick."""
    monkeypatch.setattr(recent_reads, "TICK_NS", -1)
    monkeypatch.setattr(recent_reads, "COARSE_TICK_NS", -1)


@pytest.mark.usefixtures("quick_clock")
@pytest.mark.parametrize("policy", ["mutable", "immutable"])
def test_a_file_of_a_folder_that_was_just_added_is_not_read_again(
    large: Path, bytes_read: BytesRead, policy: Any
) -> None:
    filled = artifact()
    filled.add_dir(large.parent, name="one", policy=policy)
    assert bytes_read() >= LARGE

    entry = filled.add_file(large, policy=policy)
    again = filled.add_file(large, name="again.bin", policy=policy)

    assert bytes_read() == 0
    assert entry.digest == again.digest == filled.get_entry("one/two.bin").digest
    out = Path(filled.save().download(large.parent.parent / "out"))
    assert (out / "again.bin").read_bytes() == (out / "two.bin").read_bytes() == large.read_bytes()


@pytest.mark.usefixtures("quick_clock")
def test_a_file_that_was_only_hashed_is_read_where_its_bytes_are_wanted(large: Path, bytes_read: BytesRead) -> None:
    filled = artifact()
    filled.add_dir(large.parent, name="one", policy="immutable")
    bytes_read()

    filled.add_file(large)

    assert bytes_read() >= LARGE


@pytest.mark.usefixtures("quick_clock")
def test_to_verify_is_to_read(large: Path, bytes_read: BytesRead) -> None:
    filled = artifact()
    filled.add_dir(large.parent)
    bytes_read()

    filled.add_file(large, policy="verify")

    assert bytes_read() >= LARGE


@pytest.mark.usefixtures("quick_clock")
def test_a_file_that_was_changed_meanwhile_is_read_again(large: Path, bytes_read: BytesRead) -> None:
    filled = artifact()
    filled.add_dir(large.parent)
    large.write_bytes(changed := os.urandom(LARGE))

    filled.add_file(large)

    assert Path(filled.save().download(large.parent.parent / "out"), "two.bin").read_bytes() == changed


@pytest.mark.usefixtures("quick_clock")
def test_a_file_that_this_process_has_mapped_is_read_again(large: Path) -> None:
    filled = artifact()
    with open(large, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0] = 1
        filled.add_dir(large.parent, name="before")
        mapped[0] = 2
        filled.add_file(large, name="after.bin")

    out = Path(filled.save().download(large.parent.parent / "out"))
    assert (out / "before" / "two.bin").read_bytes()[0] == 1
    assert (out / "after.bin").read_bytes()[0] == 2


def test_a_file_that_was_read_within_a_tick_of_its_last_change_is_read_again(
    large: Path, bytes_read: BytesRead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_reads, "TICK_NS", trust.TRUSTED_AGE_NS)
    filled = artifact()
    filled.add_dir(large.parent)
    bytes_read()

    filled.add_file(large)

    assert bytes_read() >= LARGE


WAYS: dict[str, Callable[[headwater.Artifact, Path], object]] = {
    "the folder": lambda filled, path: filled.add_dir(path.parent),
    "the folder, named": lambda filled, path: filled.add_dir(path.parent, name="named"),
    "the folder above": lambda filled, path: filled.add_dir(path.parent.parent, ignore=["/store", "/cache"]),
    "the folder with rules": lambda filled, path: filled.add_dir(path.parent, ignore=["*.tmp"]),
    "the file": lambda filled, path: filled.add_file(path),
}


@pytest.mark.usefixtures("trusting_soon")
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", ["the folder", "the file"])
def test_a_large_file_that_is_old_enough_is_read_once_however_it_is_added(
    large: Path, bytes_read: BytesRead, first: str, second: str
) -> None:
    wait_until_trusted()
    WAYS[first](one := artifact(), large)
    one.save()
    assert bytes_read() >= LARGE

    WAYS[second](other := artifact(), large)

    assert bytes_read() == 0
    assert {entry.digest for entry in other.files() if entry.path.endswith("two.bin")} == {
        entry.digest for entry in one.files() if entry.path.endswith("two.bin")
    }
