"""Whether what is there is what was recorded: the one place that compares bytes, and words what differs."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from headwater_schemas import digests
from headwater_schemas.entries import Reference

from headwater._references.uris import shown
from headwater.errors import ReferenceChanged


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc32c:
    """The Castagnoli checksum, big-endian, as Google Cloud Storage gives it."""

    def __init__(self) -> None:
        from crc32c import crc32c

        self._add, self._sum = crc32c, 0

    def update(self, data: bytes, /) -> None:
        self._sum = self._add(data, self._sum)

    def digest(self) -> bytes:
        return self._sum.to_bytes(4, "big")


# Checksums of content. An ETag is none: what it says is its server's business.
_HASHERS: dict[str, Callable[[], _Hasher]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32c": _Crc32c,
    digests.XXH3: lambda: digests.new_hasher(digests.XXH3),
    digests.BLAKE3: lambda: digests.new_hasher(digests.BLAKE3),
}


def verifies_content(checksum: str | None) -> str | None:
    """The algorithm of a typed checksum that is one of content; None for an ETag, or none at all."""
    algorithm = (checksum or "").partition(":")[0]
    return algorithm if algorithm in _HASHERS else None


def checked(pieces: Iterator[bytes], reference: Reference) -> Iterator[bytes]:
    """Pass `pieces` on. Raises: ReferenceChanged instead of the end unless they are what `reference` recorded."""
    algorithm = verifies_content(reference.checksum)
    hasher = _HASHERS[algorithm]() if algorithm else None
    size = 0
    for piece in pieces:
        size += len(piece)
        check_size(reference, size, more=True)
        if hasher:
            hasher.update(piece)
        yield piece
    check_size(reference, size)
    if hasher and (found := f"{algorithm}:{hasher.digest().hex()}") != reference.checksum:
        raise changed(reference, f"{reference.checksum} was recorded, {found} is there")


def check_size(reference: Reference, found: int | None, *, more: bool = False) -> None:
    """Raises: ReferenceChanged when another size is there. `more`: those are not all yet."""
    recorded = reference.size
    if recorded is None or found is None or found == recorded or (more and found < recorded):
        return
    there = f"more than {recorded:,}" if more else f"{found:,}"
    raise changed(reference, f"{recorded:,} bytes were recorded, {there} are there")


def check_etag(reference: Reference, found: str | None) -> None:
    """Raises: ReferenceChanged when an ETag was recorded, and another or none is there. `found` is typed."""
    if reference.checksum and reference.checksum.startswith(ETAG) and found != reference.checksum:
        raise changed(reference, f"{reference.checksum} was recorded, {found or 'no ETag'} is there")


def missing(reference: Reference, what: str = "what") -> ReferenceChanged:
    """The error for an object, or a version of it, that is not there any more."""
    return changed(reference, f"{what} was recorded, and is not there any more")


def changed(reference: Reference, difference: str) -> ReferenceChanged:
    """The error that says what was recorded and what is there."""
    return ReferenceChanged(
        f"{reference.path!r} refers to {shown(reference.uri)}, which is not what it was: {difference}. "
        "Bring back what was there, or add the reference anew."
    )


ETAG = "etag:"  # before an ETag: without its quotes where it is strong, and as it was given where it is weak


ETAG_LENGTH_MAX = 1024  # a longer one, or one with control characters, is not kept


def typed_etag(given: str | None) -> str | None:
    """`"abc"` → `etag:abc`, `W/"abc"` → `etag:W/"abc"`."""
    if not given or len(given) > ETAG_LENGTH_MAX or not given.isprintable():
        return None
    return ETAG + (given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given)


def is_strong(etag: str | None) -> bool:
    """Whether a typed ETag promises equal bytes."""
    return etag is not None and not etag.startswith(f"{ETAG}W/")
