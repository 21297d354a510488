"""What a scan and the remembered chunks of its tree have in common, and what must be kept of the rest.

Everything here is pure: reading and writing chunks belongs to `stat_cache`. A chunk is a run of one folder's names with
their numbers and digests, packed: an unchanged one is recognised by comparing bytes, and one changed file in a folder
of 100,000 rewrites one small chunk. Chunks keep their boundaries, by first name, until one has to be split.

A file whose times are as young as the look at it is not trusted: it could change once more within one tick of the
file system's clock ("racily clean"). It is kept with a ctime that no file has, and is read again next time.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from headwater_schemas import digests as digest_forms
from headwater_schemas.entries import file_leaves
from xxhash import xxh3_128_intdigest

from headwater._ingest.scan import CTIME_NS, MTIME_NS, NUMBERS_PER_FILE, SIZE, Folder, Scan

if TYPE_CHECKING:  # it imports numpy, which takes longer than all the rest; whoever sums pays for it
    from headwater_schemas.lthash import ContentSum

CHUNK_NAMES = 256  # about 16 KiB: little to rewrite, and few enough rows for a million files
CHUNK_NAMES_MAX = 2 * CHUNK_NAMES  # a larger one is split

# How far a file's time may lag behind the clock. Whole seconds tell of a file system that keeps no finer ones (FAT
# keeps two seconds); all others tick at least every 10 ms (the kernel's slowest tick, and exFAT).
COARSE_TICK_NS = 2_000_000_000
FINE_TICK_NS = 100_000_000

_SECOND_NS = 1_000_000_000
_NEVER = -(1 << 63)  # a ctime that no file has
_ROW = struct.Struct(f"={NUMBERS_PER_FILE}q")
_SEPARATOR = b"/"  # the one character that no name contains


class PastFile(NamedTuple):
    """A file as it was in the tree's last sum."""

    path: str
    digest: bytes  # stored form
    size: int  # bytes


class Chunk(NamedTuple):
    """A run of one folder's rows as it is kept."""

    id: int | None  # None before it is stored
    folder: str
    names: bytes  # sorted, in UTF-8, joined by _SEPARATOR; never empty
    stats: bytes  # inode, size, mtime_ns, ctime_ns of each name, as the machine has them
    digests: bytes  # raw digest of each name

    @property
    def first(self) -> str:
        return self.names.partition(_SEPARATOR)[0].decode()

    def checksum(self) -> int:
        """128 bits. A tree's checksum is that of its chunks, combined by exclusive or."""
        return xxh3_128_intdigest(b"\n".join((self.folder.encode(), self.names, self.stats, self.digests)))


