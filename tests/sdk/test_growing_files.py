"""Files that grow while they are added, and what is open afterwards. Nothing here differs between the ways to run."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import headwater
import pytest
from headwater_blobs.port import CHUNK_BYTES, PACKED_FILE_BYTES_MAX
from headwater_schemas import digests

from tests.sdk.conftest import store as store
from tests.support.descriptors import open_under, opened_since
from tests.support.modes import EMBEDDED

pytestmark = pytest.mark.usefixtures("store")

MIB = 2**20


@pytest.fixture
def mode() -> str:
    return EMBEDDED


@pytest.fixture
def grows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, bytes], None]]:
    """Makes a file grow the moment it is first read from, after its size was looked at."""
    more: dict[int, tuple[Path, bytes]] = {}
    really = {name: getattr(os, name) for name in ("read", "readv", "preadv")}

    def reading(name: str) -> Callable[..., object]:
        def read(descriptor: int, *arguments: object) -> object:
            inode = os.fstat(descriptor).st_ino
            if inode in more:
                path, added = more.pop(inode)
                with open(path, "ab") as file:
                    file.write(added)
            return really[name](descriptor, *arguments)

        return read

    for name in really:
        monkeypatch.setattr(os, name, reading(name))
    yield lambda path, added: more.update({path.stat().st_ino: (path, added)})
    assert more == {}, "it was not read"


@pytest.mark.parametrize(("how", "mebibytes"), [("add_dir", 1), ("add_dir", 2), ("add_file", 2), ("add_file", 3)])
@pytest.mark.parametrize("added", [1, 1000])
def test_a_file_of_whole_mebibytes_that_grows_while_it_is_read_is_kept_as_it_was_read(
    tmp_path: Path, grows: Callable[[Path, bytes], None], how: str, mebibytes: int, added: int
) -> None:
    assert PACKED_FILE_BYTES_MAX == CHUNK_BYTES == MIB
    (folder := tmp_path / "data").mkdir()
    content, more = os.urandom(mebibytes * MIB), b"+" * added
    (path := folder / "log.txt").write_bytes(content)
    artifact = headwater.Artifact("logs", "dataset")

    grows(path, more)
    if how == "add_file":
        artifact.add_file(path)
    else:
        artifact.add_dir(folder)
    with headwater.init() as run:
        version = run.log_artifact(artifact).wait()

    entry = version.get_entry("log.txt")
    version.download(tmp_path / "out")
    kept = (tmp_path / "out" / "log.txt").read_bytes()
    assert kept == content + more
    assert (entry.size, entry.digest) == (len(kept), digests.to_text(_digest_of(kept)))


def _digest_of(content: bytes) -> bytes:
    return digests.pack(digests.XXH3, digests.one_shot(digests.XXH3)(content))


def _version(tmp_path: Path) -> headwater.Artifact:
    files = {"a": b"1", "d/e/b": b"2", "large.bin": os.urandom(3 * MIB), "d/Mixed Case": b"3"}
    artifact = headwater.Artifact("data", "dataset")
    for path, content in files.items():
        with artifact.new_file(path, "wb") as file:
            file.write(content)
    (tmp_path / "elsewhere").write_bytes(b"referred to")
    artifact.add_reference((tmp_path / "elsewhere").as_uri(), name="elsewhere")
    with headwater.init() as run:
        return run.log_artifact(artifact).wait()


@pytest.fixture
def without_collections() -> Iterator[None]:
    """No garbage is collected: what is closed is closed because nothing refers to it."""
    gc.disable()
    yield
    gc.enable()


def _open_for_downloads(tmp_path: Path) -> list[str]:
    """What is open in the test's folder, apart from what the store and the cache keep open."""
    return [path for path in open_under(tmp_path) if "/store/" not in path and "/cache/" not in path]


@pytest.mark.usefixtures("without_collections")
def test_no_descriptor_is_left_after_a_download(tmp_path: Path) -> None:
    version = _version(tmp_path)
    version.download(tmp_path / "warm")  # what the store keeps open is open by now
    before = open_under(tmp_path)

    for number in range(3):
        version.download(tmp_path / f"out-{number}")
        version.download(tmp_path / f"out-{number}")
        version.checkout(tmp_path / f"checked-out-{number}")
        version.verify(tmp_path / f"out-{number}")

    assert _open_for_downloads(tmp_path) == []
    assert opened_since(tmp_path, before) == []


@pytest.mark.usefixtures("without_collections")
def test_no_descriptor_is_left_after_a_download_that_failed(tmp_path: Path) -> None:
    version = _version(tmp_path)
    version.download(tmp_path / "warm")
    before = open_under(tmp_path)
    (tmp_path / "elsewhere").unlink()
    (tmp_path / "out" / "d").mkdir(parents=True)
    (tmp_path / "file").write_text("in the way")

    for root in (tmp_path / "out", tmp_path / "file"):
        with pytest.raises(headwater.errors.HeadwaterError):
            version.download(root)

    assert _open_for_downloads(tmp_path) == []
    assert opened_since(tmp_path, before) == []


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("method", ["download", "checkout", "verify"])
@pytest.mark.parametrize("blocked", ["a", "d", "d/e", "large.bin", "elsewhere"])
def test_no_descriptor_is_left_where_something_blocks_a_name(tmp_path: Path, method: str, blocked: str) -> None:
    version = _version(tmp_path)
    version.download(tmp_path / "warm")
    before = open_under(tmp_path)
    in_the_way = tmp_path / "out" / blocked
    in_the_way.parent.mkdir(parents=True)
    if blocked in ("d", "d/e"):
        in_the_way.write_text("a file")
    else:
        in_the_way.mkdir()
    (tmp_path / "out" / ".git").mkdir()  # which a checkout refuses

    with pytest.raises(headwater.errors.HeadwaterError):
        getattr(version, method)(tmp_path / "out")

    assert opened_since(tmp_path, before) == []


@pytest.mark.usefixtures("without_collections")
def test_no_descriptor_is_left_where_several_threads_fail(tmp_path: Path) -> None:
    artifact = headwater.Artifact("data", "dataset")
    for number in range(8):
        (tmp_path / f"elsewhere-{number}").write_bytes(b"referred to")
        artifact.add_reference((tmp_path / f"elsewhere-{number}").as_uri(), name=f"d/{number}")
    with headwater.init() as run:
        version = run.log_artifact(artifact).wait()
    version.download(tmp_path / "warm")
    before = open_under(tmp_path)
    for number in range(8):
        (tmp_path / f"elsewhere-{number}").unlink()

    for attempt in range(8):
        with pytest.raises(headwater.errors.HeadwaterError):
            version.download(tmp_path / f"out-{attempt}")

    assert opened_since(tmp_path, before) == []
