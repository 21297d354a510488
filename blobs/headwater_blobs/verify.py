"""Verification of reads, for every adapter: a read returns the bytes that were recorded, or raises.

Adapters fetch; this module alone decides whether the bytes are right, and how a wrong object is reported.
`store` in every signature is the adapter's name for people: a folder, or an address without secrets.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidInput

from headwater_blobs.port import READ_MANY_BYTES_MAX

RANGE_BYTES_MAX = 1024 * 1024  # one read from a disk; larger ones do not fit in the processor's cache
GAP_BYTES_MAX = 64 * 1024  # reading so many unwanted bytes costs less than a second read


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Locations near each other in one object, fetched by one read."""

    object_name: str
    offset: int
    size: int  # bytes, gaps included
    wanted: list[int]  # indexes in the request


def check_location(location: BlobLocation) -> None:
    """Raises: InvalidInput for negative numbers. Locations come from events, which any writer may have written."""
    if location.offset < 0 or location.size < 0:
        raise InvalidInput(
            f"{location.size} bytes from {location.offset} of {location.object_name!r} cannot exist: no number may be "
            "negative. Check the event that recorded them."
        )


def check_digest(data: bytes | memoryview, location: BlobLocation, digest: bytes, store: str) -> None:
    """Raises: BlobCorrupt unless `data` is all of `location` and has `digest`."""
    if len(data) != location.size:
        raise too_short(location, digest, len(data), store)
    algorithm = digests.algorithm_of(digest)
    if (raw := digests.one_shot(algorithm)(data)) != digest[1:]:
        raise _other_bytes(location, digest, digests.pack(algorithm, raw), store)


def checked_pieces(
    pieces: Iterable[memoryview], location: BlobLocation, digest: bytes, store: str
) -> Iterator[memoryview]:
    """Yield `pieces`. Raises: BlobCorrupt instead of ending unless together they fill `location` and have `digest`."""
    algorithm = digests.algorithm_of(digest)
    hasher, size = digests.new_hasher(algorithm), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
        yield piece
    if size != location.size:
        raise too_short(location, digest, size, store)
    if hasher.digest() != digest[1:]:
        raise _other_bytes(location, digest, digests.pack(algorithm, hasher.digest()), store)


def part_of(location: BlobLocation, start: int, size: int) -> BlobLocation:
    """Where a part of `location` is. Raises: InvalidInput when it is not inside."""
    check_location(location)
    if not 0 <= start <= start + size <= location.size:
        raise InvalidInput(
            f"{size:,} bytes from {start:,} are not in the {location.size:,} of {location.object_name!r}. Ask for less."
        )
    return BlobLocation(location.object_name, location.offset + start, size)


def counted_pieces(pieces: Iterable[memoryview], part: BlobLocation, store: str) -> Iterator[memoryview]:
    """Yield `pieces`. Raises: BlobCorrupt instead of ending unless together they fill `part`."""
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    if size != part.size:
        raise BlobCorrupt(f"{_describe(part, store)}: {size:,} were found. {_NEXT_STEP}")


def coalesce(wanted: Sequence[tuple[BlobLocation, bytes]], bytes_max: int = RANGE_BYTES_MAX) -> Iterator[ByteRange]:
    """Ranges that hold every index of `wanted` once, of at most `bytes_max` bytes unless one location is larger.

    Raises: InvalidInput when `wanted` exceeds READ_MANY_BYTES_MAX in total, or a location cannot exist.
    """
    total = 0
    for location, _ in wanted:
        check_location(location)
        total += location.size
    if total > READ_MANY_BYTES_MAX:
        raise InvalidInput(
            f"{total:,} bytes were requested in one call; at most {READ_MANY_BYTES_MAX:,} are returned. "
            "Split the request."
        )
    return _ranges_in_order(wanted, sorted(range(len(wanted)), key=lambda i: wanted[i][0]), bytes_max)


def missing(object_name: str, store: str) -> BlobMissing:
    """The error for an object that does not exist."""
    return BlobMissing(
        f"object {object_name!r} is not in {store}, though it was recorded. "
        "Run `headwater doctor` to list all missing objects, and restore them from a copy of the store."
    )


def too_short(location: BlobLocation, digest: bytes, found: int, store: str) -> BlobCorrupt:
    """The error for a location that reaches beyond the end of its object, of which `found` bytes could be read."""
    return BlobCorrupt(
        f"{_describe(location, store)}: {location.size:,} bytes of {digests.to_text(digest)} were recorded, "
        f"{found:,} were found. {_NEXT_STEP}"
    )


def other_size(object_name: str, expected: int, found: int, store: str) -> BlobCorrupt:
    """The error for an object whose size is not that of its content."""
    return BlobCorrupt(
        f"object {object_name!r} in {store} has {found:,} bytes, but its content has {expected:,}; "
        f"it was not changed. {_NEXT_STEP}"
    )


_NEXT_STEP = "Run `headwater doctor --verify` to list all damaged objects, and restore them from a copy of the store."


def _other_bytes(location: BlobLocation, expected: bytes, found: bytes, store: str) -> BlobCorrupt:
    return BlobCorrupt(
        f"{_describe(location, store)}: {digests.to_text(expected)} was recorded, {digests.to_text(found)} was found. "
        f"{_NEXT_STEP}"
    )


def _describe(location: BlobLocation, store: str) -> str:
    return (
        f"object {location.object_name!r} in {store} is damaged in the {location.size:,} bytes from {location.offset:,}"
    )


def _ranges_in_order(
    wanted: Sequence[tuple[BlobLocation, bytes]], order: Sequence[int], bytes_max: int
) -> Iterator[ByteRange]:
    indexes: list[int] = []
    name, start, end = "", 0, 0
    for i in order:
        object_name, offset, size = wanted[i][0]
        joins = object_name == name and offset - end <= GAP_BYTES_MAX and offset + size - start <= bytes_max
        if indexes and not joins:
            yield ByteRange(name, start, end - start, indexes)
            indexes = []
        if not indexes:
            name, start, end = object_name, offset, offset
        indexes.append(i)
        end = max(end, offset + size)
    if indexes:
        yield ByteRange(name, start, end - start, indexes)
