"""The contents of a store for who reads them: found again where they were moved between the look-up and the read.

A collector rewrites packs, and deletes the old ones once every partition knows of it. Who looked a place up before then
asks for it again. Bytes are verified wherever they are read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing, StoreUnavailable

from headwater_stores.catching_up import catch_up
from headwater_stores.stores import Stores

MOVES_FOLLOWED_MAX = 16  # of one content while it is read; a collector rewrites by halves
CATCH_UP_S = 30.0  # for the projection to have what was moved

T = TypeVar("T")


class StoreContents:
    """The `ContentReads` of a store. What was not moved and is gone is missing, as in a blob store."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._blobs = stores.blobs

    def read(self, location: BlobLocation, digest: bytes) -> bytes:
        """As `BlobStore.read`."""
        return self._following([location], lambda places: self._blobs.read(places[0], digest))

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        """As `BlobStore.read_many`."""
        digests = [digest for _, digest in wanted]
        return self._following(
            [place for place, _ in wanted],
            lambda places: self._blobs.read_many(list(zip(places, digests, strict=True))),
        )

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        """As `BlobStore.stream`. What is deleted once the first piece was read is missing."""
        return self._streamed(location, lambda place: self._blobs.stream(place, digest))

    def stream_part(self, location: BlobLocation, start: int, size: int) -> Iterator[memoryview]:
        """As `BlobStore.stream_part`, and as `stream`."""
        return self._streamed(location, lambda place: self._blobs.stream_part(place, start, size))

    def local_file(self, location: BlobLocation) -> str | None:
        """As `BlobStore.local_file`; None for what was moved."""
        return self._blobs.local_file(location)

    def _streamed(
        self, location: BlobLocation, begin: Callable[[BlobLocation], Iterator[memoryview]]
    ) -> Iterator[memoryview]:
        def begun(places: Sequence[BlobLocation]) -> tuple[memoryview | None, Iterator[memoryview]]:
            pieces = begin(places[0])
            return next(pieces, None), pieces

        first, rest = self._following([location], begun)
        if first is not None:
            yield first
            yield from rest

    def _following(self, places: Sequence[BlobLocation], read: Callable[[Sequence[BlobLocation]], T]) -> T:
        """What `read` returns for these places, or for where their content is by then. Raises: as `read`."""
        for _ in range(MOVES_FOLLOWED_MAX):
            try:
                return read(places)
            except BlobMissing:
                now = self._moved(places)
                if now is None:
                    raise
                places = now
        return read(places)

    def _moved(self, places: Sequence[BlobLocation]) -> Sequence[BlobLocation] | None:
        """Where these are now; None where all are where they were, as far as everything that was written says."""
        now = self._stores.reads.current_places(places)
        if now == list(places):
            with suppress(StoreUnavailable):
                catch_up(self._stores, wait_s=CATCH_UP_S)
                now = self._stores.reads.current_places(places)
        return now if now != list(places) else None
