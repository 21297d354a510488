"""A cache in a folder of the test's, a tree of files for it, and what logging that tree does with both."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from headwater._ingest import trust
from headwater._ingest.scan import ScannedFile, scan, scan_file
from headwater._ingest.stat_cache import StatCache
from headwater_schemas.digests import XXH3, one_shot, pack
from headwater_schemas.entries import file_leaves
from headwater_schemas.lthash import ContentSum, sum_of

LATER_NS = trust.TRUSTED_AGE_NS + 10_000_000_000  # by then every file is trusted that may be
SOON_NS = 100_000_000


def digest_of(content: bytes, algorithm: str = XXH3) -> bytes:
    return pack(algorithm, one_shot(algorithm)(content))


@dataclass(frozen=True)
class LoggedFolder:
    """One folder, logged as an artifact would be."""

    digests: dict[str, bytes]
    content_sum: ContentSum
    read: list[str]  # paths of the files that had to be read
    kept: bool


def log(
    cache: StatCache,
    root: Path,
    prefix: str = "",
    algorithm: str = XXH3,
    *,
    settled: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> LoggedFolder:
    """Scan, diff, read what must be read, remember. `settled`: as if looked at long after the last change.

    `meanwhile` happens between the look at the files and the first read.
    """
    found = scan(root, prefix)
    if settled:
        found = replace(found, started_ns=found.started_ns + LATER_NS)
    diff = cache.diff_scan(found, algorithm)
    meanwhile()
    paths, locations, sizes, digests = found.paths(), found.locations(), found.sizes(), diff.digests()
    assert [row for row, digest in enumerate(digests) if digest is None] == diff.changed_rows
    for row in diff.changed_rows:
        content = Path(locations[row]).read_bytes()
        digests[row], sizes[row] = digest_of(content, algorithm), len(content)
    every = [digest for digest in digests if digest is not None]
    read_digests, read_sizes = [every[row] for row in diff.changed_rows], [sizes[row] for row in diff.changed_rows]
    read = [paths[row] for row in diff.changed_rows]
    executable = found.executable()
    read_executable = [i for i, row in enumerate(diff.changed_rows) if row in executable]
    content_sum = diff.updated_sum(read, read_digests, read_sizes, read_executable)
    whole = sum_of(file_leaves(paths, every, sizes, executable), sum(sizes))
    assert content_sum == whole, "the change gives the sum of the whole"
    kept = cache.store_scan(found, diff, read_digests, read_sizes, content_sum)
    return LoggedFolder(dict(zip(paths, every, strict=True)), content_sum, read, kept)


def truth(root: Path, prefix: str = "", algorithm: str = XXH3) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {prefix + path.relative_to(root).as_posix(): digest_of(path.read_bytes(), algorithm) for path in files}


@pytest.fixture
def trusting_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are trusted a moment after they changed, and whatever file system they are on."""
    monkeypatch.setattr(trust, "TRUSTED_AGE_NS", SOON_NS)
    monkeypatch.setattr(trust, "SILENT_FILE_SYSTEMS", frozenset())


def wait_until_trusted() -> None:
    """With `trusting_soon`."""
    time.sleep(2 * SOON_NS / 1e9)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trust, "SILENT_FILE_SYSTEMS", frozenset())  # wherever the tests run
    return tmp_path / "cache" / "cache.sqlite"


@pytest.fixture
def cache(place: Path) -> StatCache:
    return StatCache.open(place)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for i in range(12):
        path = root / f"folder-{i % 3}" / f"file-{i:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % i)
    return root


def settled_file(path: Path) -> ScannedFile:
    found = scan_file(path)
    return replace(found, started_ns=found.started_ns + LATER_NS)
