"""Large files are remembered each by itself, in the stat cache or for a moment, however they were added.

`RecentReads` are those that one artifact has read, so that adding one of them again right afterwards does not read it
again. Files count there that are too young for the stat cache. A change within one tick of the clock would not show,
nor one through a memory map: a file that was read that soon, or that this process has mapped, is read again.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_schemas import digests as digest_forms

from headwater._ingest.folder_walk import CTIME_NS, INODE, MTIME_NS
from headwater._ingest.scan import Scan, ScannedFile
from headwater._ingest.stat_cache import StatCache

TICK_NS = 100_000_000  # how far a file's time may lag behind the clock: the slowest kernel's tick is 10 ms
COARSE_TICK_NS = 2_000_000_000  # where times are whole seconds
READS_MAX = 65_536  # remembered, about 20 MB

_SECOND_NS = 1_000_000_000
_MAPS = "/proc/self/maps"


def is_large(size: int) -> bool:
    """Whether a file is an object of its own, rather than part of a pack."""
    return size > PACKED_FILE_BYTES_MAX


def large_among(rows: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Those of `rows` whose file is large. `sizes` has that of each row."""
    return [row for row in rows if is_large(sizes[row])] if is_large(max(sizes, default=0)) else []


class KnownFile(NamedTuple):
    """What was read of a file."""

    stats: bytes
    digest: bytes  # stored form
    is_deferred: bool  # only hashed: its bytes are read when the artifact is logged


class RecentReads:
    """The large files that one artifact has read."""

    def __init__(self) -> None:
        self._known: dict[str, KnownFile] = {}

    def note(self, file: ScannedFile, digest: bytes, *, is_deferred: bool = False) -> None:
        """`file` was read just now, and had that digest."""
        times_ns = (file.stats[MTIME_NS], file.stats[CTIME_NS])
        tick_ns = TICK_NS if all(time_ns % _SECOND_NS for time_ns in times_ns) else COARSE_TICK_NS
        if max(times_ns) < time.time_ns() - tick_ns and len(self._known) < READS_MAX:
            self._known[file.location] = KnownFile(file.stats.tobytes(), digest, is_deferred)

    def find(self, file: ScannedFile) -> KnownFile | None:
        """What was read of `file`, unless it may have changed since."""
        known = self._known.get(file.location)
        if known is None or known.stats != file.stats.tobytes() or _may_be_mapped(file.stats[INODE]):
            return None
        return known


def known_digest(stat_cache: StatCache, algorithm: str, file: ScannedFile, reads: RecentReads) -> bytes | None:
    """The digest of a single file that need not be read again, in the stored form."""
    recent = reads.find(file) if is_large(file.size) else None
    if recent is not None and not recent.is_deferred and digest_forms.algorithm_of(recent.digest) == algorithm:
        return recent.digest
    return stat_cache.lookup_file(file, algorithm)


def recall_large(
    stat_cache: StatCache, algorithm: str, scanned: Scan, rows: Sequence[int], digests: "list[bytes | None]"
) -> None:
    """Set the `digests` of those large files in `rows` that were read as files of another folder, or by themselves."""
    large = large_among(rows, scanned.sizes() if rows else [])
    for row, file in zip(large, scanned.files(large), strict=True):
        digests[row] = stat_cache.lookup_file(file, algorithm)


def remember_large(
    stat_cache: StatCache,
    reads: RecentReads,
    scanned: Scan,
    rows: Sequence[int],
    digests: "Sequence[bytes | None]",
    sizes: Sequence[int],
) -> None:
    """Remember those large files in `rows`, which were read just now, each by itself."""
    large = large_among(rows, sizes)
    for row, file in zip(large, scanned.files(large), strict=True):
        digest = digests[row]
        if digest is not None and sizes[row] == file.size:
            stat_cache.store_file(file, digest)
            reads.note(file, digest)


def _may_be_mapped(inode: int) -> bool:
    """Whether this process shares a memory map of a file with that inode. True where that cannot be found out."""
    try:
        with open(_MAPS, encoding="utf-8", errors="replace") as file:
            maps = [line.split(maxsplit=5) for line in file]
    except OSError:
        return True
    return any(mode.endswith("s") and int(mapped) == inode for _, mode, _, _, mapped, *_ in maps)
