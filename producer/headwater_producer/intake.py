"""Take bytes in: hash them, keep them safe from their source, and know where each content is.

Content is known by its digest. Small contents wait in memory until they fill a pack, which is then staged while the
next one fills; large ones are staged at once. No event names any of it yet: `places` publishes what a version needs,
in the project that it belongs to, and leaves out what that project has stored already. A store that cannot rename has
been told the likely project, so that what goes there is published as it is; what goes elsewhere is copied.
"""

import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from headwater_blobs import naming
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX, BlobStore, Staged
from headwater_runtime.pools import no_fork
from headwater_schemas import digests
from headwater_schemas.entries import Place
from headwater_schemas.errors import BlobMissing, HeadwaterError

_STAGING_ERRORS = (HeadwaterError, OSError, MemoryError)

StoredPlaces = Callable[[str, Sequence[bytes]], Mapping[bytes, Place]]  # of "entity/project", by digest


@dataclass(slots=True)
class _Holding:
    """Staged bytes: a pack of many contents, or one large content."""

    staged: Staged
    stretches: dict[bytes, tuple[int, int]]  # digest → offset and size within it
    published: dict[str, str] = field(default_factory=dict)  # project → object name
    owner: int = field(default_factory=os.getpid)  # the process that staged it: after a fork, others leave it there


