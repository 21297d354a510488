"""The ETag cache: digests of content that was fetched for references which record no checksum of their content.

An ETag alone cannot verify bytes. But after one fetch, the digest of what this address served under this ETag or object
version is known; it is stored in the user's stat cache, so that an existing file can be verified instead of fetched
again.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer import queries
from headwater_schemas import digests

from headwater._download.integrity import IntegrityCheck, has_digest, integrity_check
from headwater._ingest.stat_cache import StatCache

_SEPARATOR = "\x00"  # occurs neither in URIs nor in what is recorded for them


class EtagCache:
    """Digests of fetched references. Safe to use from threads. Without a `stat_cache` it stores nothing."""

    def __init__(self, stat_cache: StatCache | None) -> None:
        self._stat_cache = stat_cache

    def integrity_check(self, info: queries.EntryInfo) -> IntegrityCheck | None:
        """How to verify the content of a reference; None where it cannot be verified."""
        if (check := integrity_check(info)) is not None:
            return check
        identity = _identity_of(info)
        if self._stat_cache is None or identity is None:
            return None
        digest = self._stat_cache.lookup_content(identity)
        return None if digest is None else partial(has_digest, digest)

    def recording(self, info: queries.EntryInfo, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass `pieces` through; after the last one store their digest, unless the reference has a checksum itself."""
        identity = None if self._stat_cache is None or integrity_check(info) else _identity_of(info)
        if self._stat_cache is None or identity is None:
            yield from pieces
            return
        hasher, size = digests.new_hasher(digests.DEFAULT_ALGORITHM), 0
        for piece in pieces:
            hasher.update(piece)
            size += len(piece)
            yield piece
        self._stat_cache.store_content(identity, digests.pack(digests.DEFAULT_ALGORITHM, hasher.digest()))
        if size > PACKED_FILE_BYTES_MAX:  # too costly to fetch again if this process is killed
            self._stat_cache.flush()

    def close(self) -> None:
        """Write the pending digests."""
        if self._stat_cache is not None:
            self._stat_cache.flush()


def _identity_of(info: queries.EntryInfo) -> bytes | None:
    """The key for the recorded content; None where neither an ETag nor a version was recorded."""
    if info.uri is None or (info.checksum is None and info.object_version is None):
        return None
    recorded = (info.uri, info.checksum or "", str(info.size), info.object_version or "")
    return digests.one_shot(digests.BLAKE3)(_SEPARATOR.join(recorded).encode())
