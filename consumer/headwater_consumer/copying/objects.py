"""Copies objects from one blob store to another, as they are and under their names, and verifies what is in them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from headwater_blobs.port import PACK_BYTES_MAX, UNREADABLE, BlobStore, Staged
from headwater_blobs.verify import check_digest, missing
from headwater_runtime.thread_pool import run_in_threads
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, ContentError
from headwater_schemas.object_names import attempt_of, project_of

from headwater_consumer.copying.named import Ranges, Withdrawn

OBJECTS_AT_ONCE = 4  # each is up to PACK_BYTES_MAX in memory
VERIFIED_MAX = 500_000  # ranges that are remembered, about 50 MB: a pack is named by several batches of records
PROBLEMS_MAX = 100  # that are kept


@dataclass(slots=True)
class Copied:
    """What was copied, and what could not be."""

    objects: int = 0
    size: int = 0  # bytes of these
    lost: int = 0  # objects that the source lacks and events need, and contents that are damaged there
    problems: list[str] = field(default_factory=list)  # a line about each of the first that are lost


class ObjectCopier:
    """Brings the objects that events name from one store to another."""

    def __init__(
        self,
        source: BlobStore,
        target: BlobStore,
        withdrawn: Withdrawn,
        *,
        name: str,
        without_lost: bool,
        watch: Callable[[int], None],
    ) -> None:
        """`name`: of the source, for messages. `without_lost`: go on where content is missing or damaged.

        `watch` gets the bytes of each object.
        """
        self.copied = Copied()
        self._source, self._target, self._withdrawn = source, target, withdrawn
        self._name, self._without_lost, self._watch = name, without_lost, watch
        self._verified: dict[str, set[int]] = {}  # offsets in objects, the latest last
        self._remembered = 0  # offsets
        self._lock = threading.Lock()

    def bring(self, named: Mapping[str, Ranges]) -> None:
        """Copy those that are not there, and verify what is named in the others.

        Raises: BlobMissing, BlobCorrupt; StoreUnavailable, StoreFull.
        """
        known = {name for name in named if name in self._verified}
        for name in known:
            new = {at: digest for at, digest in named[name].items() if at[0] not in self._verified[name]}
            self._verify(name, new, self._source)
        fresh = [name for name in named if name not in known]
        there = {name: size for name, size in self._target.sizes(fresh).items() if size != UNREADABLE}
        for name, size in there.items():
            if size <= PACK_BYTES_MAX:  # a larger one has no contents that are named later
                self._verify(name, named[name], self._target)
        wanted = [name for name in fresh if name not in there]
        sizes = self._source.sizes(wanted)

        def copy(name: str) -> None:
            with self._noting():
                self._copy(name, sizes.get(name, UNREADABLE), named[name])

        run_in_threads(copy, wanted, OBJECTS_AT_ONCE, threading.Event())

    def _copy(self, name: str, size: int, ranges: Ranges) -> None:
        """Raises: BlobMissing, BlobCorrupt."""
        if size == UNREADABLE:
            if not self._withdrawn.covers(name, ranges):
                raise missing(name, self._name)
            return
        if size > PACK_BYTES_MAX:
            staged = self._staged_large(BlobLocation(name, 0, size), ranges)
        else:
            content = self._read(BlobLocation(name, 0, size))
            self._check(name, content, ranges)
            staged = self._target.stage_pack([bytes(content)], project=project_of(name))
        self._publish(staged, name)
        with self._lock:
            self.copied.objects += 1
            self.copied.size += size
            self._remember(name, ranges)
        self._watch(size)

    def _read(self, whole: BlobLocation) -> bytearray:
        content, at = bytearray(whole.size), 0
        for piece in self._source.stream_part(whole, 0, whole.size):
            content[at : at + len(piece)] = piece
            at += len(piece)
        return content

    def _check(self, name: str, content: bytearray, ranges: Ranges) -> None:
        view = memoryview(content)
        for (offset, size), digest in ranges.items():
            if digest is not None:
                with self._noting():  # others in the pack are still good
                    check_digest(view[offset : offset + size], BlobLocation(name, offset, size), digest, self._name)

    def _verify(self, name: str, ranges: Ranges, store: BlobStore) -> None:
        for (offset, size), digest in ranges.items():
            if digest is not None:
                with self._noting():
                    for _ in store.stream(BlobLocation(name, offset, size), digest):
                        pass
        with self._lock:
            self._remember(name, ranges)

    def _staged_large(self, whole: BlobLocation, ranges: Ranges) -> Staged:
        """Raises: BlobCorrupt."""
        digest = ranges.get((0, whole.size))
        if digest is None:  # several contents, or one that was moved
            self._verify(whole.object_name, ranges, self._source)
            return self._streamed(whole, self._source.stream_part(whole, 0, whole.size))
        path = self._source.local_file(whole)
        if path is None:
            return self._streamed(whole, self._source.stream(whole, digest))
        return self._staged_file(path, whole, digest)

    def _staged_file(self, path: str, whole: BlobLocation, digest: bytes) -> Staged:
        """Raises: BlobCorrupt."""
        name = whole.object_name
        with open(path, "rb", buffering=0) as file:
            staged = self._target.stage_file(
                file,
                digests.algorithm_of(digest),
                project=project_of(name),
                attempt=lambda _: attempt_of(name) or 0,
            )
        if staged.digest != digest:
            self._target.discard(staged)
            raise BlobCorrupt(
                f"object {name!r} in {self._name} is damaged: it does not have {digests.to_text(digest)}, which was "
                "recorded. Run `headwater doctor --verify` to list all damaged objects, and restore them from a copy."
            )
        return staged

    def _streamed(self, whole: BlobLocation, pieces: Iterator[memoryview]) -> Staged:
        """Raises: BlobCorrupt."""
        stream = self._target.stage_stream(project=project_of(whole.object_name), size=whole.size)
        try:
            for piece in pieces:
                stream.write(piece)
            return stream.finish()
        except BaseException:
            stream.abort()
            raise

    def _publish(self, staged: Staged, name: str) -> None:
        self._target.publish(staged, name)
        if staged.name == name:
            return
        self._target.discard(staged)
        if staged.name is not None and attempt_of(staged.name) is None:  # under a name that nobody else has
            self._target.delete([staged.name])

    def _remember(self, name: str, ranges: Ranges) -> None:
        """Bounded: what is forgotten is verified again when it is named again."""
        offsets = self._verified.pop(name, set())
        self._remembered -= len(offsets)
        offsets.update(offset for offset, _ in ranges)
        self._verified[name] = offsets
        self._remembered += len(offsets)
        while self._remembered > VERIFIED_MAX and len(self._verified) > 1:
            self._remembered -= len(self._verified.pop(next(iter(self._verified))))

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note what is lost and go on, where that is allowed."""
        try:
            yield
        except ContentError as error:
            if not self._without_lost:
                raise
            with self._lock:
                self.copied.lost += 1
                if len(self.copied.problems) < PROBLEMS_MAX:
                    self.copied.problems.append(str(error))
