"""Files that change through a memory map, which does not always move their times. Nothing here differs between the ways
to run.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import headwater
import numpy as np
import pytest
from headwater._ingest import trust

from tests.sdk.conftest import store as store
from tests.sdk.stat_caches import trusting_soon as trusting_soon
from tests.sdk.stat_caches import wait_until_trusted
from tests.support.bytes_read import BytesRead
from tests.support.modes import EMBEDDED

pytestmark = pytest.mark.usefixtures("store")

SIZES = [4096, 3 * 1024 * 1024]  # part of a pack, and an object of its own
Map = "np.memmap[tuple[int, ...], np.dtype[np.uint8]]"


@pytest.fixture
def mode() -> str:
    return EMBEDDED


def mapped(path: Path, size: int) -> Map:
    """A new file, all of whose pages are dirty and mapped for writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = np.memmap(path, dtype=np.uint8, mode="w+", shape=(size,))
    vectors[:] = 1
    return vectors


def log(path: Path, how: str) -> headwater.Artifact:
    artifact = headwater.Artifact("vectors", "dataset")
    if how == "add_file":
        artifact.add_file(path)
    else:
        artifact.add_dir(path.parent, policy="verify" if how == "verify" else "mutable")
    return artifact.save()


@pytest.fixture
def in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a file system that writes nothing back; elsewhere than on Linux, one that is taken for such."""
    if not os.path.isdir("/dev/shm"):
        monkeypatch.setattr(trust, "_mounted", lambda: [(tmp_path.stat().st_dev, "tmpfs")])
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def logged_byte(version: headwater.Artifact, out: Path) -> int:
    return Path(version.download(out), "vectors.bin").read_bytes()[7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["add_file", "add_dir"])
def test_a_change_to_a_page_that_is_dirty_already_is_logged(tmp_path: Path, how: str, size: int) -> None:
    path = tmp_path / "in" / "vectors.bin"
    vectors = mapped(path, size)
    log(path, how)

    vectors[7] = 2

    assert logged_byte(log(path, how), tmp_path / "out") == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["add_file", "add_dir"])
def test_where_no_time_tells_of_changes_they_are_logged_however_old_the_file_is(
    tmp_path: Path, in_memory: Path, monkeypatch: pytest.MonkeyPatch, how: str, size: int
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_AGE_NS", 1)
    path = in_memory / "in" / "vectors.bin"
    vectors = mapped(path, size)
    log(path, how)
    log(path, how)

    before = path.stat()
    vectors[7] = 2

    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert logged_byte(log(path, how), tmp_path / "out") == 2


@pytest.mark.usefixtures("trusting_soon")
@pytest.mark.parametrize("how", ["add_file", "add_dir"])
def test_a_file_is_read_once_more_by_the_next_log_and_then_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "in" / "vectors.bin"
    mapped(path, SIZES[0]).flush()
    bytes_read = BytesRead(path, monkeypatch)

    read = []
    for _ in range(4):
        log(path, how)
        read.append(bytes_read() > 0)
        wait_until_trusted()

    assert read == [True, True, False, False]