class Intake:
    """What one process has taken and not yet handed over. Safe to use from threads.

    Memory: at most three packs of PACK_BYTES_MAX, a fourth where the store sends a pack in one piece, and about 200
    bytes for each content until `forget`. For large files it is what the store states.
    """

    def __init__(self, store: BlobStore, stored: StoredPlaces, *, algorithm: str, project: str) -> None:
        """`project` is where what is taken will most likely go: what it has stored is not kept again."""
        self._store = store
        self._stored = stored
        self._algorithm = algorithm
        self._hash = digests.one_shot(algorithm)
        self._code = digests.pack(algorithm, b"")
        self.project = project
        self._lock = threading.RLock()
        self._waiting: dict[bytes, bytes] = {}  # small contents of the pack that is being filled
        self._waiting_bytes = 0
        self._holdings: dict[bytes, _Holding] = {}
        self._relied_on: Counter[bytes] = Counter()  # how often more what is taken was taken, or found to be taken
        self._staging: _Staging | None = None
        self._pid = os.getpid()
        self.published_bytes = 0  # how much became objects here that was not stored before

    @property
    def algorithm(self) -> str:
        """The digest algorithm of everything that is taken here."""
        return self._algorithm

    def take(self, contents: Sequence[bytes]) -> list[bytes]:
        """Take small contents (PACKED_FILE_BYTES_MAX each) and return their digests, in order."""
        code, hash_one = self._code, self._hash
        taken = [code + hash_one(content) for content in contents]
        with self._alone():
            for digest, content in zip(taken, contents, strict=True):
                if not self._is_relied_on(digest):
                    self._waiting[digest] = content
                    self._waiting_bytes += len(content)
                    if self._waiting_bytes >= PACK_BYTES_MAX:
                        self._stage_waiting(in_background=True)
        return taken

    def take_file(self, source: BinaryIO) -> tuple[bytes, int]:
        """Take a file of any size, opened unbuffered; returns the digest and size of what was kept.

        Raises: OSError when the source cannot be read, InvalidFile when it does not stay the same for long enough;
        StoreUnavailable, StoreReadOnly.
        """
        if os.fstat(source.fileno()).st_size <= PACKED_FILE_BYTES_MAX:
            content = source.read(PACKED_FILE_BYTES_MAX + 1)
            if len(content) <= PACKED_FILE_BYTES_MAX:
                return self.take([content])[0], len(content)
            source.seek(0)  # it grew meanwhile
        staged = self._store.stage_file(source, self._algorithm, project=self.project)
        assert staged.digest is not None
        with self._alone():
            if self._is_relied_on(staged.digest) or self._stored(self.project, [staged.digest]):
                self._store.discard(staged)
            else:
                self._holdings[staged.digest] = _Holding(staged, {staged.digest: (0, staged.size)})
        return staged.digest, staged.size

    def lacking(self, wanted: Sequence[bytes]) -> set[bytes]:
        """Which of these digests are neither taken nor stored in the likely project, so that bytes must be read."""
        with self._alone():
            unknown = [digest for digest in set(wanted) if not self._is_relied_on(digest)]
        return set(unknown).difference(self._stored(self.project, unknown)) if unknown else set()

    def places(self, project: str, wanted: Iterable[bytes]) -> dict[bytes, Place]:
        """Where each of these contents is, as objects of `project`. What was only taken becomes objects now, durably.

        Raises: BlobMissing when one was never taken and is not stored; StoreUnavailable, StoreReadOnly.
        """
        wanted = list(dict.fromkeys(wanted))
        with self._alone():
            self._finish_staging()
            if not self._waiting.keys().isdisjoint(wanted):
                self._stage_waiting(in_background=False)
            found: dict[bytes, Place] = {}
            elsewhere: list[bytes] = []
            for digest in wanted:
                holding = self._holdings.get(digest)
                if holding is None:
                    elsewhere.append(digest)
                else:
                    found[digest] = Place(self._publish(holding, project, digest), *holding.stretches[digest])
        if elsewhere:
            found |= self._stored(project, elsewhere)
            missing = [digest for digest in elsewhere if digest not in found]
            found |= self._copied_from_likely_project(project, missing)
        return found

    def forget(self, handed_over: Iterable[bytes]) -> None:
        """What is in the projection now need not be known here, unless somebody else relies on it.

        Of a shared draft it is not stored for anybody else before the seal.
        """
        with self._alone():
            for digest in handed_over:
                others = self._relied_on.pop(digest, 0)
                if others > 1:
                    self._relied_on[digest] = others - 1
                if others:
                    continue
                holding = self._holdings.get(digest)
                if holding is not None and holding.published:
                    del self._holdings[digest]
                    del holding.stretches[digest]
                    if not holding.stretches:
                        self._discard(holding)

    def close(self) -> None:
        """Let go of everything that was taken and never asked for."""
        if self._pid != os.getpid():
            return
        with self._alone():
            self._finish_staging()
            for holding in {id(holding): holding for holding in self._holdings.values()}.values():
                self._discard(holding)
            self._holdings.clear()
            self._relied_on.clear()
            self._waiting.clear()
            self._waiting_bytes = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time. A fork waits: its child could neither take the lock nor trust what it guards."""
        with no_fork(), self._lock:
            self._after_fork()
            yield

    def _discard(self, holding: _Holding) -> None:
        if holding.owner == os.getpid():
            self._store.discard(holding.staged)

    def _is_relied_on(self, digest: bytes) -> bool:
        """Whether it is taken: whoever hands it over first must leave it for the one who asks."""
        staging = self._staging
        taken = digest in self._waiting or digest in self._holdings or (staging is not None and digest in staging)
        if taken:
            self._relied_on[digest] += 1
        return taken

    def _publish(self, holding: _Holding, project: str, digest: bytes) -> str:
        name = holding.published.get(project)
        if name is None:
            name = _name_in(project, holding.staged, digest)
            self._store.publish(holding.staged, name)
            holding.published[project] = name
            self.published_bytes += holding.staged.size
        return name

    def _stage_waiting(self, *, in_background: bool) -> None:
        """Turn what waits into a pack. One is staged in the background while the next one fills."""
        self._finish_staging()
        known = self._stored(self.project, list(self._waiting))
        contents = {digest: content for digest, content in self._waiting.items() if digest not in known}
        if contents:
            self._staging = _Staging(self._store, contents, self.project)
            if in_background:
                self._staging.begin()
        self._waiting, self._waiting_bytes = {}, 0  # only now: whatever fails or interrupts, what was taken is kept
        if not in_background:
            self._finish_staging()

    def _finish_staging(self) -> None:
        if self._staging is not None:
            try:
                holding = self._staging.finish()
            except _STAGING_ERRORS:
                self._wait_again(self._staging.contents)
                self._staging = None
                raise
            self._holdings.update(dict.fromkeys(holding.stretches, holding))
            self._staging = None

    def _wait_again(self, contents: Mapping[bytes, bytes]) -> None:
        """What the store would not take, such as when the disk was full, is still taken: the next call tries again."""
        self._waiting = {**contents, **self._waiting}
        self._waiting_bytes = sum(map(len, self._waiting.values()))

    def _copied_from_likely_project(self, project: str, missing: Sequence[bytes]) -> dict[bytes, Place]:
        """Content is each project's own: what was not kept because the likely project has it is copied from there."""
        if not missing:
            return {}
        places = self._stored(self.project, missing)
        for digest in missing:
            place = places.get(digest)
            if place is None:
                raise BlobMissing(
                    f"{digests.to_text(digest)} is not stored in {project}, nor was it added here. Add it again."
                )
            self._take_again(digest, place, project)
        return self.places(project, missing)

    def _take_again(self, digest: bytes, place: Place, project: str) -> None:
        if place.size > PACKED_FILE_BYTES_MAX:
            with tempfile.TemporaryFile(buffering=0) as copy:
                for chunk in self._store.stream(place, digest):
                    copy.write(chunk)
                copy.seek(0)
                staged = self._store.stage_file(copy, digests.algorithm_of(digest), project=project)
            with self._alone():
                self._holdings[digest] = _Holding(staged, {digest: (0, staged.size)})
            return
        content = self._store.read(place, digest)
        with self._alone():
            # Not by way of `take`, which leaves out what the likely project has.
            staged = self._store.stage_pack([content], project=project)
            self._holdings[digest] = _Holding(staged, {digest: (0, len(content))})

    def _after_fork(self) -> None:
        """A child keeps what was taken before the fork, but a thread of the parent does not go on in it."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._staging is not None:
                self._staging = _Staging(self._store, self._staging.contents, self.project)
                self._finish_staging()


def _name_in(project: str, staged: Staged, digest: bytes) -> str:
    """The name under which to publish: the one that it has already, if that is in `project`."""
    if staged.name is not None and naming.project_of(staged.name) == project:
        return staged.name
    return naming.pack_name(project) if staged.digest is None else naming.file_name(project, digest)


class _Staging:
    """A pack on its way to the store, by whoever comes first: a thread, or the one who needs it."""

    def __init__(self, store: BlobStore, contents: dict[bytes, bytes], project: str) -> None:
        self.contents = contents
        self._project = project
        self._store = store
        self._lock = threading.Lock()
        self._staged: Staged | None = None
        self._error: Exception | None = None

    def __contains__(self, digest: bytes) -> bool:
        return digest in self.contents

    def begin(self) -> None:
        """Start on it in the background."""
        with suppress(RuntimeError):  # the interpreter is ending: whoever needs the pack does it
            threading.Thread(target=self._stage, name="headwater-staging", daemon=True).start()

    def finish(self) -> _Holding:
        """Wait for the pack. Raises: what went wrong, here or in the background."""
        self._stage()
        if self._error is not None:
            raise self._error
        assert self._staged is not None
        stretches, offset = {}, 0
        for digest, content in self.contents.items():
            stretches[digest] = (offset, len(content))
            offset += len(content)
        return _Holding(self._staged, stretches)

    def _stage(self) -> None:
        with self._lock:
            if self._staged is not None or self._error is not None:
                return
            try:
                self._staged = self._store.stage_pack(list(self.contents.values()), project=self._project)
            except _STAGING_ERRORS as error:  # carried to the thread that waits
                self._error = error
