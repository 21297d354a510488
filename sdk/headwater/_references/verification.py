"""Verify that fetched content is what a reference recorded; the errors name the difference."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from headwater_schemas import digests
from headwater_schemas.entries import Reference

from headwater._references.uris import redacted
from headwater.errors import ReferenceChanged


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc32c:
    """CRC-32C (Castagnoli), big-endian, as in Google Cloud Storage."""

    def __init__(self) -> None:
        from crc32c import crc32c  # an extra

        self._add, self._sum = crc32c, 0

    def update(self, data: bytes, /) -> None:
        self._sum = self._add(data, self._sum)

    def digest(self) -> bytes:
        return self._sum.to_bytes(4, "big")


# Checksums of content. An ETag is not one: its meaning is up to its server.
_HASHERS: dict[str, Callable[[], _Hasher]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32c": _Crc32c,
    digests.XXH3: lambda: digests.new_hasher(digests.XXH3),
    digests.BLAKE3: lambda: digests.new_hasher(digests.BLAKE3),
}


def content_algorithm(checksum: str | None) -> str | None:
    """The algorithm of a typed checksum of content; None for an ETag, or no checksum."""
    algorithm = (checksum or "").partition(":")[0]
    return algorithm if algorithm in _HASHERS else None


def verified(pieces: Iterator[bytes], reference: Reference) -> Iterator[bytes]:
    """Pass `pieces` through. Raises: ReferenceChanged instead of ending when they are not what was recorded."""
    algorithm = content_algorithm(reference.checksum)
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
        raise changed_error(reference, f"recorded {reference.checksum}, found {found}")


def check_size(reference: Reference, found: int | None, *, more: bool = False) -> None:
    """Raises: ReferenceChanged when the size differs. `more`: `found` is a lower bound."""
    recorded = reference.size
    if recorded is None or found is None or found == recorded or (more and found < recorded):
        return
    size = f"more than {recorded:,}" if more else f"{found:,}"
    raise changed_error(reference, f"recorded {recorded:,} bytes, found {size}")


def check_etag(reference: Reference, found: str | None) -> None:
    """Raises: ReferenceChanged when an ETag was recorded and the found one, which is typed, differs.

    As RFC 9110 compares them weakly: a proxy that compresses makes a strong one weak, and `W/` makes no difference.
    """
    recorded = reference.checksum
    if recorded and recorded.startswith(ETAG) and (found is None or _opaque_tag(found) != _opaque_tag(recorded)):
        raise changed_error(
            reference,
            f"recorded {recorded}, found {found or 'no ETag'}",
            " If its server gives a new ETag for each answer, add it with checksum=False.",
        )


def missing_error(reference: Reference, what: str = "what") -> ReferenceChanged:
    """The error for an object, or a version of it, that no longer exists."""
    return changed_error(reference, f"recorded {what}, which no longer exists")


def changed_error(reference: Reference, difference: str, more_advice: str = "") -> ReferenceChanged:
    """The error that names what was recorded and what was found."""
    return ReferenceChanged(
        f"{reference.path!r} refers to {redacted(reference.uri)}, which has changed: {difference}. "
        f"Restore the recorded content, or add the reference again.{more_advice}"
    )


ETAG = "etag:"  # prefix of an ETag: a strong one without its quotes, a weak one as it is
ETAG_LENGTH_MAX = 1024  # a longer one, or one with control characters, is not recorded


def typed_etag(given: str | None) -> str | None:
    """`"abc"` → `etag:abc`, `W/"abc"` → `etag:W/"abc"`."""
    if not given or len(given) > ETAG_LENGTH_MAX or not given.isprintable():
        return None
    return ETAG + (given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given)


def _opaque_tag(etag: str) -> str:
    """What is between the quotes of a typed ETag."""
    return etag.removeprefix(ETAG) if is_strong(etag) else etag.removeprefix(f"{ETAG}W/").strip('"')


def is_strong(etag: str | None) -> bool:
    """Whether a typed ETag promises equal bytes."""
    return etag is not None and not etag.startswith(f"{ETAG}W/")
