"""What was fetched for a reference, so that a file that is there can be told to be it.

An ETag says nothing about bytes. But whoever fetched what has this ETag at this address, or this object version, knows
the digest of what came. It is kept in the stat cache of this user; what is not known there is fetched again.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer import queries
from headwater_schemas import digests

from headwater._download.integrity import Proof, has_digest, proof_of
from headwater._ingest.stat_cache import StatCache

_SEPARATOR = "\x00"  # in no URI that is kept, and in nothing that is recorded of one


class Fetched:
    """Remembers contents of references. Safe to use from threads. Without `stat_cache` it is empty."""

    def __init__(self, stat_cache: StatCache | None) -> None:
        self._stat_cache = stat_cache

    def proof_of(self, info: queries.EntryInfo) -> Proof | None:
        """What decides about the content of a reference; None where nothing does."""
        if (proof := proof_of(info)) is not None:
            return proof
        identity = _identity_of(info)
        if self._stat_cache is None or identity is None:
            return None
        digest = self._stat_cache.lookup_content(identity)
        return None if digest is None else partial(has_digest, digest)

    def noted(self, info: queries.EntryInfo, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass `pieces` on, and remember them once they came to their end, where nothing else would prove them."""
        identity = None if self._stat_cache is None or proof_of(info) else _identity_of(info)
        if self._stat_cache is None or identity is None:
            yield from pieces
            return
        hasher, size = digests.new_hasher(digests.DEFAULT_ALGORITHM), 0
        for piece in pieces:
            hasher.update(piece)
            size += len(piece)
            yield piece
        self._stat_cache.store_content(identity, digests.pack(digests.DEFAULT_ALGORITHM, hasher.digest()))
        if size > PACKED_FILE_BYTES_MAX:  # which cost too much to be lost with a killed process
            self._stat_cache.flush()

    def close(self) -> None:
        """Write down what was remembered."""
        if self._stat_cache is not None:
            self._stat_cache.flush()


def _identity_of(info: queries.EntryInfo) -> bytes | None:
    """What stands for the recorded content; None where nothing was recorded that would change with it."""
    if info.uri is None or (info.checksum is None and info.object_version is None):
        return None
    said = (info.uri, info.checksum or "", str(info.size), info.object_version or "")
    return digests.one_shot(digests.BLAKE3)(_SEPARATOR.join(said).encode())
