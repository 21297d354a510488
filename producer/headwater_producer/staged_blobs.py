"""Staged bytes of one process: what is in them, and packs that are being staged."""

import math
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore, Staged
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas import digests, object_names
from headwater_schemas.entries import BlobLocation, Ranges
from headwater_schemas.errors import HeadwaterError

STAGING_ERRORS = (HeadwaterError, OSError, MemoryError)


@dataclass(slots=True, eq=False)
class StagedBlob:
    """Staged bytes: a pack of many contents, or one large content."""

    staged: Staged
    ranges: Ranges  # of its contents within it
    published: dict[str, str] = field(default_factory=dict)  # project → object name
    counted: dict[str, set[bytes]] = field(default_factory=dict)  # project → digests of what a caller asked for
    checked_s: float = -math.inf  # by the stager's clock: when its objects were last known not to be condemned
    owner: int = field(
        default_factory=os.getpid
    )  # the process that staged it: after a fork, others must not discard it

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a next process could not find it by its digest, and this one may leave it."""
        is_found_by_name = self.staged.digest is not None and self.staged.name is not None
        return not self.published and not is_found_by_name and self.owner == os.getpid()

    @property
    def objects(self) -> set[str]:
        """The objects that it is, or is a part of."""
        return {*self.published.values(), *([] if self.staged.name is None else [self.staged.name])}

    def name_in(self, project: str, attempt: Callable[[], int]) -> str:
        """The name to publish it under: the one that it has already, if that is in `project`."""
        if self.staged.name is not None and object_names.project_of(self.staged.name) == project:
            return self.staged.name
        if self.staged.digest is None:
            return object_names.pack_name(project)
        return object_names.file_name(project, self.staged.digest, attempt())

    def count(self, project: str, digests: Iterable[bytes]) -> set[bytes]:
        """Note that these of its contents were asked for in `project`. Returns those that never were before.

        A pack has the contents of many callers.
        """
        counted = self.counted.setdefault(project, set())
        new = set(digests) - counted
        counted |= new
        return new

    def unpublish(self, names: Collection[str]) -> set[bytes]:
        """It is none of these objects any more. Returns the contents that were counted in one."""
        gone = [project for project, name in self.published.items() if name in names]
        for project in gone:
            del self.published[project]
        return {digest for project in gone for digest in self.counted.pop(project, ())}


def published_anew(store: BlobStore, staged: Staged, project: str) -> str:
    """Publish what is staged, a pack or a stream, as an object of a name that was never used, and return that.

    Raises: StoreUnavailable, StoreReadOnly.
    """
    name = staged.name or object_names.pack_name(project)
    store.publish(staged, name)
    if staged.name is None:  # it is an object by itself now
        store.discard(staged)
    return name


def staged_copy(
    store: BlobStore, place: BlobLocation, digest: bytes, project: str, attempt: Callable[[bytes], int]
) -> StagedBlob:
    """A stored content, staged once more for `project`. Raises: ContentError, StoreUnavailable, StoreReadOnly."""
    algorithm = digests.algorithm_of(digest)
    if place.size <= PACKED_FILE_BYTES_MAX:
        staged = store.stage_pack([store.read(place, digest)], project=project, algorithm=algorithm)
    else:
        with tempfile.TemporaryFile(buffering=0) as copy:
            for chunk in store.stream(place, digest):
                copy.write(chunk)
            copy.seek(0)
            staged = store.stage_file(copy, algorithm, project=project, attempt=attempt)
    return StagedBlob(staged, Ranges({digest: (0, staged.size)}))


class PackStaging:
    """The staging of one pack, by a background thread or by the first caller that needs it."""

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
        """Start in the background, where that is possible; the caller that needs the pack stages it otherwise."""
        start_daemon(self._stage, "staging")

    def finish(self) -> StagedBlob:
        """Wait for the pack. Raises: what went wrong, here or in the background."""
        self._stage()
        if self._error is not None:
            raise self._error
        assert self._staged is not None
        sizes = list(map(len, self.contents.values()))
        ranges = Ranges()
        ranges.add(self.contents, accumulate(sizes[:-1], initial=0), sizes)
        return StagedBlob(self._staged, ranges)

    def _stage(self) -> None:
        with self._lock:
            if self._staged is not None or self._error is not None:
                return
            try:
                algorithm = digests.algorithm_of(next(iter(self.contents)))
                contents = list(self.contents.values())
                self._staged = self._store.stage_pack(contents, project=self._project, algorithm=algorithm)
            except STAGING_ERRORS as error:  # raised again in the thread that waits
                self._error = error
