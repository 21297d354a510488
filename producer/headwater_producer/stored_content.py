"""Which content is stored, and where: the projection suggests it, and the store confirms it.

The projection knows what was stored once. Objects can be gone since, cut short or damaged, so the store is asked for
each object before anything relies on it. Content that was lost is stored anew from bytes in hand, as another object;
a move then redirects the reads of every version that needs it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, READ_MANY_BYTES_MAX, BlobStore
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing, ContentError, StoreUnavailable
from headwater_schemas.events import Move
from headwater_schemas.object_names import attempt_of, place_label, project_of

from headwater_producer.batches import joined_moves

OBJECT_TRUSTED_S = 60.0  # for so long after an object was put or seen, the store is not asked for it again
OBJECTS_KNOWN_MAX = 65_536  # remembered, about 10 MB of names; beyond that, the store is asked once more
COPIES_TRIED_MAX = 16  # of one content; if all of them are lost, it is stored anew
UNREADABLE_MAX = 16  # objects in a row; then it is the store that cannot be read

Clock = Callable[[], float]  # seconds, never going back
Located = tuple[BlobLocation, bytes]  # a place, and the digest in the stored form of what it should have


class ContentMissing(BlobMissing):
    """Content that was neither ingested by this process nor stored before, or that the store has lost."""

    def __init__(self, digest: bytes, project: str, lost: BlobLocation | None = None) -> None:
        if lost is None:
            problem = f"content {digests.to_text(digest)} is not stored in {project}, nor was it added by this process"
        else:
            problem = f"object {lost.object_name!r}, which held content {digests.to_text(digest)}, is gone or damaged"
        super().__init__(f"{problem}. Add it again from a file that has it.")
        self.digest = digest


class StoredLocations(Protocol):
    """Where the projection has content of "entity/project", by digest."""

    def __call__(
        self, project: str, digests: Sequence[bytes], *, without: Collection[str] = ()
    ) -> Mapping[bytes, BlobLocation]:
        """Content that is nowhere but in the objects `without` is left out."""
        ...


class KnownObjects(Protocol):
    """What the projection knows of the objects of "entity/project", by name."""

    def next_attempts(self, project: str, digests: Sequence[bytes]) -> Mapping[bytes, int]:
        """The attempt in the name that each large content is stored under next: no name comes back."""
        ...

    def condemned_objects(self, project: str, objects: Sequence[str]) -> Collection[str]:
        """Those of these objects that will be deleted: no later event may rely on them."""
        ...


class StoredContent:
    """The stored content of projects, as one process knows it. Safe to use from threads and after a fork."""

    def __init__(
        self,
        store: BlobStore,
        stored: StoredLocations,
        *,
        objects: KnownObjects | None = None,
        clock: Clock = time.monotonic,
        trusted_s: float | None = None,
    ) -> None:
        """`trusted_s` instead of OBJECT_TRUSTED_S. Without `objects`, none was ever condemned."""
        self._store = store
        self._stored = stored
        self._objects = objects
        self._clock = clock
        self.trusted_s = OBJECT_TRUSTED_S if trusted_s is None else trusted_s
        self._known: dict[str, tuple[float, int]] = {}  # object → when it was put or seen, and its size
        self._lost: dict[tuple[str, bytes], list[BlobLocation]] = {}  # project and digest → places without it
        # Project and digest of content that is to be verified → the places that were read. The projection may come to
        # know others before anything relies on one of them.
        self._read: dict[tuple[str, bytes], set[BlobLocation]] = {}

    def find(self, project: str, wanted: Iterable[bytes]) -> dict[bytes, BlobLocation]:
        """Where the store has these contents, whole by its size. What is nowhere, or was lost, is left out."""
        found: dict[bytes, BlobLocation] = {}
        without: set[str] = set()
        left = list(wanted)
        for _ in range(COPIES_TRIED_MAX):
            places = self._stored(project, left, without=without) if left else {}
            if not places:
                break
            lost = self._lost_among(project, places)
            found.update(places if not lost else {d: place for d, place in places.items() if d not in lost})
            self.note_lost(project, [(place, digest) for digest, place in lost.items()])
            without.update(place.object_name for place in lost.values())
            left = list(lost)
        return found

    def suggested(self, project: str, wanted: Sequence[bytes]) -> Mapping[bytes, BlobLocation]:
        """Where the projection has these contents; the store was not asked."""
        return self._stored(project, wanted)

    def verify(self, project: str, wanted: Iterable[bytes]) -> None:
        """Read every stored copy of these contents, also one that is known only later; what is damaged counts as lost.

        Memory: some 200 bytes for each content.
        """
        without: set[str] = set()
        left = list(wanted)
        for digest in left:
            self._read.setdefault((project, digest), set())
        for _ in range(COPIES_TRIED_MAX):
            places = self._stored(project, left, without=without) if left else {}
            if not places:
                break
            self._read_back(project, places)
            without.update(place.object_name for place in places.values())
            left = list(places)

    def objects_seen_at(self, ends: Mapping[str, int]) -> float | None:
        """Since when all of these objects were seen, each at least as far as its end; None if the store lacks one."""
        now, sizes = self._clock(), self.sizes(ends)
        if any(sizes.get(name, -1) < end for name, end in ends.items()):
            return None
        return min((self._known[name][0] for name in ends if name in self._known), default=now)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those objects that exist. The store is asked for what was not put or seen lately."""
        since = self._clock() - self.trusted_s
        known = self._known
        sizes = {name: known[name][1] if name in known and known[name][0] > since else -1 for name in names}
        unknown = [name for name, size in sizes.items() if size < 0]
        if unknown:
            asked_at, found = self._clock(), self._store.sizes(unknown)
            for name, size in found.items():
                self._remember(name, size, asked_at)
            sizes |= dict.fromkeys(unknown, -1) | found
        return {name: size for name, size in sizes.items() if size >= 0}

    def note_put(self, name: str, size: int) -> None:
        """This process has just stored an object."""
        self._remember(name, size, self._clock())

    def condemned(self, names: Iterable[str]) -> set[str]:
        """Those of these objects that will be deleted, as far as the projection knows now.

        Cost: a statement for each project.
        """
        if self._objects is None:
            return set()
        by_project: dict[str, list[str]] = {}
        for name in sorted(set(names)):
            by_project.setdefault(project_of(name), []).append(name)
        return {one for project, some in by_project.items() for one in self._objects.condemned_objects(project, some)}

    def distrust(self) -> None:
        """Something that was put or seen was condemned: ask the store for every object again."""
        self._known.clear()

    def note_lost(self, project: str, lost: Iterable[Located]) -> None:
        """These places of a project were found without the content that they should have, given by its digest."""
        for place, digest in lost:
            places = self._lost.setdefault((project, digest), [])
            if place not in places:
                places.append(place)

    def lost_in(self, project: str) -> list[bytes]:
        """The contents of a project of which a copy was found lost."""
        return [digest for of, digest in self._lost if of == project] if self._lost else []

    def lost_place(self, project: str, digest: bytes) -> BlobLocation | None:
        """Where lost content was."""
        places = self._lost.get((project, digest))
        return places[0] if places else None

    def was_in(self, project: str, digest: bytes, object_name: str) -> bool:
        """Whether this content was found lost in this object."""
        return any(place.object_name == object_name for place in self._lost.get((project, digest), ()))

    def attempt(self, project: str, digest: bytes) -> int:
        """The attempt whose name a large content has, or is stored under next.

        The name of an object that was lost or condemned never returns. Content in a pack has none.
        """
        found = self.find(project, [digest])
        known = attempt_of(found[digest].object_name) if digest in found else None
        if known is not None:
            return known
        lost = [attempt_of(place.object_name) for place in self._lost.get((project, digest), ())]
        following = {} if self._objects is None else self._objects.next_attempts(project, [digest])
        return max([following.get(digest, 0), *[attempt + 1 for attempt in lost if attempt is not None]])

    def moves(self, project: str, stored_anew: Mapping[bytes, BlobLocation]) -> list[Move]:
        """What redirects reads of lost content to where it is now. From here on it is lost no more.

        Behind a server, which alone knows where it was, the server does that.
        """
        kept = place_label(project)
        pairs = [
            (before, now)
            for digest, now in stored_anew.items()
            for before in self._lost.pop((project, digest), ())
            if before.object_name not in (now.object_name, kept)
        ]
        return joined_moves(sorted(pairs))

    def _lost_among(self, project: str, places: Mapping[bytes, BlobLocation]) -> dict[bytes, BlobLocation]:
        sizes = self.sizes({place.object_name for place in places.values()})
        lost = {d: place for d, place in places.items() if sizes.get(place.object_name, -1) < place.offset + place.size}
        if self._read:
            unread = {d: p for d, p in places.items() if d not in lost and p not in self._read.get((project, d), (p,))}
            self._read_back(project, unread)
        if self._lost:
            lost |= {d: place for d, place in places.items() if place in self._lost.get((project, d), ())}
        return lost

    def _read_back(self, project: str, places: Mapping[bytes, BlobLocation]) -> None:
        located = [(place, digest) for digest, place in places.items()]
        self.note_lost(project, ContentCheck(self._store).damaged(located))
        for digest, place in places.items():
            self._read[project, digest].add(place)

    def _remember(self, name: str, size: int, seen_at: float) -> None:
        if len(self._known) >= OBJECTS_KNOWN_MAX:
            self._known.clear()
        self._known[name] = seen_at, size


