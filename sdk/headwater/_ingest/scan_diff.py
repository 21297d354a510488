"""The difference between a scan and the cached state of its tree, and what must be written to the cache afterwards.

Everything here is pure: `stat_cache` reads and writes the chunks. A chunk is a run of one folder's names with their
stat numbers and digests, packed: comparing bytes is enough to recognise an unchanged one, and one changed file in a
folder of 100,000 rewrites one small chunk. Chunks keep their boundaries, by first name, until one has to be split.

A file whose times do not tell of every change since the scan, see `trust`, is stored with an impossible ctime, and is
read again next time.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from headwater_schemas import digests as digest_forms
from headwater_schemas.entries import file_identity, file_leaves
from headwater_schemas.lthash import NOTHING, ContentSum, sum_of
from xxhash import xxh3_128_intdigest

from headwater._ingest.folder_walk import CTIME_NS, EXECUTABLE, MTIME_NS, NUMBERS_PER_FILE, SIZE, ScannedFolder
from headwater._ingest.scan import Scan
from headwater._ingest.trust import is_trusted

CHUNK_NAMES = 256  # about 16 KiB: little to rewrite, and few enough database rows for a million files
CHUNK_NAMES_MAX = 2 * CHUNK_NAMES  # a larger one is split

_NEVER = -(1 << 63)  # a ctime that no file has, so the row never matches
_ROW = struct.Struct(f"={NUMBERS_PER_FILE}q")
_SEPARATOR = b"/"  # the one character that no name contains


class PreviousFile(NamedTuple):
    """A file as it was in the cached sum of its tree."""

    path: str
    digest: bytes  # stored form
    size: int  # bytes
    executable: bool

    @property
    def identity(self) -> bytes:
        """As `file_identity`."""
        return file_identity(self.digest, self.executable)


class Chunk(NamedTuple):
    """A run of one folder's rows as it is stored."""

    id: int | None  # None until it is stored
    folder: str
    names: bytes  # sorted, in UTF-8, joined by _SEPARATOR; never empty
    stats: bytes  # NUMBERS_PER_FILE of each name, as the machine has them
    digests: bytes  # raw digest of each name

    @property
    def first(self) -> str:
        return self.names.partition(_SEPARATOR)[0].decode()

    def checksum(self) -> int:
        """128 bits. A tree's checksum is that of its chunks, combined by exclusive or."""
        return xxh3_128_intdigest(b"\n".join((self.folder.encode(), self.names, self.stats, self.digests)))


class TreeRevision(NamedTuple):
    """One stored state of a tree. A pair of `id` and `revision` is never reused."""

    id: int
    revision: int
    used_s: int  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedTree:
    """The stored state of a tree, with all of its chunks."""

    tree: TreeRevision
    content_sum: ContentSum
    checksum: int
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a folder's rows as scanned, with the stored chunk that it replaces."""

    folder: str
    names: bytes  # as in a chunk; empty when all files of `chunk` are gone
    stats: bytes
    chunk: Chunk | None
    known: list[bytes | None] | None  # raw digests, None for a file to read; None as a whole: `chunk` is unchanged
    tells_changes: bool = True  # False: nothing that was read is trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanDiff:
    """How a scan differs from the cached state of its tree.

    `previous_sum` minus the files in `superseded` plus the rows in `changed_rows` is the sum of what was scanned: see
    `updated_sum`.
    """

    algorithm: str
    previous_sum: ContentSum  # as last stored; NOTHING for an unknown tree
    changed_rows: list[int]  # rows of the scan whose files must be read, ascending
    superseded: list[PreviousFile]  # the previous state of those rows, and deleted files
    tree: TreeRevision | None  # this and the rest are for `StatCache.store_scan`
    checksum: int
    segments: list[Segment]

    def digests(self) -> list[bytes | None]:
        """Each row's digest in the stored form, None where the file must be read."""
        code, width = _code_and_width(self.algorithm)
        found: list[bytes | None] = []
        for segment in self.segments:
            if segment.known is not None:
                found += [None if raw is None else code + raw for raw in segment.known]
            elif segment.chunk is not None:
                found += [code + raw for raw in _split_packed(segment.chunk.digests, width)]
        return found

    def updated_sum(
        self, paths: Iterable[str], digests: Iterable[bytes], sizes: Sequence[int], executable: Collection[int]
    ) -> ContentSum:
        """The sum of what was scanned. The columns describe the rows in `changed_rows`, as they were read; those at the
        indexes `executable` are executable.
        """
        old_sizes = [file.size for file in self.superseded]
        old_paths, old_digests = [file.path for file in self.superseded], [file.digest for file in self.superseded]
        old_executable = [i for i, file in enumerate(self.superseded) if file.executable]
        old_leaves = file_leaves(old_paths, old_digests, old_sizes, old_executable)
        new_leaves = file_leaves(paths, digests, sizes, executable)
        new = sum_of(new_leaves, sum(sizes), remember=True)
        return self.previous_sum.minus(sum_of(old_leaves, sum(old_sizes))).plus(new)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkChanges:
    """What must be written to bring a tree's chunks up to date with a scan."""

    updated: list[Chunk]
    added: list[Chunk]
    removed: list[Chunk]
    checksum: int  # of the tree as it will be stored

    def __bool__(self) -> bool:
        return bool(self.updated or self.added or self.removed)


