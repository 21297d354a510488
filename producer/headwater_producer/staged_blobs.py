"""Staged bytes of one process: what is in them, and packs that are being staged."""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from headwater_blobs.port import BlobStore, Staged
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.entries import Ranges
from headwater_schemas.errors import HeadwaterError

STAGING_ERRORS = (HeadwaterError, OSError, MemoryError)


@dataclass(slots=True, eq=False)
class StagedBlob:
    """Staged bytes: a pack of many contents, or one large content."""

    staged: Staged
    ranges: Ranges  # of its contents within it
    published: dict[str, str] = field(default_factory=dict)  # project → object name
    counted: dict[str, set[bytes]] = field(default_factory=dict)  # project → digests of what a caller asked for
    owner: int = field(
        default_factory=os.getpid
    )  # the process that staged it: after a fork, others must not discard it

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a next process could not find it by its digest, and this one may leave it."""
        is_found_by_name = self.staged.digest is not None and self.staged.name is not None
        return not self.published and not is_found_by_name and self.owner == os.getpid()

    def count(self, project: str, digests: Iterable[bytes]) -> set[bytes]:
        """Note that these of its contents were asked for in `project`. Returns those that never were before.

        A pack has the contents of many callers.
        """
        counted = self.counted.setdefault(project, set())
        new = set(digests) - counted
        counted |= new
        return new


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
                self._staged = self._store.stage_pack(list(self.contents.values()), project=self._project)
            except STAGING_ERRORS as error:  # raised again in the thread that waits
                self._error = error
