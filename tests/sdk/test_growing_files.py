"""Files that grow while they are added, and what is open afterwards. Nothing here differs between the ways to run."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import headwater
import pytest
from headwater_blobs.port import CHUNK_BYTES, PACKED_FILE_BYTES_MAX
from headwater_schemas import digests

from tests.sdk.conftest import store as store
from tests.support.changing_files import ChangingFiles
from tests.support.descriptors import open_under, opened_since
from tests.support.modes import EMBEDDED

pytestmark = pytest.mark.usefixtures("store")

MIB = 2**20


@pytest.fixture
def mode() -> str:
    return EMBEDDED


@pytest.mark.parametrize(("how", "mebibytes"), [("add_dir", 1), ("add_dir", 2), ("add_file", 2), ("add_file", 3)])
@pytest.mark.parametrize("added", [1, 1000])
def test_a_file_of_whole_mebibytes_that_grows_while_it_is_read_is_kept_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, mebibytes: int, added: int
) -> None:
    assert PACKED_FILE_BYTES_MAX == MIB
    assert MIB % CHUNK_BYTES == 0  # what is read ends where the file did
    (folder := tmp_path / "data").mkdir()
    content, more = os.urandom(mebibytes * MIB), b"+" * added
    (path := folder / "log.txt").write_bytes(content)
    artifact = headwater.Artifact("logs", "dataset")

    changing = ChangingFiles(monkeypatch)
    changing.change(path, lambda: path.write_bytes(content + more))
    if how == "add_file":
        artifact.add_file(path)
    else:
        artifact.add_dir(folder)
    with headwater.init() as run:
        version = run.log_artifact(artifact).wait()

    entry = version.get_entry("log.txt")
    version.download(tmp_path / "out")
    kept = (tmp_path / "out" / "log.txt").read_bytes()
    assert changing.is_over
    assert kept == content + more
    assert (entry.size, entry.digest) == (len(kept), digests.to_text(_digest_of(kept)))


def add(artifact: headwater.Artifact, how: str, path: Path) -> None:
    """Add the file at `path`, in one of the ways in which a local file gets into an artifact."""
    match how:
        case "add_file":
            artifact.add_file(path)
        case "add_dir":
            artifact.add_dir(path.parent)
        case "immutable":
            artifact.add_file(path, policy="immutable")
        case "verify":
            artifact.add_dir(path.parent, policy="verify")
        case "reference":
            artifact.add_reference(path.as_uri())


HOWS = ["add_file", "add_dir", "immutable", "verify", "reference"]


@pytest.mark.parametrize("size", [100_000, 3 * MIB])
@pytest.mark.parametrize("how", HOWS)
def test_a_file_that_is_rewritten_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, size: int
) -> None:
    before, after = os.urandom(size), os.urandom(size)
    (path := tmp_path / "data" / "f.bin").parent.mkdir()
    path.write_bytes(before)
    artifact = headwater.Artifact("torn", "dataset")

    changing = ChangingFiles(monkeypatch)
    changing.change(path, lambda: path.write_bytes(after))
    add(artifact, how, path)
    artifact.save().download(tmp_path / "out")

    assert changing.is_over
    assert (tmp_path / "out" / "f.bin").read_bytes() == after


@pytest.mark.parametrize("size", [100_000, 3 * MIB])
@pytest.mark.parametrize("how", HOWS)
def test_a_file_that_is_rewritten_each_time_it_is_read_is_an_error_that_names_it_and_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, size: int
) -> None:
    (path := tmp_path / "data" / "f.bin").parent.mkdir()
    path.write_bytes(os.urandom(size))
    artifact = headwater.Artifact("torn", "dataset")

    ChangingFiles(monkeypatch).change(path, lambda: path.write_bytes(os.urandom(size)), times=1000)
    with pytest.raises(headwater.errors.InvalidFile, match=rf"^'{path}' changed each of 5 times while it was read"):
        add(artifact, how, path)

    assert artifact.file_count == 0


REWRITTEN_BYTES = 256 * MIB
OVERWRITE = """
import sys
with open(sys.argv[1], "r+b", buffering=0) as file:
    content = b"b" * int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    assert file.write(content) == len(content)
"""


def test_a_write_that_is_in_progress_when_a_file_is_read_is_waited_for(tmp_path: Path) -> None:
    """One call writes it all, so its times move only when that begins."""
    (path := tmp_path / "data" / "f.bin").parent.mkdir()
    path.write_bytes(b"a" * REWRITTEN_BYTES)
    before = path.stat().st_mtime_ns
    artifact = headwater.Artifact("torn", "dataset")

    command = [sys.executable, "-c", OVERWRITE, str(path), str(REWRITTEN_BYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdout.readline()
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
        while path.stat().st_mtime_ns == before:
            pass
        artifact.add_reference(path.as_uri())

    assert writer.returncode == 0
    (entry,) = artifact.manifest.entries.values()
    assert entry.digest == digests.to_text(_digest_of(b"b" * REWRITTEN_BYTES))


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