def diff_scan(scan: Scan, algorithm: str, cached: CachedTree | None) -> ScanDiff:
    """Compare a scan with the stored state of its tree; None when there is none."""
    stored: dict[str, list[Chunk]] = {}
    for chunk in cached.chunks if cached else ():
        stored.setdefault(chunk.folder, []).append(chunk)
    segments: list[Segment] = []
    changed_rows: list[int] = []
    superseded: list[PreviousFile] = []
    row = 0
    for segment in _segments(scan, stored, algorithm, superseded):
        segments.append(segment)
        if segment.known is None:
            row += len(segment.stats) // _ROW.size
        else:
            changed_rows += [row + i for i, raw in enumerate(segment.known) if raw is None]
            row += len(segment.known)
    return ScanDiff(
        algorithm=algorithm,
        previous_sum=cached.content_sum if cached else NOTHING,
        changed_rows=changed_rows,
        superseded=superseded,
        tree=cached.tree if cached else None,
        checksum=cached.checksum if cached else 0,
        segments=segments,
    )


def chunk_changes(scan: Scan, diff: ScanDiff, digests: Iterable[bytes], sizes: Iterable[int]) -> ChunkChanges:
    """What to write after reading `diff.changed_rows`, whose digests (stored form) and sizes these are."""
    read = zip((digest[1:] for digest in digests), sizes, strict=True)
    found = ChunkChanges(updated=[], added=[], removed=[], checksum=0)
    checksum = diff.checksum
    for segment in diff.segments:
        if segment.known is None:
            continue
        chunks = list(_chunks_of(segment, segment.known, read, scan.started_ns))
        for chunk in chunks:
            checksum ^= chunk.checksum()
        if segment.chunk is not None:
            checksum ^= segment.chunk.checksum()
            found.removed.extend([] if chunks else [segment.chunk])
            found.updated.extend(chunks[:1])
            del chunks[:1]
        found.added.extend(chunks)
    return ChunkChanges(updated=found.updated, added=found.added, removed=found.removed, checksum=checksum)


def _segments(
    scan: Scan, stored: dict[str, list[Chunk]], algorithm: str, superseded: list[PreviousFile]
) -> Iterator[Segment]:
    """Every row of `scan` in order, then the chunks of folders that are gone. Adds to `superseded`."""
    for folder in scan.folders:
        for chunk, start, stop in _align(folder, stored.pop(folder.path, [])):
            names = "/".join(folder.names[start:stop]).encode()
            stats = folder.stats[start * NUMBERS_PER_FILE : stop * NUMBERS_PER_FILE].tobytes()
            if chunk is not None and chunk.names == names and chunk.stats == stats:
                yield Segment(folder.path, names, stats, chunk, None)
            else:
                known = _known_digests(names, stats, chunk, scan.prefix, algorithm, superseded)
                yield Segment(folder.path, names, stats, chunk, known, folder.tells_changes)
    for chunks in stored.values():
        for chunk in chunks:
            known = _known_digests(b"", b"", chunk, scan.prefix, algorithm, superseded)
            yield Segment(chunk.folder, b"", b"", chunk, known)


