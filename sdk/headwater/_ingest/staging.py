"""Take the bytes of local files: read what changed, hash it, and hand it to the stager."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_producer.stager import BlobStager
from headwater_schemas.entries import file_leaves
from headwater_schemas.errors import InvalidFile

from headwater._content.content import Difference
from headwater._ingest.scan import Scan, ScannedFile
from headwater._ingest.scan_diff import ScanDiff
from headwater._progress import Progress

if TYPE_CHECKING:
    from headwater_schemas.lthash import ContentSum

    from headwater._commit.client import Client

BYTES_PER_TURN = 4 * 1024 * 1024  # of small files, read before they are hashed and handed over together
FILES_PER_TURN = 512
T = TypeVar("T")

LARGE_FILES_AT_ONCE = min(4, os.cpu_count() or 1)

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class IngestedFolder:
    """Every file of a folder, taken. Row i of each column is one file."""

    paths: list[str]
    digests: list[bytes]  # stored form
    sizes: list[int]
    total: "ContentSum"
    difference: Difference | None  # from the last scan of this folder


def ingest_folder(client: "Client", stager: BlobStager, found: Scan) -> IngestedFolder:
    """Take all files of a scan; those that did not change since the last one, and are stored, are not read again.

    Raises: InvalidFile naming a file that cannot be read; StoreUnavailable, StoreReadOnly.
    """
    from headwater_schemas.lthash import sum_of

    diff = client.stat_cache.diff_scan(found, stager.algorithm)
    before = diff.previous_sum.digest() if diff.previous_sum.count else None
    recalled = diff.digests()
    digests = list(recalled)
    sizes = found.sizes()
    to_read = diff.changed_rows
    if before is None or not client.is_stored_version(stager.project, before):
        lacking = stager.missing([digest for digest in digests if digest is not None])
        to_read = [row for row, digest in enumerate(digests) if digest is None or digest in lacking]
    _read_rows(stager, found, to_read, digests, sizes, quiet=client.quiet)
    paths = found.paths()
    taken = [digest for digest in digests if digest is not None]
    assert len(taken) == len(paths), "every file that was not known was read"
    rows = diff.changed_rows
    now_paths, now_digests, now_sizes = _pick(paths, rows), _pick(taken, rows), _pick(sizes, rows)
    if any(known is not None and known != now for known, now in zip(recalled, taken, strict=True)):
        # Read only because the store lacked it, and changed since the scan: the diff is of no use then.
        total = sum_of(file_leaves(paths, taken, sizes), sum(sizes))
        return IngestedFolder(paths, taken, sizes, total, None)
    total = diff.updated_sum(now_paths, now_digests, now_sizes)
    client.stat_cache.store_scan(found, diff, now_digests, now_sizes, total)
    return IngestedFolder(paths, taken, sizes, total, _difference(before, diff, now_paths, now_digests))


def ingest_file(client: "Client", stager: BlobStager, found: ScannedFile) -> tuple[bytes, int]:
    """Take one file; returns digest and size. Raises: as `ingest_folder`."""
    known = client.stat_cache.lookup_file(found, stager.algorithm)
    if known is not None and not stager.missing([known]):
        return known, found.size
    digest, size = _ingest_any(stager, found.location)
    if size == found.size:
        client.stat_cache.store_file(found, digest)
    return digest, size


def _difference(
    before: str | None, diff: ScanDiff, paths: Sequence[str], digests: Sequence[bytes]
) -> Difference | None:
    if before is None:
        return None
    was = {file.path: file.digest for file in diff.superseded}
    changed = [path for path, digest in zip(paths, digests, strict=True) if was.get(path) != digest]
    return Difference(before, changed, sorted(was.keys() - set(paths)))


def _read_rows(
    stager: BlobStager,
    found: Scan,
    rows: Sequence[int],
    digests: "list[bytes | None]",
    sizes: list[int],
    *,
    quiet: bool,
) -> None:
    """Take the files in `rows`, and put what was taken into `digests` and `sizes`."""
    if not rows:
        return
    locations = found.locations()
    small = [row for row in rows if sizes[row] <= PACKED_FILE_BYTES_MAX]
    large = [row for row in rows if sizes[row] > PACKED_FILE_BYTES_MAX]
    with Progress("adding", total=sum(sizes[row] for row in rows), unit="B", quiet=quiet) as progress:
        for turn in _turns(small, sizes):
            contents = [_read_small(locations[row], sizes[row]) for row in turn]
            for row, digest, content in zip(turn, stager.ingest(contents), contents, strict=True):
                digests[row], sizes[row] = digest, len(content)
            progress.advance(sum(map(len, contents)))
        if large:
            _read_large(stager, locations, large, digests, sizes, progress)


def _read_large(
    stager: BlobStager,
    locations: Sequence[str],
    rows: Sequence[int],
    digests: "list[bytes | None]",
    sizes: list[int],
    progress: Progress,
) -> None:
    with ThreadPoolExecutor(LARGE_FILES_AT_ONCE, "headwater-adding") as pool:
        taken = pool.map(lambda row: _ingest_any(stager, locations[row]), rows)
        try:
            for row, (digest, size) in zip(rows, taken, strict=True):
                digests[row], sizes[row] = digest, size
                progress.advance(size)
        except BaseException:  # Ctrl-C, or a file that cannot be read: nobody wants the rest any more
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _turns(rows: Sequence[int], sizes: Sequence[int]) -> "list[list[int]]":
    """`rows` in turns of bounded number and bytes."""
    turns: list[list[int]] = [[]]
    size = 0
    for row in rows:
        if size > BYTES_PER_TURN or len(turns[-1]) == FILES_PER_TURN:
            turns.append([])
            size = 0
        turns[-1].append(row)
        size += sizes[row]
    return turns


def _read_small(location: str, size: int) -> bytes:
    try:
        descriptor = os.open(location, _OPEN)
        try:
            content = os.read(descriptor, size + 1)
            if len(content) == size:
                return content
            return _read_on(descriptor, content, location)  # it changed since it was looked at
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(location, error) from error


def _read_on(descriptor: int, content: bytes, location: str) -> bytes:
    pieces = [content]
    while piece := os.read(descriptor, PACKED_FILE_BYTES_MAX):
        pieces.append(piece)
        if sum(map(len, pieces)) > 2 * PACKED_FILE_BYTES_MAX:
            raise InvalidFile(f"{location!r} grows while it is read. Add it once whatever writes it is done.")
    return b"".join(pieces)


def _ingest_any(stager: BlobStager, location: str) -> tuple[bytes, int]:
    try:
        with open(location, "rb", buffering=0) as source:
            return stager.ingest_file(source)
    except OSError as error:
        raise unreadable(location, error) from error


class Written(tempfile.SpooledTemporaryFile[bytes]):
    """What somebody writes and may close, as many libraries do with what they write to; it is still to be taken."""

    def close(self) -> None:
        if not self.closed:
            self.flush()

    def __exit__(self, *_error: object) -> None:
        self.close()


@contextmanager
def written_here() -> Iterator[Written]:
    """Where to write what will be taken: in memory while it is small, on the disk when it is large."""
    written = Written(max_size=PACKED_FILE_BYTES_MAX)
    try:
        yield written
    finally:
        super(Written, written).close()


def ingest_written(stager: BlobStager, written: Written) -> tuple[bytes, int]:
    """Take what was written to such a file; returns digest and size."""
    size = written.seek(0, os.SEEK_END)
    written.flush()
    written.seek(0)
    if size <= PACKED_FILE_BYTES_MAX:
        return stager.ingest([written.read()])[0], size
    with open(os.dup(written.fileno()), "rb", buffering=0) as source:
        source.seek(0)
        return stager.ingest_file(source)


def unreadable(location: str, error: OSError) -> InvalidFile:
    """The error for a local file that cannot be read."""
    return InvalidFile(f"{location!r} cannot be read: {error.strerror or error}. Nothing of it was added.")


def _pick(column: Sequence[T], rows: Sequence[int]) -> list[T]:
    return [column[row] for row in rows]