class Tree(NamedTuple):
    """A tree as it is kept. `id` and `revision` together never come back."""

    id: int
    revision: int
    used_s: int  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A tree and all of its chunks."""

    tree: Tree
    content_sum: "ContentSum"
    checksum: int
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a folder's rows as they are now, beside the chunk that it continues."""

    folder: str
    names: bytes  # as in a chunk; empty when nothing is left of it
    stats: bytes
    chunk: Chunk | None
    known: list[bytes | None] | None  # raw digests, None for a file to read; None as a whole: `chunk` holds them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What is known about the rows of a scan.

    `before`, less the files in `gone`, plus the rows in `changed`, is the sum of what was scanned: see `updated_sum`.
    """

    algorithm: str
    before: "ContentSum"  # as last remembered; the sum of nothing for a tree that is not known
    changed: list[int]  # rows of the scan whose files must be read, ascending
    gone: list[PastFile]  # what those rows were before, and files that are not there any more
    tree: Tree | None  # this and the rest are for `remember`
    checksum: int
    pieces: list[Piece]

    def digests(self) -> list[bytes | None]:
        """Each row's digest in the stored form, None where the file must be read."""
        code, width = _code_and_width(self.algorithm)
        found: list[bytes | None] = []
        for piece in self.pieces:
            if piece.known is not None:
                found += [None if raw is None else code + raw for raw in piece.known]
            elif piece.chunk is not None:
                found += [code + raw for raw in _cut(piece.chunk.digests, width)]
        return found

    def updated_sum(self, paths: Iterable[str], digests: Iterable[bytes], sizes: Sequence[int]) -> "ContentSum":
        """The sum of what was scanned. The columns describe the rows in `changed`, as they were read."""
        from headwater_schemas.lthash import sum_of

        old_sizes = [file.size for file in self.gone]
        old_leaves = file_leaves((file.path for file in self.gone), (file.digest for file in self.gone), old_sizes)
        new_leaves = file_leaves(paths, digests, sizes)
        return self.before.minus(sum_of(old_leaves, sum(old_sizes))).plus(sum_of(new_leaves, sum(sizes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What must be written so that a tree's chunks say what a scan found."""

    updated: list[Chunk]
    added: list[Chunk]
    removed: list[Chunk]
    checksum: int  # of the tree as it will be kept

    def __bool__(self) -> bool:
        return bool(self.updated or self.added or self.removed)


def compare(scan: Scan, algorithm: str, remembered: Remembered | None) -> Recall:
    """Find what did not change since the tree was remembered."""
    from headwater_schemas.lthash import NOTHING

    kept: dict[str, list[Chunk]] = {}
    for chunk in remembered.chunks if remembered else ():
        kept.setdefault(chunk.folder, []).append(chunk)
    pieces: list[Piece] = []
    changed: list[int] = []
    gone: list[PastFile] = []
    row = 0
    for piece in _pieces(scan, kept, algorithm, gone):
        pieces.append(piece)
        if piece.known is None:
            row += len(piece.stats) // _ROW.size
        else:
            changed += [row + i for i, raw in enumerate(piece.known) if raw is None]
            row += len(piece.known)
    return Recall(
        algorithm=algorithm,
        before=remembered.content_sum if remembered else NOTHING,
        changed=changed,
        gone=gone,
        tree=remembered.tree if remembered else None,
        checksum=remembered.checksum if remembered else 0,
        pieces=pieces,
    )


def changes(scan: Scan, recall: Recall, digests: Iterable[bytes], sizes: Iterable[int]) -> Changes:
    """What to write once the rows in `recall.changed` were read: `digests` (stored form) and `sizes` say what was."""
    read = zip((digest[1:] for digest in digests), sizes, strict=True)
    found = Changes(updated=[], added=[], removed=[], checksum=0)
    checksum = recall.checksum
    for piece in recall.pieces:
        if piece.known is None:
            continue
        chunks = list(_chunks_of(piece, piece.known, read, scan.started_ns))
        for chunk in chunks:
            checksum ^= chunk.checksum()
        if piece.chunk is not None:
            checksum ^= piece.chunk.checksum()
            found.removed.extend([] if chunks else [piece.chunk])
            found.updated.extend(chunks[:1])
            del chunks[:1]
        found.added.extend(chunks)
    return Changes(updated=found.updated, added=found.added, removed=found.removed, checksum=checksum)


def is_settled(mtime_ns: int, ctime_ns: int, started_ns: int) -> bool:
    """Whether every change after `started_ns` must show in the times of a file that has these now."""
    newest_ns = max(mtime_ns, ctime_ns)
    if newest_ns < started_ns - COARSE_TICK_NS:
        return True
    return newest_ns < started_ns - FINE_TICK_NS and bool(mtime_ns % _SECOND_NS and ctime_ns % _SECOND_NS)


def _pieces(scan: Scan, kept: dict[str, list[Chunk]], algorithm: str, gone: list[PastFile]) -> Iterator[Piece]:
    """Every row of `scan` in order, then what is left of folders without files. Adds to `gone`."""
    for folder in scan.folders:
        for chunk, start, stop in _runs(folder, kept.pop(folder.path, [])):
            names = "/".join(folder.names[start:stop]).encode()
            stats = folder.stats[start * NUMBERS_PER_FILE : stop * NUMBERS_PER_FILE].tobytes()
            if chunk is not None and chunk.names == names and chunk.stats == stats:
                yield Piece(folder.path, names, stats, chunk, None)
            else:
                known = _match(names, stats, chunk, scan.prefix, algorithm, gone)
                yield Piece(folder.path, names, stats, chunk, known)
    for chunks in kept.values():
        for chunk in chunks:
            yield Piece(chunk.folder, b"", b"", chunk, _match(b"", b"", chunk, scan.prefix, algorithm, gone))


def _runs(folder: Folder, chunks: list[Chunk]) -> Iterator[tuple[Chunk | None, int, int]]:
    """`folder`'s rows cut where its chunks begin: each chunk takes what sorts before the next one's first name."""
    if len(chunks) < 2:
        yield (chunks[0] if chunks else None), 0, len(folder.names)
        return
    chunks.sort(key=attrgetter("first"))
    cuts = [bisect_left(folder.names, chunk.first) for chunk in chunks[1:]]
    for chunk, (start, stop) in zip(chunks, pairwise((0, *cuts, len(folder.names))), strict=True):
        yield chunk, start, stop


def _match(
    names: bytes, stats: bytes, chunk: Chunk | None, prefix: str, algorithm: str, gone: list[PastFile]
) -> list[bytes | None]:
    """Each row's raw digest where `chunk` has it under the same numbers. What else it has goes to `gone`."""
    rows = _cut(stats, _ROW.size)
    if chunk is None:
        return [None] * len(rows)
    code, width = _code_and_width(algorithm)
    past_rows = zip(_cut(chunk.stats, _ROW.size), _cut(chunk.digests, width), strict=True)
    past = dict(zip(_split(chunk.names), past_rows, strict=True))
    known: list[bytes | None] = []
    for name, numbers in zip(_split(names), rows, strict=True):
        same = name in past and past[name][0] == numbers
        known.append(past.pop(name)[1] if same else None)
    start = f"{prefix}{chunk.folder}/" if chunk.folder else prefix
    gone += [
        PastFile(start + name.decode(), code + raw, _ROW.unpack(numbers)[SIZE]) for name, (numbers, raw) in past.items()
    ]
    return known


def _chunks_of(
    piece: Piece, known: list[bytes | None], read: Iterator[tuple[bytes, int]], started_ns: int
) -> Iterator[Chunk]:
    """`piece` as it will be kept, cut up when it has grown too large. The first takes the old chunk's place."""
    numbers = array("q", piece.stats)
    raw = [digest if digest is not None else _take(read, numbers, row) for row, digest in enumerate(known)]
    _distrust_the_young(numbers, known, started_ns)
    names = _split(piece.names)
    step = CHUNK_NAMES if len(names) > CHUNK_NAMES_MAX else CHUNK_NAMES_MAX
    for start in range(0, len(names), step):
        stop = start + step
        yield Chunk(
            piece.chunk.id if piece.chunk is not None and start == 0 else None,
            piece.folder,
            _SEPARATOR.join(names[start:stop]),
            numbers[start * NUMBERS_PER_FILE : stop * NUMBERS_PER_FILE].tobytes(),
            b"".join(raw[start:stop]),
        )


def _take(read: Iterator[tuple[bytes, int]], numbers: "array[int]", row: int) -> bytes:
    """The next digest that was read. Keeps its true size, which is what the sum has, when that was another by then."""
    digest, size = next(read)
    if size != numbers[row * NUMBERS_PER_FILE + SIZE]:
        numbers[row * NUMBERS_PER_FILE + SIZE] = size
        numbers[row * NUMBERS_PER_FILE + CTIME_NS] = _NEVER
    return digest


def _distrust_the_young(numbers: "array[int]", known: list[bytes | None], started_ns: int) -> None:
    """Give every row that was read now, and may still change unseen, a ctime that no file has."""
    mtimes, ctimes = numbers[MTIME_NS::NUMBERS_PER_FILE], numbers[CTIME_NS::NUMBERS_PER_FILE]
    if max(max(mtimes, default=0), max(ctimes, default=0)) < started_ns - COARSE_TICK_NS:
        return
    for row, (digest, mtime_ns, ctime_ns) in enumerate(zip(known, mtimes, ctimes, strict=True)):
        if digest is None and not is_settled(mtime_ns, ctime_ns, started_ns):
            numbers[row * NUMBERS_PER_FILE + CTIME_NS] = _NEVER


def _split(names: bytes) -> list[bytes]:
    return names.split(_SEPARATOR) if names else []


def _cut(packed: bytes, width: int) -> list[bytes]:
    return [packed[i : i + width] for i in range(0, len(packed), width)]


def _code_and_width(algorithm: str) -> tuple[bytes, int]:
    return digest_forms.pack(algorithm, b""), digest_forms.DIGEST_BYTES[algorithm]
