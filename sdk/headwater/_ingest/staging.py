"""Ingest local files: read those that changed, hash them, and stage their bytes."""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, Watch
from headwater_producer.stager import BlobStager
from headwater_schemas.entries import file_identity, file_leaves
from headwater_schemas.lthash import ContentSum, sum_of
from headwater_stores.telling.progress import Progress

from headwater._content.content import ContentDelta
from headwater._ingest.recent_reads import (
    RecentReads,
    is_large,
    known_digest,
    large_among,
    recall_large,
    remember_large,
)
from headwater._ingest.scan import Scan, ScannedFile
from headwater._ingest.scan_diff import ScanDiff
from headwater._ingest.small_files import read_small_files, unreadable_file
from headwater._ingest.stat_cache import StatCache

LARGE_FILES_AT_ONCE = min(4, os.cpu_count() or 1)

T = TypeVar("T")


class IngestClient(Protocol):
    """What ingesting needs of a client."""

    @property
    def stat_cache(self) -> StatCache: ...

    @property
    def quiet(self) -> bool: ...

    def is_stored_version(self, project: str, digest: str) -> bool:
        """Whether a version with this digest exists, and the store has its content."""
        ...


@dataclass(frozen=True, slots=True)
class IngestedFolder:
    """All files of a folder, staged. Row i of each column is one file."""

    paths: list[str]
    digests: list[bytes]  # stored form
    sizes: list[int]
    executable: list[int] | None  # the rows whose file is; None where the file system does not keep it
    total: ContentSum
    delta: ContentDelta | None  # from the cached state of this folder


def ingest_folder(
    client: IngestClient, stager: BlobStager, scanned: Scan, reads: RecentReads, *, verify: bool = False
) -> IngestedFolder:
    """Ingest all files of a scan. Files that are stored, and have not changed since they were read, are not read again.

    `reads` is told which large files were read. `verify` reads all files, and what is stored of them, so that what is
    damaged in the store is stored anew.
    Raises: InvalidFile naming a file that cannot be read; StoreUnavailable, StoreReadOnly.
    """
    with _kept_if_it_fails(stager):
        return _ingest_folder(client, stager, scanned, reads, verify=verify)


def _ingest_folder(
    client: IngestClient, stager: BlobStager, scanned: Scan, reads: RecentReads, *, verify: bool
) -> IngestedFolder:
    if verify:
        client.stat_cache.forget_scan(scanned, stager.algorithm)
    diff = client.stat_cache.diff_scan(scanned, stager.algorithm)
    previous = diff.previous_sum.digest() if diff.previous_sum.count else None
    cached = diff.digests()
    digests = list(cached)
    sizes = scanned.sizes()
    if not verify:
        recall_large(client.stat_cache, stager.algorithm, scanned, diff.changed_rows, digests)
    rows: Sequence[int] = diff.changed_rows
    if previous is None or not client.is_stored_version(stager.project, previous):
        rows = range(len(digests))
    missing = stager.missing([digest for row in rows if (digest := digests[row]) is not None])
    to_read = [row for row in rows if digests[row] is None or digests[row] in missing]
    paths = scanned.paths()
    with Progress(
        "adding", total=sum(sizes[row] for row in to_read), unit="B", files=len(to_read), quiet=client.quiet
    ) as progress:
        _ingest_rows(stager, scanned, to_read, paths, digests, sizes, progress, verify=verify)
    stager.stage_ahead()
    remember_large(client.stat_cache, reads, scanned, to_read, digests, sizes)
    known = [digest for digest in digests if digest is not None]
    assert len(known) == len(paths), "every file without a cached digest was read"
    rows, known_executable = diff.changed_rows, scanned.known_executable()
    executable = known_executable or []
    read_paths, read_digests, read_sizes = _select(paths, rows), _select(known, rows), _select(sizes, rows)
    read_executable = _indexes_of(executable, rows)
    if any(before is not None and before != now for before, now in zip(cached, known, strict=True)):
        # A file was read only because the store lacked it, and has changed since the scan, so the diff is outdated.
        total = sum_of(file_leaves(paths, known, sizes, executable), sum(sizes), remember=True)
        return IngestedFolder(paths, known, sizes, known_executable, total, None)
    total = diff.updated_sum(read_paths, read_digests, read_sizes, read_executable)
    client.stat_cache.store_scan(scanned, diff, read_digests, read_sizes, total)
    delta = _delta(previous, diff, read_paths, _identities(read_digests, read_executable))
    return IngestedFolder(paths, known, sizes, known_executable, total, delta)


def ingest_file(
    client: IngestClient, stager: BlobStager, scanned: ScannedFile, reads: RecentReads, *, verify: bool = False
) -> tuple[bytes, int]:
    """Ingest one file; returns digest and size. A file of `reads` is not read again.

    `verify` and what it raises are as for `ingest_folder`.
    """
    known = None if verify else known_digest(client.stat_cache, stager.algorithm, scanned, reads)
    if known is not None and not stager.missing([known]):
        return known, scanned.size
    name = os.path.basename(scanned.location)
    with (
        _kept_if_it_fails(stager),
        Progress("adding", total=scanned.size, unit="B", quiet=client.quiet) as progress,
        progress.file(name, scanned.size) as file,
    ):
        digest, size = _ingest_any(stager, scanned.location, verify=verify, watch=file.watch)
    if size == scanned.size:
        client.stat_cache.store_file(scanned, digest)
        if is_large(size):
            reads.note(scanned, digest)
    return digest, size


