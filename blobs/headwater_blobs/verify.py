"""Reads that never return other bytes than were asked for, for every adapter.

Adapters fetch; whether what they fetched is right is decided here alone, and so is how a wrong object is reported.
`store` in every signature is how the adapter names itself to people: a folder, or an address without its secrets.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidInput

from headwater_blobs.port import READ_MANY_BYTES_MAX

RUN_BYTES_MAX = 1024 * 1024  # one read of neighbours on a disk; larger ones leave the processor's cache
GAP_BYTES_MAX = 64 * 1024  # unwanted bytes between neighbours that cost less to read than a second read costs


@dataclass(frozen=True, slots=True)
class Run:
    """Places near each other in one object, fetched by one read."""

    object_name: str
    offset: int
    size: int  # bytes, gaps included
    wanted: list[int]  # positions in what was asked for


def check_place(place: BlobLocation) -> None:
    """Raises: InvalidInput when `place` cannot be anywhere. Places come out of events that others wrote."""
    if place.offset < 0 or place.size < 0:
        raise InvalidInput(f"{place.size} bytes from {place.offset} of {place.object_name!r} cannot exist.")


def check_digest(data: bytes | memoryview, place: BlobLocation, digest: bytes, store: str) -> None:
    """Raises: BlobCorrupt unless `data` is all of `place` and has `digest`."""
    if len(data) != place.size:
        raise too_short(place, digest, len(data), store)
    algorithm = digests.algorithm_of(digest)
    if (raw := digests.one_shot(algorithm)(data)) != digest[1:]:
        raise _other_bytes(place, digest, digests.pack(algorithm, raw), store)


def checked_pieces(
    pieces: Iterable[memoryview], place: BlobLocation, digest: bytes, store: str
) -> Iterator[memoryview]:
    """Pass `pieces` on. Raises: BlobCorrupt instead of the end unless together they are `place` and have `digest`."""
    algorithm = digests.algorithm_of(digest)
    hasher, size = digests.new_hasher(algorithm), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
        yield piece
    if size != place.size:
        raise too_short(place, digest, size, store)
    if hasher.digest() != digest[1:]:
        raise _other_bytes(place, digest, digests.pack(algorithm, hasher.digest()), store)


def runs_of(wanted: Sequence[tuple[BlobLocation, bytes]], bytes_max: int = RUN_BYTES_MAX) -> Iterator[Run]:
    """Every index of `wanted` in one run; neighbours together, at most `bytes_max` unless one place is larger.

    Raises: InvalidInput when `wanted` exceeds READ_MANY_BYTES_MAX together, or a place cannot exist.
    """
    total = 0
    for place, _ in wanted:
        check_place(place)
        total += place.size
    if total > READ_MANY_BYTES_MAX:
        raise InvalidInput(f"{total:,} bytes asked for in one call; at most {READ_MANY_BYTES_MAX:,}. Ask in portions.")
    return _runs_in_order(wanted, sorted(range(len(wanted)), key=lambda i: wanted[i][0]), bytes_max)


def missing(object_name: str, store: str) -> BlobMissing:
    """The error for an object that is not there."""
    return BlobMissing(
        f"object {object_name!r} is not in {store}, though it was recorded. "
        "Run `headwater doctor` to list all that is missing, and restore it from a copy of the store."
    )


def too_short(place: BlobLocation, digest: bytes, found: int, store: str) -> BlobCorrupt:
    """The error for a place that reaches beyond what its object holds. `found` is the bytes that are there."""
    return BlobCorrupt(
        f"{_describe(place, store)}: {place.size:,} bytes of {digests.to_text(digest)} were recorded, "
        f"{found:,} are there. {_WHAT_NEXT}"
    )


def other_size(object_name: str, expected: int, found: int, store: str) -> BlobCorrupt:
    """The error for an object that holds another number of bytes than the same content has elsewhere."""
    return BlobCorrupt(
        f"object {object_name!r} in {store} has {found:,} bytes where its content has {expected:,}; "
        f"it was left as it is. {_WHAT_NEXT}"
    )


_WHAT_NEXT = "Run `headwater doctor --content` to list all that is damaged, and restore it from a copy of the store."


def _other_bytes(place: BlobLocation, expected: bytes, found: bytes, store: str) -> BlobCorrupt:
    return BlobCorrupt(
        f"{_describe(place, store)}: {digests.to_text(expected)} was recorded, {digests.to_text(found)} is there. "
        f"{_WHAT_NEXT}"
    )


def _describe(place: BlobLocation, store: str) -> str:
    return f"object {place.object_name!r} in {store} is damaged in the {place.size:,} bytes from {place.offset:,}"


def _runs_in_order(wanted: Sequence[tuple[BlobLocation, bytes]], order: Sequence[int], bytes_max: int) -> Iterator[Run]:
    run: list[int] = []
    name, start, end = "", 0, 0
    for i in order:
        object_name, offset, size = wanted[i][0]
        joins = object_name == name and offset - end <= GAP_BYTES_MAX and offset + size - start <= bytes_max
        if run and not joins:
            yield Run(name, start, end - start, run)
            run = []
        if not run:
            name, start, end = object_name, offset, offset
        run.append(i)
        end = max(end, offset + size)
    if run:
        yield Run(name, start, end - start, run)
