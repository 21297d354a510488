"""Fetch entries into a folder: those that are missing or damaged, each whole or not at all.

Small files are read many at a time and written by one thread, because most of their cost is Python's and the file
system's; large files and what is elsewhere by several.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore
from headwater_consumer import queries
from headwater_schemas.entries import BlobLocation

from headwater import _references
from headwater._download.etag_cache import Fetched
from headwater._download.integrity import proof_of, reference_of
from headwater._download.link_resolver import Page
from headwater._download.target import Target
from headwater._download.thread_pool import for_each
from headwater._progress import Progress

BYTES_PER_TURN = 4 * 1024 * 1024  # of small files, in memory at once
FILES_PER_TURN = 1024
LARGE_FILES_AT_ONCE = min(4, os.cpu_count() or 1)
REFERENCES_AT_ONCE = 8  # they wait for servers more than they work


class Fetching:
    """Fetches entries that the target lacks."""

    def __init__(
        self, blobs: BlobStore, target: Target, progress: Progress, fetched: Fetched, *, hard_links: bool = False
    ) -> None:
        """`hard_links`: large files become further names of the store's own, where the disk can do that."""
        self._blobs = blobs
        self._target = target
        self._progress = progress
        self._fetched = fetched
        self._hard_links = hard_links
        self._lock = threading.Lock()
        self._stopped = threading.Event()  # others must not go on for as long as a large file takes
        self._ahead: str | None = None

    def fetch_ahead(self, info: queries.EntryInfo) -> None:
        """Make one file be there; a page that has it does not fetch it again."""
        self.fetch([info])
        self._ahead = info.path

    def fetch(self, page: Page) -> None:
        """Make every file of `page` be there. Raises: what `download` raises; what landed before stays."""
        holds, missing = self._target.holds, []
        large, elsewhere = [], []
        for info in page:
            if info.path == self._ahead:
                continue
            if info.digest is None:
                elsewhere.append(info)
            elif _size(info) > PACKED_FILE_BYTES_MAX:
                large.append(info)
            elif holds(info.path, _size(info), proof_of(info)):
                self._advance(_size(info))
            else:
                missing.append(info)
        for turn in _turns(missing):
            self._fetch_small(turn)
        for_each(self._fetch_large, large, LARGE_FILES_AT_ONCE, self._stopped)
        for_each(self._fetch_reference, elsewhere, REFERENCES_AT_ONCE, self._stopped)

    def _fetch_small(self, turn: Page) -> None:
        contents = self._blobs.read_many([(place_of(info), _digest(info)) for info in turn])
        land = self._target.land
        for info, content in zip(turn, contents, strict=True):
            land(info.path, (content,))
        self._advance(sum(map(len, contents)))

    def _fetch_large(self, info: queries.EntryInfo) -> None:
        if self._target.holds(info.path, _size(info), proof_of(info)) or (self._hard_links and self._link(info)):
            self._advance(_size(info))
        else:
            self._target.land(info.path, self._counted(self._blobs.stream(place_of(info), _digest(info))))

    def _link(self, info: queries.EntryInfo) -> bool:
        """Link to the stored object once its bytes are known to be right; False where a copy must do."""
        place = place_of(info)
        if (source := self._blobs.file_of(place)) is None:
            return False
        for _ in self._blobs.stream(place, _digest(info)):
            self._check_wanted()
        return self._target.link(info.path, source)

    def _fetch_reference(self, info: queries.EntryInfo) -> None:
        # What nothing proves is fetched again: an ETag says nothing about bytes, until they came here once.
        if self._target.holds(info.path, info.size, self._fetched.proof_of(info)):
            self._advance(info.size or 0)
        else:
            pieces = self._fetched.noted(info, _references.fetch(reference_of(info)))
            self._target.land(info.path, self._counted(pieces))

    def _counted(self, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for piece in pieces:
            self._check_wanted()
            yield piece
            self._advance(len(piece))
        self._check_wanted()  # after the last one a file lands

    def _check_wanted(self) -> None:
        if self._stopped.is_set():
            raise CancelledError

    def _advance(self, size: int) -> None:
        with self._lock:
            self._progress.advance(size)


def _turns(infos: Page) -> Iterator[Page]:
    """`infos` in turns of bounded number and bytes."""
    turn: list[queries.EntryInfo] = []
    size = 0
    for info in infos:
        if turn and (size + _size(info) > BYTES_PER_TURN or len(turn) == FILES_PER_TURN):
            yield turn
            turn, size = [], 0
        turn.append(info)
        size += _size(info)
    if turn:
        yield turn


def place_of(info: queries.EntryInfo) -> BlobLocation:
    """Where the bytes of a file are."""
    assert info.object_name is not None
    assert info.object_offset is not None
    return BlobLocation(info.object_name, info.object_offset, _size(info))


def _size(info: queries.EntryInfo) -> int:
    assert info.size is not None
    return info.size


def _digest(info: queries.EntryInfo) -> bytes:
    assert info.digest is not None
    return info.digest