@contextmanager
def _kept_if_it_fails(stager: BlobStager) -> Iterator[None]:
    """What is staged when somebody presses Ctrl-C is not staged again when the same is added again."""
    try:
        yield
    except BaseException:
        stager.keep_staged()
        raise


def _delta(
    previous: str | None, diff: ScanDiff, paths: Sequence[str], identities: Sequence[bytes]
) -> ContentDelta | None:
    """The change from content of the digest `previous`, given the paths and identities of the changed rows."""
    if previous is None:
        return None
    superseded = {file.path: file.identity for file in diff.superseded}
    changed = [path for path, identity in zip(paths, identities, strict=True) if superseded.get(path) != identity]
    return ContentDelta(previous, changed, sorted(superseded.keys() - set(paths)))


def _ingest_rows(
    stager: BlobStager,
    scanned: Scan,
    rows: Sequence[int],
    paths: Sequence[str],
    digests: "list[bytes | None]",
    sizes: list[int],
    progress: Progress,
    *,
    verify: bool,
) -> None:
    """Ingest the files in `rows`, and set their `digests` and `sizes`."""
    if not rows:
        return
    large = large_among(rows, sizes)
    small = rows if not large else [row for row in rows if not is_large(sizes[row])]
    for batch, contents in read_small_files(scanned, small):
        for row, digest, content in zip(batch, stager.ingest(contents, verify=verify), contents, strict=True):
            digests[row], sizes[row] = digest, len(content)
        progress.advance(sum(map(len, contents)), files=len(batch), name=paths[batch[-1]])
    if large:
        _ingest_large(stager, scanned.locations(), large, paths, digests, sizes, progress, verify=verify)


def _ingest_large(
    stager: BlobStager,
    locations: Sequence[str],
    rows: Sequence[int],
    paths: Sequence[str],
    digests: "list[bytes | None]",
    sizes: list[int],
    progress: Progress,
    *,
    verify: bool,
) -> None:
    stopped = threading.Event()

    def ingest(row: int) -> tuple[bytes, int]:
        with progress.file(paths[row], sizes[row]) as file:

            def watch(activity: str, amount: int) -> None:
                if stopped.is_set():
                    raise CancelledError
                file.watch(activity, amount)

            return _ingest_any(stager, locations[row], verify=verify, watch=watch)

    with ThreadPoolExecutor(LARGE_FILES_AT_ONCE, "headwater-adding") as pool:
        try:
            for row, (digest, size) in zip(rows, pool.map(ingest, rows), strict=True):
                digests[row], sizes[row] = digest, size
        except BaseException:  # Ctrl-C, or a file that cannot be read: the rest is not needed
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ingest_any(stager: BlobStager, location: str, *, verify: bool, watch: Watch) -> tuple[bytes, int]:
    try:
        with open(location, "rb", buffering=0) as source:
            return stager.ingest_file(source, verify=verify, watch=watch)
    except OSError as error:
        raise unreadable_file(location, error) from error


class SpooledFile(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file that the caller may close, as many libraries do, and that can still be ingested afterwards."""

    def close(self) -> None:
        if not self.closed:
            self.flush()

    def __exit__(self, *_error: object) -> None:
        self.close()


@contextmanager
def spooled_file() -> Iterator[SpooledFile]:
    """A file to write content to: in memory while it is small, on disk when it is large."""
    file = SpooledFile(max_size=PACKED_FILE_BYTES_MAX)
    try:
        yield file
    finally:
        super(SpooledFile, file).close()


def ingest_spooled(client: IngestClient, stager: BlobStager, file: SpooledFile, name: str) -> tuple[bytes, int]:
    """Ingest what was written to a spooled file, which is shown as `name`; returns digest and size."""
    size = file.seek(0, os.SEEK_END)
    file.flush()
    file.seek(0)
    if size <= PACKED_FILE_BYTES_MAX:
        return stager.ingest([file.read()])[0], size
    with open(os.dup(file.fileno()), "rb", buffering=0) as source:
        source.seek(0)
        with (
            Progress("adding", total=size, unit="B", quiet=client.quiet) as progress,
            progress.file(name, size) as shown,
        ):
            return stager.ingest_file(source, watch=shown.watch)


def _identities(digests: Sequence[bytes], executable: Sequence[int]) -> list[bytes]:
    found = list(digests)
    for i in executable:
        found[i] = file_identity(found[i], True)
    return found


def _indexes_of(wanted: Sequence[int], rows: Sequence[int]) -> list[int]:
    """Where in `rows` the `wanted` ones are."""
    if not wanted:
        return []
    of_row = set(wanted)
    return [i for i, row in enumerate(rows) if row in of_row]


def _select(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    return column if len(rows) == len(column) else [column[row] for row in rows]
