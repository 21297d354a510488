"""Ingest content: hash it, keep it safe from its source, and know where each content is stored.

Content is identified by its digest. Small contents are buffered in memory until they fill a pack, which is then staged
while the next one fills; large ones are staged at once. No event names any of it yet: `publish` makes objects of what a
version needs, in the version's project, and skips what that project has stored already. A store that cannot rename is
given the likely project, so that content for it is published without a copy; content for another project is copied.
"""

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from headwater_blobs.local_sources import digest_of, head_of, read_unchanged
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX, BlobStore, Watch, unwatched
from headwater_runtime.pools import no_fork
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation, BlobLocations, Ranges
from headwater_schemas.errors import ContentError, StoreUnavailable
from headwater_schemas.events import Move

from headwater_producer.condemned_content import CondemnedContent
from headwater_producer.kept_content import KeptContent
from headwater_producer.staged_blobs import STAGING_ERRORS, PackStaging, StagedBlob, staged_copy
from headwater_producer.stored_content import (
    Clock,
    ContentMissing,
    KnownObjects,
    Located,
    StoredContent,
    StoredLocations,
)

AHEAD_BYTES_MIN = PACK_BYTES_MAX // 4  # smaller packs would become many


class BlobStager:
    """The content that one process has ingested and not yet handed over. Safe to use from threads.

    Memory: at most three packs of PACK_BYTES_MAX, a fourth where the store sends a pack in one piece, and about 400
    bytes for each content until `forget`. For large files it is what the store states.
    """

    def __init__(
        self,
        store: BlobStore,
        stored: StoredLocations,
        *,
        algorithm: str,
        project: str,
        objects: KnownObjects | None = None,
        clock: Clock = time.monotonic,
        trusted_s: float | None = None,
        records: Path | None = None,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`project` is where the content will most likely be published: what it has stored is not stored again.

        `catch_up` returns once what `stored` knows is as far as the log. A database that crashed may have been further
        before, so content counts as missing only then. Raises: StoreUnavailable where that takes too long.
        `records`: a folder of this machine for the records of what is staged and left, see `kept_content`.
        """
        self._store = store
        self._stored = StoredContent(store, stored, objects=objects, clock=clock, trusted_s=trusted_s)
        self._clock = clock
        self._catch_up = catch_up
        self._algorithm = algorithm
        self._hash = digests.one_shot(algorithm)
        self._code = digests.pack(algorithm, b"")
        self.project = project
        self._lock = threading.RLock()
        self._buffered: dict[bytes, bytes] = {}  # small contents of the pack that is being filled
        self._buffered_bytes = 0
        self._blobs: dict[bytes, StagedBlob] = {}
        self._extra_uses = Counter[bytes]()  # how often content was ingested, or found here, after the first time
        self._stagings: list[PackStaging] = []  # packs that are being staged, in order
        self._leftovers = KeptContent(records, project, algorithm)
        self._condemned = CondemnedContent(store, self._stored)
        self._unclaimed: set[bytes] = set()  # contents that were taken over with others, and that nobody used yet
        self._keeps_staged = False
        self._pid = os.getpid()
        self.published_contents = 0  # that were asked for and not stored before
        self.published_bytes = 0  # of these

    @property
    def algorithm(self) -> str:
        """The digest algorithm of everything that is ingested here."""
        return self._algorithm

    def ingest(self, contents: Sequence[bytes], *, verify: bool = False) -> list[bytes]:
        """Ingest small contents (PACKED_FILE_BYTES_MAX each) and return their digests, in order.

        `verify` reads what is stored of them already, so that what is damaged is stored anew.
        """
        code, hash_one = self._code, self._hash
        ingested = [code + hash_one(content) for content in contents]
        if verify:
            self._stored.verify(self.project, ingested)
        with self._exclusive():
            if not self._buffer_together(ingested, contents):
                self._buffer_each(ingested, contents)
        return ingested

    def ingest_file(self, source: BinaryIO, *, verify: bool = False, watch: Watch = unwatched) -> tuple[bytes, int]:
        """Ingest a file of any size, opened unbuffered; returns the digest and size of what was kept.

        `verify` is as for `ingest`, and `watch` as for `BlobStore.stage_file`; a small file is not watched.
        Raises: OSError when the source cannot be read, InvalidFile when it changes each time it is read;
        StoreUnavailable, StoreReadOnly.
        """
        if os.fstat(source.fileno()).st_size <= PACKED_FILE_BYTES_MAX:
            content = read_unchanged(source, lambda: head_of(source.fileno(), PACKED_FILE_BYTES_MAX + 1))
            if len(content) <= PACKED_FILE_BYTES_MAX:  # unless it grew meanwhile
                return self.ingest([content], verify=verify)[0], len(content)
        if not verify and (left := self._use_left_file(source, watch)) is not None:
            return left
        verified: set[bytes] = set()

        def attempt(digest: bytes) -> int:
            if verify and digest not in verified:
                verified.add(digest)
                self._stored.verify(self.project, [digest])
            return self._stored.attempt(self.project, digest)

        staged = self._store.stage_file(source, self._algorithm, project=self.project, attempt=attempt, watch=watch)
        assert staged.digest is not None
        if verify:
            attempt(staged.digest)  # a store that can rename did not ask
        with self._exclusive():
            if self._use(staged.digest) or self._known([staged.digest]):
                self._store.discard(staged)
            else:
                self._keep(StagedBlob(staged, Ranges({staged.digest: (0, staged.size)})))
        return staged.digest, staged.size

    def stage_ahead(self) -> None:
        """Begin to stage what is buffered, where that is worth a pack: nobody then waits for all of it in `publish`."""
        with self._exclusive():
            if self._buffered_bytes >= AHEAD_BYTES_MIN and len(self._stagings) < 2:
                self._begin_staging(in_background=True)

    def missing(self, wanted: Sequence[bytes]) -> set[bytes]:
        """The digests whose bytes must be read: they were not ingested, and the likely project does not have them.

        What it had and lost is missing, too. While the store is away, the projection's word counts: `publish` asks the
        store again.
        """
        with self._exclusive():
            unknown = [digest for digest in set(wanted) if not self._use(digest)]
        if not unknown:
            return set()
        try:
            return set(unknown) - self._known(unknown)
        except StoreUnavailable:
            return set(unknown).difference(self._stored.suggested(self.project, unknown))

    def objects_seen_at(self, ends: Mapping[str, int]) -> float | None:
        """Since when all of these objects were seen, each at least as far as its end; None if the store lacks one."""
        return self._stored.objects_seen_at(ends)

    def find_lost(self, project: str, wanted: Iterable[bytes]) -> list[bytes]:
        """Ask the store for contents that a version of `project` has. `heal` stores anew what was lost.

        Returns what it cannot heal: contents that are neither in hand nor anywhere else in the project.
        """
        wanted = list(dict.fromkeys(wanted))
        lost = self._nowhere(project, wanted)
        if lost:
            self._catch_up()
            lost = self._nowhere(project, lost)
        return lost

    def note_lost(self, project: str, lost: Iterable[Located]) -> None:
        """These places of `project` were found lost: `heal` is to redirect their reads."""
        self._stored.note_lost(project, lost)

    def find_copies(self, project: str, wanted: Iterable[bytes]) -> dict[bytes, BlobLocation]:
        """Where `project` has these contents, but for places that were found lost."""
        return self._stored.find(project, wanted)

    def publish(self, project: str, wanted: Iterable[bytes]) -> BlobLocations:
        """Make these contents objects of `project`, durably, unless they are; returns where each one is.

        Raises: ContentMissing; StoreUnavailable, StoreReadOnly.
        """
        wanted = list(dict.fromkeys(wanted))
        with self._exclusive():
            self._finish_staging()
            if not self._buffered.keys().isdisjoint(wanted):
                self._stage_buffered(in_background=False)
            found = BlobLocations()
            elsewhere: list[bytes] = []
            for blob, of_blob in self._by_usable_blob(wanted):
                if blob is None:
                    elsewhere += of_blob
                else:
                    name = self._publish(blob, project, of_blob[0])
                    found.add(name, of_blob, blob.ranges)
                    new = blob.count(project, of_blob)
                    self.published_contents += len(new)
                    self.published_bytes += sum(map(blob.ranges.sizes.__getitem__, new))
        if elsewhere:
            try:
                found.update(self._stored_or_copied(project, elsewhere))
            except ContentMissing:
                self._catch_up()
                found.update(self._stored_or_copied(project, elsewhere))
        return found

    def distrust(self, relied_on: Mapping[bytes, BlobLocation]) -> None:
        """An event was refused for an object that is condemned: whatever is in hand or was seen may be in such a one.

        `relied_on`: where the content of the event was said to be.
        """
        self._stored.distrust()
        with self._exclusive():
            for blob in self._blobs.values():
                blob.checked_s = -math.inf
            self._condemned.note(relied_on)

    def keeps(self, digest: bytes) -> bool:
        """Whether the staged bytes of a large content outlive every object, so that nobody else need keep them."""
        with self._exclusive():
            blob = self._blobs.get(digest)
            return blob is not None and self._store.outlives(blob.staged, blob.objects)

    def rescue(self, project: str, wanted: Iterable[bytes]) -> None:
        """Copy what of these contents can still be read from objects that are condemned. The others stay missing."""
        for digest, place in self._condemned.places(wanted).items():
            with suppress(ContentError):
                self._copy(digest, place, project)

    def heal(self, project: str) -> tuple[Mapping[bytes, BlobLocation], list[Move]]:
        """Store anew what `project` was found to have lost and is in hand, or has another copy there.

        Returns where it is now, and the moves that redirect the reads of all versions that need it. Raises: as
        `publish`.
        """
        lost = self._stored.lost_in(project)
        if not lost:
            return {}, []
        with self._exclusive():
            here = {digest for digest in lost if self._is_here(digest)}
        copies = self._stored.find(project, set(lost) - here)
        for digest, location in copies.items():
            self._copy(digest, location, project)
        healed = self.publish(project, [*here, *copies])
        return healed, self._stored.moves(project, healed)

    def forget(self, handed_over: Iterable[bytes], *, stored: Iterable[bytes] = ()) -> None:
        """Drop content that the projection knows now, unless another user of this stager needs it.

        Content of a shared draft is not stored for anybody else before the draft is sealed. `stored`: what a sealed
        version has from others, who may have stored it while a copy of it was in hand here.
        """
        with self._exclusive():
            unused = dict.fromkeys(digest for digest in handed_over if not self._is_used_by_others(digest))
            self._condemned.forget(unused)
            for blob, of_blob in self._by_blob(unused):
                if blob is not None and blob.published:
                    self._drop(of_blob, blob)
            for digest in stored if self._blobs or self._buffered else ():
                if not self._is_used_by_others(digest):
                    self._drop_unpublished(digest)

    def sent_in_vain(self, contents: Iterable[bytes]) -> Mapping[bytes, int]:
        """See `BlobStore.sent_in_vain`."""
        return self._store.sent_in_vain(contents)

    def keep_staged(self) -> None:
        """Something failed or was interrupted: `close` leaves what is staged to the next process that adds it."""
        self._keeps_staged = True

    def close(self) -> None:
        """Discard all content that was ingested and not published, or leave it where `keep_staged` was called."""
        if self._pid != os.getpid():
            return
        with self._exclusive():
            self._finish_staging()
            blobs = {id(blob): blob for blob in self._blobs.values()}
            kept = {key: blob for key, blob in blobs.items() if self._keeps_staged and blob.is_worth_keeping}
            if self._leftovers.keep([(blob.staged, blob.ranges) for blob in kept.values()]):
                blobs = {key: blob for key, blob in blobs.items() if key not in kept}
            for blob in blobs.values():
                self._discard(blob)
            self._leftovers.close()
            self._blobs.clear()
            self._extra_uses.clear()
            self._unclaimed.clear()
            self._condemned.clear()
            self._buffered.clear()
            self._buffered_bytes = 0

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One thread at a time. A fork waits: its child could neither take the lock nor trust what it guards."""
        with no_fork(), self._lock:
            self._after_fork()
            yield

    def _by_blob(self, wanted: Iterable[bytes]) -> list[tuple[StagedBlob | None, list[bytes]]]:
        """Runs of contents that are in one staged blob, or in none: those of a folder lie in its packs in order."""
        return [(blob, list(run)) for blob, run in groupby(wanted, key=self._blobs.get)]

    def _keep(self, blob: StagedBlob) -> None:
        """What is staged now is in hand."""
        blob.checked_s = self._clock()
        self._blobs.update(dict.fromkeys(blob.ranges, blob))

    def _by_usable_blob(self, wanted: Iterable[bytes]) -> list[tuple[StagedBlob | None, list[bytes]]]:
        """As `_by_blob`, less what will be deleted. Of what outlives its object, another one is made."""
        runs = self._by_blob(wanted)
        blobs = {id(blob): blob for blob, _ in runs if blob is not None}
        renounced = self._condemned.renounce(blobs.values(), self._clock())
        self.published_contents -= len(renounced.sizes)
        self.published_bytes -= sum(renounced.sizes.values())
        for blob in renounced.gone:
            self._drop(list(blob.ranges), blob)
        return self._by_blob(wanted) if renounced.gone else runs

    def _drop_unpublished(self, digest: bytes) -> None:
        content = self._buffered.pop(digest, b"")
        self._buffered_bytes -= len(content)
        if blob := self._blobs.get(digest):
            self._drop([digest], blob)

    def _drop(self, contents: Iterable[bytes], blob: StagedBlob) -> None:
        for digest in contents:
            del self._blobs[digest]
            del blob.ranges[digest]
        if not blob.ranges:
            self._discard(blob)

    def _is_used_by_others(self, digest: bytes) -> bool:
        """Whether this was not the last user of it. Counts one user less."""
        others = self._extra_uses.pop(digest, 0) if self._extra_uses else 0
        if others > 1:
            self._extra_uses[digest] = others - 1
        return others > 0

    def _buffer_together(self, ingested: Sequence[bytes], contents: Sequence[bytes]) -> bool:
        """Buffer contents of which none is known, in bulk. False, with nothing done, for others and a full pack."""
        new, size = dict(zip(ingested, contents, strict=True)), sum(map(len, contents))
        if len(new) < len(contents) or self._buffered_bytes + size >= PACK_BYTES_MAX or not self._has_none_of(new):
            return False
        self._buffered.update(new)
        self._buffered_bytes += size
        return True

    def _buffer_each(self, ingested: Sequence[bytes], contents: Sequence[bytes]) -> None:
        """Buffer those of the contents that are not known. A pack that is full is staged."""
        for digest, content in zip(ingested, contents, strict=True):
            if not self._use(digest):
                self._buffered[digest] = content
                self._buffered_bytes += len(content)
                if self._buffered_bytes >= PACK_BYTES_MAX:
                    self._stage_buffered(in_background=True)

    def _has_none_of(self, wanted: Mapping[bytes, bytes]) -> bool:
        """Whether no content of these is here, or was left by an earlier process."""
        here: list[Mapping[bytes, object]] = [self._buffered, self._blobs]
        here += [staging.contents for staging in self._stagings]
        return all(wanted.keys().isdisjoint(known.keys()) for known in here) and self._leftovers.has_none_of(wanted)

    def _discard(self, blob: StagedBlob) -> None:
        if blob.owner == os.getpid():
            self._store.discard(blob.staged)

    def _use(self, digest: bytes) -> bool:
        """Whether it is ingested already; counts one more user, so that the first `forget` leaves it for the others."""
        if not self._is_here(digest) and not self._take_over(digest):
            return False
        if digest in self._unclaimed:
            self._unclaimed.discard(digest)
        else:
            self._extra_uses[digest] += 1
        return True

    def _use_left_file(self, source: BinaryIO, watch: Watch) -> tuple[bytes, int] | None:
        """The digest and size of a large file that an earlier process staged. It is read only if one has its size."""
        size = os.fstat(source.fileno()).st_size
        with self._exclusive():
            if not self._leftovers.has_file_of(size):
                return None
        digest, size = read_unchanged(source, lambda: digest_of(source.fileno(), self._algorithm, watch))
        with self._exclusive():
            return (digest, size) if self._use(digest) else None

    def _take_over(self, digest: bytes) -> bool:
        """Take over the staged bytes of an earlier process that have this content, and all else that is in them."""
        left = self._leftovers.take_over(digest, self._store)
        if left is None:
            return False
        ranges = Ranges({content: place for content, place in left.ranges.items() if not self._is_here(content)})
        self._blobs.update(dict.fromkeys(ranges, StagedBlob(left.staged, ranges)))  # its age is not known
        self._unclaimed.update(ranges)
        return True

    def _is_here(self, digest: bytes) -> bool:
        """Whether its bytes are in hand. Those of an object that was lost are not: it may share them with the store."""
        blob = self._blobs.get(digest)
        if blob is None:
            return digest in self._buffered or any(digest in staging for staging in self._stagings)
        if any(self._stored.was_in(project, digest, name) for project, name in blob.published.items()):
            self._drop([digest], blob)
            return False
        return True

    def _known(self, wanted: Sequence[bytes]) -> set[bytes]:
        """Those of the contents that the likely project has, of which no copy was found lost."""
        found = self._stored.find(self.project, wanted)
        return found.keys() - set(self._stored.lost_in(self.project))

    def _publish(self, blob: StagedBlob, project: str, digest: bytes) -> str:
        name = blob.published.get(project)
        if name is None:
            name = blob.name_in(project, lambda: self._stored.attempt(project, digest))
            self._store.publish(blob.staged, name)
            self._stored.note_put(name, blob.staged.size)
            blob.published[project] = name
        return name

    def _stage_buffered(self, *, in_background: bool) -> None:
        """Stage the buffered contents as a pack. In the background, the next pack fills meanwhile."""
        self._finish_staging()
        self._begin_staging(in_background=in_background)
        if not in_background:
            self._finish_staging()

    def _begin_staging(self, *, in_background: bool) -> None:
        goes_along = self._store.goes_along(list(self._buffered.values()))
        known = set() if goes_along and not in_background else self._known(list(self._buffered))
        contents = {digest: content for digest, content in self._buffered.items() if digest not in known}
        if contents:
            staging = PackStaging(self._store, contents, self.project)
            self._stagings.append(staging)
            if in_background:
                staging.begin()
        self._buffered, self._buffered_bytes = {}, 0  # only now: a failure or an interrupt before this loses nothing

    def _finish_staging(self) -> None:
        while self._stagings:
            staging = self._stagings[0]
            try:
                blob = staging.finish()
            except STAGING_ERRORS:
                self._buffer_again(staging.contents)
                del self._stagings[0]
                raise
            self._keep(blob)
            del self._stagings[0]

    def _buffer_again(self, contents: Mapping[bytes, bytes]) -> None:
        """Keep what the store refused, for example because its disk was full: the next call tries again."""
        self._buffered = {**contents, **self._buffered}
        self._buffered_bytes = sum(map(len, self._buffered.values()))

    def _nowhere(self, project: str, wanted: Sequence[bytes]) -> list[bytes]:
        """Those of these contents that are neither in hand nor stored in `project`."""
        found = self._stored.find(project, wanted)
        with self._exclusive():
            return [digest for digest in wanted if digest not in found and not self._is_here(digest)]

    def _stored_or_copied(self, project: str, wanted: Sequence[bytes]) -> Mapping[bytes, BlobLocation]:
        """Where `project` has contents that are not in hand. Raises: ContentMissing."""
        found = self._stored.find(project, wanted)
        missing = [digest for digest in wanted if digest not in found]
        return {**found, **self._copied_from_likely_project(project, missing)}

    def _copied_from_likely_project(self, project: str, missing: Sequence[bytes]) -> Mapping[bytes, BlobLocation]:
        """Projects share no content: what was skipped because the likely project has it is copied from there."""
        if not missing:
            return {}
        locations = self._stored.find(self.project, missing) if project != self.project else {}
        for digest in missing:
            location = locations.get(digest)
            if location is None:
                lost = self._stored.lost_place(project, digest) or self._stored.lost_place(self.project, digest)
                raise ContentMissing(digest, project, lost)
            self._copy(digest, location, project)
        return self.publish(project, missing)

    def _copy(self, digest: bytes, place: BlobLocation, project: str) -> None:
        """Not by `ingest`, which skips what the likely project has."""
        copy = staged_copy(self._store, place, digest, project, lambda copied: self._stored.attempt(project, copied))
        with self._exclusive():
            self._keep(copy)

    def _after_fork(self) -> None:
        """A child keeps what was ingested before the fork, but not the parent's background thread."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._stagings = [PackStaging(self._store, old.contents, self.project) for old in self._stagings]
            self._finish_staging()
