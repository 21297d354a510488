"""Verify bytes against the digest or checksum that an entry recorded."""

from collections.abc import Callable, Iterator
from functools import partial

from headwater_consumer import queries
from headwater_schemas import digests
from headwater_schemas.entries import Reference

from headwater._references import verification
from headwater.errors import ReferenceChanged

IntegrityCheck = Callable[[Iterator[bytes]], bool]  # whether these are exactly the bytes of the entry


def integrity_check(info: queries.EntryInfo) -> IntegrityCheck | None:
    """How to verify the content of an entry; None where it cannot be verified: an ETag is no checksum of content."""
    if info.digest is not None:
        return partial(has_digest, info.digest)
    if verification.content_algorithm(info.checksum) is None:
        return None
    return partial(_matches_reference, reference_of(info))


def watched_check(check: IntegrityCheck, advance: Callable[[int], None]) -> IntegrityCheck:
    """The same check, which says of each piece how many bytes it has."""

    def watched(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            advance(len(piece))

    return lambda pieces: check(watched(pieces))


def reference_of(info: queries.EntryInfo) -> Reference:
    """The reference that an entry recorded."""
    assert info.uri is not None
    return Reference(info.path, info.uri, info.checksum, info.size, info.object_version)


def has_digest(digest: bytes, pieces: Iterator[bytes]) -> bool:
    """Whether the bytes have this digest (stored form)."""
    algorithm = digests.algorithm_of(digest)
    hasher = digests.new_hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    return digests.pack(algorithm, hasher.digest()) == digest


def _matches_reference(reference: Reference, pieces: Iterator[bytes]) -> bool:
    try:
        for _ in verification.verified(pieces, reference):
            pass
    except ReferenceChanged:
        return False
    return True