class ContentCheck:
    """Reads stored content back, to find what is damaged.

    An object that the store cannot read while it answers for others counts as damaged as a whole: some stores answer so
    for rotten bytes. It is not tried again, since each attempt takes seconds.
    """

    def __init__(self, store: BlobStore, advance: Callable[[int], None] = lambda _: None) -> None:
        """`advance` is told how many more bytes were read, or found to be unreadable."""
        self._store = store
        self._advance = advance
        self._unreadable: set[str] = set()
        self._in_a_row = 0

    def damaged(self, places: Iterable[Located]) -> Iterator[Located]:
        """Those of these places, given with their digests, that do not have their content. Cost: reads all of it.

        Raises: StoreUnavailable when the store itself cannot be read.
        """
        batch: list[Located] = []
        size = 0
        for place, digest in sorted(places):
            if place.object_name in self._unreadable:
                self._advance(place.size)
                yield place, digest
                continue
            if place.size > PACKED_FILE_BYTES_MAX:
                yield from self._damaged_file(place, digest)
                continue
            if size + place.size > READ_MANY_BYTES_MAX:
                yield from self._damaged_in(batch)
                self._advance(size)
                batch, size = [], 0
            batch.append((place, digest))
            size += place.size
        yield from self._damaged_in(batch)
        self._advance(size)

    def _damaged_in(self, batch: Sequence[Located]) -> Iterator[Located]:
        """Those of what may be in memory at once. If one cannot be read, smaller parts are tried by themselves."""
        if not batch:
            return
        try:
            self._store.read_many(batch)
        except ContentError:
            if len(batch) == 1:
                yield batch[0]
                return
            middle = len(batch) // 2
            yield from self._damaged_in(batch[:middle])
            yield from self._damaged_in(batch[middle:])
        except StoreUnavailable as error:
            parts = [list(part) for _, part in groupby(batch, key=lambda one: one[0].object_name)]
            if len(parts) == 1:
                self._note_unreadable(error, batch[0][0].object_name)
                yield from batch
                return
            for part in parts:
                yield from self._damaged_in(part)
        else:
            self._in_a_row = 0

    def _damaged_file(self, place: BlobLocation, digest: bytes) -> Iterator[Located]:
        """The same for content that is too large for memory."""
        try:
            for piece in self._store.stream(place, digest):
                self._advance(len(piece))
        except ContentError:
            yield place, digest
        except StoreUnavailable as error:
            self._note_unreadable(error, place.object_name)
            yield place, digest
        else:
            self._in_a_row = 0

    def _note_unreadable(self, error: StoreUnavailable, name: str) -> None:
        """Raises: StoreUnavailable, unless it is most likely this object alone."""
        self._store.sizes([name])
        self._unreadable.add(name)
        self._in_a_row += 1
        if self._in_a_row > UNREADABLE_MAX:
            raise error
