"""Whether bytes are those that an entry recorded, as far as anything that was recorded proves it."""

from collections.abc import Callable, Iterator
from functools import partial

from headwater_consumer import queries
from headwater_schemas import digests
from headwater_schemas.entries import Reference

from headwater._references import checking
from headwater.errors import ReferenceChanged

Proof = Callable[[Iterator[bytes]], bool]  # whether these are all the bytes of the entry, and the right ones


def proof_of(info: queries.EntryInfo) -> Proof | None:
    """What decides about the content of an entry; None where nothing does: an ETag says nothing about bytes."""
    if info.digest is not None:
        return partial(has_digest, info.digest)
    if checking.verifies_content(info.checksum) is None:
        return None
    return partial(_is_as_referred, reference_of(info))


def reference_of(info: queries.EntryInfo) -> Reference:
    """What was recorded about content that is elsewhere."""
    assert info.uri is not None
    return Reference(info.path, info.uri, info.checksum, info.size, info.object_version)


def has_digest(digest: bytes, pieces: Iterator[bytes]) -> bool:
    """Whether the bytes have a digest in its stored form."""
    algorithm = digests.algorithm_of(digest)
    hasher = digests.new_hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    return digests.pack(algorithm, hasher.digest()) == digest


def _is_as_referred(reference: Reference, pieces: Iterator[bytes]) -> bool:
    try:
        for _ in checking.checked(pieces, reference):
            pass
    except ReferenceChanged:
        return False
    return True
