"""Packs of which a part is dead are rewritten: what is needed of several goes into a new one, and they are collected.

What is dead and stays is so little that packs are at most a tenth larger than what is needed of them. The price: a
rewrite writes up to ten bytes for each that it frees. On the log it takes a move for each gap, not for each content.

Readers go on meanwhile. Those that looked a content up before it moved look again when its pack is gone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from headwater_blobs.port import PACK_BYTES_MAX, READ_MANY_BYTES_MAX, BlobStore
from headwater_producer.batches import joined_moves, move_events
from headwater_producer.producer import Producer
from headwater_producer.staged_blobs import published_anew
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import ContentError, StoreFull
from headwater_schemas.object_names import PACKS, project_of

from headwater_consumer.database import Database
from headwater_consumer.queries.holders import Holders, Version
from headwater_consumer.queries.needed_objects import OBJECTS_AT_ONCE, Range, moves_before, needed_ranges
from headwater_consumer.queries.object_moves import MOVES_MAX

LIVE_PER_DEAD_MAX = 10  # bytes of a pack that are needed, for each that is dead: with more, it stays as it is
assert PACK_BYTES_MAX <= READ_MANY_BYTES_MAX, "all that is needed of a pack is read at once"


@dataclass(frozen=True, slots=True)
class SparsePack:
    """A pack of which more is dead than may stay."""

    name: str
    size: int  # bytes
    ranges: Mapping[Range, bytes]  # that are needed, each with its digest

    @property
    def live_bytes(self) -> int:
        """That are needed."""
        return sum(size for _, size in self.ranges)

    @property
    def dead_bytes(self) -> int:
        """That are free once the others are stored anew."""
        return self.size - self.live_bytes


def sparse_packs(
    database: Database, blobs: BlobStore, names: Iterable[str], without: frozenset[Version]
) -> Iterator[SparsePack]:
    """Those of the objects that are worth to be rewritten. Cost: as `needed_ranges`."""
    packs = sorted(name for name in names if name.startswith(f"{PACKS}/"))
    for start in range(0, len(packs), OBJECTS_AT_ONCE):
        some = packs[start : start + OBJECTS_AT_ONCE]
        sizes = blobs.sizes(some)
        for project in sorted({project_of(name) for name in some}):
            of_project = [name for name in some if project_of(name) == project and sizes.get(name, 0) > 0]
            holders = Holders(project, without, restorable=True)
            for name, ranges in needed_ranges(database, of_project, holders).items():
                pack = SparsePack(name, sizes[name], ranges)
                is_sparse = 0 < pack.live_bytes <= LIVE_PER_DEAD_MAX * pack.dead_bytes
                # Beyond MOVES_MAX moves a content would not be found any more.
                if is_sparse and moves_before(database, name) < MOVES_MAX - 1:
                    yield pack


@dataclass(slots=True)
class PackRewriter:
    """Writes new packs, one at a time, and sends where their content was before."""

    blobs: BlobStore
    producer: Producer
    rewritten: dict[str, int] = field(default_factory=dict)  # pack → bytes of it that were stored anew
    _project: str = ""
    _contents: list[bytes] = field(default_factory=list)
    _moves: list[tuple[BlobLocation, int]] = field(default_factory=list)  # from where, and where in the new pack
    _size: int = 0
    left: int = 0  # packs that stay as they are, since the store has no room for more
    _is_full: bool = False

    def add(self, pack: SparsePack) -> None:
        """What is needed of a pack goes on. One that cannot be read stays as it is, and so do all on a full disk."""
        project = project_of(pack.name)
        if project != self._project or self._size + pack.live_bytes > PACK_BYTES_MAX:
            self.flush()
        if self._is_full:
            self.left += 1
            return
        wanted = [(BlobLocation(pack.name, *one), digest) for one, digest in sorted(pack.ranges.items())]
        try:
            contents = self.blobs.read_many(wanted)
        except ContentError:
            return  # `headwater doctor` tells
        self._project = project
        for (place, _), content in zip(wanted, contents, strict=True):
            self._moves.append((place, self._size))
            self._contents.append(content)
            self._size += len(content)

    def flush(self) -> None:
        """Store the pack that was begun, and send the moves; the caller confirms. Raises: StoreUnavailable."""
        contents, moves = self._contents, self._moves
        self._contents, self._moves, self._size = [], [], 0
        if not contents:
            return
        try:
            staged = self.blobs.stage_pack(contents, project=self._project)
            name = published_anew(self.blobs, staged, self._project)
        except StoreFull:
            self._is_full = True
            self.left += len({old.object_name for old, _ in moves})
            return
        joined = joined_moves((old, BlobLocation(name, offset, old.size)) for old, offset in moves)
        self.producer.send(list(move_events(self._project, joined)))
        for old, _ in moves:
            self.rewritten[old.object_name] = self.rewritten.get(old.object_name, 0) + old.size
