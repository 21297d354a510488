"""Split the entries of a draft, and moves, into events that keep within the limits of one event."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from headwater_schemas.entries import BlobLocation, FileEntries, Reference
from headwater_schemas.events import BlobsMoved, EntryAdded, EntryRemoved, Move
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX, EVENT_BYTES_MAX

NUMBERS_BYTES_MAX = (
    28  # size, object index, offset and executable row, or a text's length, at their longest on the wire
)
ROOM_BYTES = 20_000  # for the origin, the collection, the draft and the writer, each bounded by the grammar of names

MOVES_PER_EVENT_MAX = 1000  # fewer than 800 bytes each

T = TypeVar("T")


class Batch(Protocol):
    """Anything with a length; a function given beside it slices it."""

    def __len__(self) -> int: ...


B = TypeVar("B", bound=Batch)


def file_events(collection: str, draft: str, files: FileEntries, *, writer: str | None = None) -> Iterator[EntryAdded]:
    """`entry-added` events for `files`. `writer` is the one of a shared draft's writers, see `EntryAdded`."""
    for batch in _split(files, _file_bytes, FileEntries.slice):
        yield EntryAdded(collection=collection, draft=draft, files=batch, writer=writer)


def reference_events(
    collection: str, draft: str, references: Sequence[Reference], *, writer: str | None = None
) -> Iterator[EntryAdded]:
    """`entry-added` events for `references`."""
    for batch in _split(references, _reference_bytes, _slice):
        yield EntryAdded(collection=collection, draft=draft, references=tuple(batch), writer=writer)


def removal_events(
    collection: str, draft: str, paths: Sequence[str], *, folders: Sequence[str] = (), writer: str | None = None
) -> Iterator[EntryRemoved]:
    """`entry-removed` events for `paths`, and for everything under `folders`."""
    for batch in _split(paths, _text_bytes, _slice):
        yield EntryRemoved(collection=collection, draft=draft, paths=tuple(batch), writer=writer)
    for batch in _split(folders, _text_bytes, _slice):
        yield EntryRemoved(collection=collection, draft=draft, folders=tuple(batch), writer=writer)


def move_events(project: str, moves: Sequence[Move]) -> Iterator[BlobsMoved]:
    """`blobs-moved` events for `moves`."""
    for start in range(0, len(moves), MOVES_PER_EVENT_MAX):
        yield BlobsMoved(project=project, moves=tuple(moves[start : start + MOVES_PER_EVENT_MAX]))


def joined_moves(pairs: Iterable[tuple[BlobLocation, BlobLocation]]) -> list[Move]:
    """Moves of (before, now), in order; neighbours that are neighbours again become one."""
    moves: list[Move] = []
    for before, now in pairs:
        last = moves[-1] if moves else None
        if last is not None and _follows(last, before, now):
            moves[-1] = replace(last, length=last.length + before.size)
        else:
            moves.append(Move(before.object_name, before.offset, before.size, now.object_name, now.offset))
    return moves


def _follows(last: Move, before: BlobLocation, now: BlobLocation) -> bool:
    return (before.object_name, before.offset) == (last.object_name, last.offset + last.length) and (
        now.object_name,
        now.offset,
    ) == (last.to_object_name, last.to_offset + last.length)


def _split(batch: B, bytes_of: Callable[[B], int], part: Callable[[B, int, int], B]) -> Iterator[B]:
    """Pieces of `batch`, in order, bounded in number and in bytes on the wire. One item always fits."""
    for start in range(0, len(batch), ENTRIES_PER_EVENT_MAX):
        piece = part(batch, start, min(start + ENTRIES_PER_EVENT_MAX, len(batch)))
        if len(piece) > 1 and bytes_of(piece) > EVENT_BYTES_MAX - ROOM_BYTES:
            middle = len(piece) // 2
            yield from _split(part(piece, 0, middle), bytes_of, part)
            yield from _split(part(piece, middle, len(piece)), bytes_of, part)
        else:
            yield piece


def _slice(items: Sequence[T], start: int, end: int) -> Sequence[T]:
    return items[start:end]


def _file_bytes(files: FileEntries) -> int:
    return _text_bytes(files.paths) + _text_bytes(files.objects) + len(files.digests) + len(files) * NUMBERS_BYTES_MAX


def _reference_bytes(references: Sequence[Reference]) -> int:
    return sum(
        _text_bytes([reference.path, reference.uri, reference.checksum or "", reference.object_version or ""])
        for reference in references
    )


def _text_bytes(texts: Sequence[str]) -> int:
    return len("".join(texts).encode()) + len(texts) * NUMBERS_BYTES_MAX