def _align(folder: ScannedFolder, chunks: list[Chunk]) -> Iterator[tuple[Chunk | None, int, int]]:
    """Split `folder`'s rows at its chunks' first names: each chunk takes the names that sort before the next one's."""
    if len(chunks) < 2:
        yield (chunks[0] if chunks else None), 0, len(folder.names)
        return
    chunks.sort(key=attrgetter("first"))
    cuts = [bisect_left(folder.names, chunk.first) for chunk in chunks[1:]]
    for chunk, (start, stop) in zip(chunks, pairwise((0, *cuts, len(folder.names))), strict=True):
        yield chunk, start, stop


def _known_digests(
    names: bytes, stats: bytes, chunk: Chunk | None, prefix: str, algorithm: str, superseded: list[PreviousFile]
) -> list[bytes | None]:
    """Each row's raw digest if `chunk` has the same stat numbers. Adds the chunk's other rows to `superseded`."""
    rows = _split_packed(stats, _ROW.size)
    if chunk is None:
        return [None] * len(rows)
    code, width = _code_and_width(algorithm)
    previous_rows = zip(_split_packed(chunk.stats, _ROW.size), _split_packed(chunk.digests, width), strict=True)
    previous = dict(zip(_split_names(chunk.names), previous_rows, strict=True))
    known: list[bytes | None] = []
    for name, numbers in zip(_split_names(names), rows, strict=True):
        same = name in previous and previous[name][0] == numbers
        known.append(previous.pop(name)[1] if same else None)
    start = f"{prefix}{chunk.folder}/" if chunk.folder else prefix
    superseded += [
        _previous(start + name.decode(), code + raw, _ROW.unpack(numbers)) for name, (numbers, raw) in previous.items()
    ]
    return known


def _previous(path: str, digest: bytes, numbers: tuple[int, ...]) -> PreviousFile:
    return PreviousFile(path, digest, numbers[SIZE], bool(numbers[EXECUTABLE]))


def _chunks_of(
    segment: Segment, known: list[bytes | None], read: Iterator[tuple[bytes, int]], started_ns: int
) -> Iterator[Chunk]:
    """`segment` as chunks to store, split when it has grown too large. The first one replaces the old chunk."""
    numbers = array("q", segment.stats)
    raw = [digest if digest is not None else _next_digest(read, numbers, row) for row, digest in enumerate(known)]
    _invalidate_untrusted(numbers, segment, known, started_ns)
    names = _split_names(segment.names)
    step = CHUNK_NAMES if len(names) > CHUNK_NAMES_MAX else CHUNK_NAMES_MAX
    for start in range(0, len(names), step):
        stop = start + step
        yield Chunk(
            segment.chunk.id if segment.chunk is not None and start == 0 else None,
            segment.folder,
            _SEPARATOR.join(names[start:stop]),
            numbers[start * NUMBERS_PER_FILE : stop * NUMBERS_PER_FILE].tobytes(),
            b"".join(raw[start:stop]),
        )


def _next_digest(read: Iterator[tuple[bytes, int]], numbers: "array[int]", row: int) -> bytes:
    """The next digest that was read. If the size changed since the scan, the row gets the size that the sum counted."""
    digest, size = next(read)
    if size != numbers[row * NUMBERS_PER_FILE + SIZE]:
        numbers[row * NUMBERS_PER_FILE + SIZE] = size
        numbers[row * NUMBERS_PER_FILE + CTIME_NS] = _NEVER
    return digest


def _invalidate_untrusted(numbers: "array[int]", segment: Segment, known: list[bytes | None], started_ns: int) -> None:
    """Give every row that was just read and could still change unnoticed a ctime that no file has."""
    mtimes, ctimes = numbers[MTIME_NS::NUMBERS_PER_FILE], numbers[CTIME_NS::NUMBERS_PER_FILE]
    if segment.tells_changes and is_trusted(max(mtimes, default=0), max(ctimes, default=0), started_ns):
        return
    for row, (digest, mtime_ns, ctime_ns) in enumerate(zip(known, mtimes, ctimes, strict=True)):
        if digest is None and not (segment.tells_changes and is_trusted(mtime_ns, ctime_ns, started_ns)):
            numbers[row * NUMBERS_PER_FILE + CTIME_NS] = _NEVER


def _split_names(names: bytes) -> list[bytes]:
    return names.split(_SEPARATOR) if names else []


def _split_packed(packed: bytes, width: int) -> list[bytes]:
    return [packed[i : i + width] for i in range(0, len(packed), width)]


def _code_and_width(algorithm: str) -> tuple[bytes, int]:
    return digest_forms.pack(algorithm, b""), digest_forms.DIGEST_BYTES[algorithm]
