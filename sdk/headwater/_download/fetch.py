"""Fetch missing and differing entries into a folder, each completely or not at all.

Small files are read in batches and written by one thread, because Python and the file system dominate their cost; large
files and references are fetched by several threads.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import TypeVar

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, ContentReads
from headwater_consumer import queries
from headwater_runtime.thread_pool import run_in_threads
from headwater_schemas.entries import BlobLocation
from headwater_stores.telling.progress import CHECKING, DOWNLOADING, FileProgress, Progress

from headwater._download.etag_cache import EtagCache
from headwater._download.integrity import integrity_check, reference_of, watched_check
from headwater._download.link_resolver import EntryPage
from headwater._download.target import DownloadTarget
from headwater._references import schemes

BYTES_PER_BATCH = 4 * 1024 * 1024  # of small files, in memory at once
FILES_PER_BATCH = 1024
LARGE_FILES_AT_ONCE = min(4, os.cpu_count() or 1)
REFERENCES_AT_ONCE = 8  # they mostly wait for servers

T = TypeVar("T", bytes, memoryview)


class Fetcher:
    """Fetches entries that the target lacks."""

    def __init__(
        self,
        blobs: ContentReads,
        target: DownloadTarget,
        progress: Progress,
        etag_cache: EtagCache,
        *,
        hard_links: bool = False,
    ) -> None:
        """`hard_links`: link large files to the store's own files where the disk allows it."""
        self._blobs = blobs
        self._target = target
        self._progress = progress
        self._etag_cache = etag_cache
        self._hard_links = hard_links
        self._lock = threading.Lock()
        self.fetched_files = self.fetched_bytes = 0  # without those that the target had
        self._stopped = threading.Event()  # ends the other threads before their large file is complete
        self._ahead: str | None = None

    def fetch_ahead(self, info: queries.EntryInfo) -> None:
        """Fetch one file; `fetch` then skips it in the page that contains it."""
        self.fetch([info])
        self._ahead = info.path

    def fetch(self, page: EntryPage) -> None:
        """Fetch the files of `page` that the target lacks. Raises: as `download`; files that are complete stay."""
        missing = []
        large, references = [], []
        for info in page:
            if info.path == self._ahead:
                continue
            if info.digest is None:
                references.append(info)
            elif _size(info) > PACKED_FILE_BYTES_MAX:
                large.append(info)
            elif self._has_file(info):
                self._progress.advance(_size(info), files=1, name=info.path)
            else:
                missing.append(info)
        for batch in _batches(missing):
            self._fetch_small(batch)
        run_in_threads(self._fetch_large, large, LARGE_FILES_AT_ONCE, self._stopped)
        run_in_threads(self._fetch_reference, references, REFERENCES_AT_ONCE, self._stopped)

    def _fetch_small(self, batch: EntryPage) -> None:
        contents = self._blobs.read_many([(location_of(info), _digest(info)) for info in batch])
        write_file = self._target.write_file
        for info, content in zip(batch, contents, strict=True):
            write_file(info.path, (content,), executable=info.executable)
        size = sum(map(len, contents))
        self._count_fetched(len(batch), size)
        self._progress.advance(size, files=len(batch), name=batch[-1].path)

    def _fetch_large(self, info: queries.EntryInfo) -> None:
        with self._progress.file(info.path, _size(info)) as file:
            if self._has_file(info, file):
                return
            if not (self._hard_links and self._hard_link(info, file)):
                pieces = self._watched(file, DOWNLOADING, self._blobs.stream(location_of(info), _digest(info)))
                self._target.write_file(info.path, pieces, executable=info.executable)
        self._count_fetched(1, _size(info))

    def _has_file(self, info: queries.EntryInfo, file: FileProgress | None = None) -> bool:
        check = integrity_check(info)
        if check is not None and file is not None:
            check = watched_check(check, partial(self._advance, file, CHECKING))
        return self._target.has_content(info.path, _size(info), check, executable=info.executable)

    def _hard_link(self, info: queries.EntryInfo, file: FileProgress) -> bool:
        """Link to the stored object after verifying its bytes; False where a copy is needed."""
        location = location_of(info)
        if (source := self._blobs.local_file(location)) is None:
            return False
        for _ in self._watched(file, CHECKING, self._blobs.stream(location, _digest(info))):
            pass  # reading to the end verifies
        return self._target.hard_link(info.path, source, executable=info.executable)

    def _fetch_reference(self, info: queries.EntryInfo) -> None:
        with self._progress.file(info.path, info.size) as file:
            # What cannot be verified is fetched again: an ETag alone cannot, unless its content was fetched before.
            check = self._etag_cache.integrity_check(info)
            if check is not None:
                check = watched_check(check, partial(self._advance, file, CHECKING))
            if self._target.has_content(info.path, info.size, check):
                return
            pieces = self._etag_cache.recording(info, schemes.fetch(reference_of(info)))
            self._target.write_file(info.path, self._watched(file, DOWNLOADING, pieces))
        self._count_fetched(1, file.meter.done)

    def _watched(self, file: FileProgress, activity: str, pieces: Iterable[T]) -> Iterator[T]:
        """The pieces of a large file, until all threads are to end."""
        for piece in pieces:
            yield piece
            self._advance(file, activity, len(piece))
        self._check_not_stopped()  # after the last piece the file gets its name

    def _advance(self, file: FileProgress, activity: str, amount: int) -> None:
        self._check_not_stopped()
        file.watch(activity, amount)

    def _check_not_stopped(self) -> None:
        if self._stopped.is_set():
            raise CancelledError

    def _count_fetched(self, files: int, size: int) -> None:
        with self._lock:
            self.fetched_files += files
            self.fetched_bytes += size


def _batches(infos: EntryPage) -> Iterator[EntryPage]:
    """Split `infos` into batches of bounded number and bytes."""
    batch: list[queries.EntryInfo] = []
    size = 0
    for info in infos:
        if batch and (size + _size(info) > BYTES_PER_BATCH or len(batch) == FILES_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(info)
        size += _size(info)
    if batch:
        yield batch


def location_of(info: queries.EntryInfo) -> BlobLocation:
    """The location of a stored file's bytes."""
    assert info.object_name is not None
    assert info.object_offset is not None
    return BlobLocation(info.object_name, info.object_offset, _size(info))


def _size(info: queries.EntryInfo) -> int:
    assert info.size is not None
    return info.size


def _digest(info: queries.EntryInfo) -> bytes:
    assert info.digest is not None
    return info.digest
