"""Content that a process staged and could not publish, kept for the next process that adds the same.

What is kept is in the store. Here is a record of it, in a folder of this machine: which content is where in which
staged bytes. A record is a hint: what it names may be collected or taken meanwhile, as whoever takes it finds out, and
what a record that cannot be read names is stored again.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater_blobs.port import BlobStore, Staged
from headwater_runtime.files import write_atomically
from headwater_schemas import digests
from headwater_schemas.entries import Ranges
from headwater_schemas.errors import InvalidInput, StoreError

FORMAT = 1
RECORDS_MAX = 16  # that are read, the newest
RECORD_S_MAX = 7 * 86_400.0  # then it is forgotten: what it names has been collected, most likely
CONTENTS_MAX = 1_000_000  # in one record, about 50 MB

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, eq=False)
class KeptBlob:
    """Staged bytes that a process left, and what is in them."""

    staged: Staged
    ranges: Ranges
    record: Path


class KeptContent:
    """What processes left that staged for one project, read when it is first asked for.

    Nothing here raises because of the state of the folder.
    """

    def __init__(self, folder: Path | None, project: str, algorithm: str) -> None:
        """`folder` is that of one store; with None nothing is kept."""
        self._folder = folder
        self._project = project
        self._algorithm = algorithm
        self._loaded: dict[bytes, KeptBlob] | None = None
        self._records: set[Path] = set()
        self._file_sizes: Counter[int] = Counter()  # of the large files that were not given yet

    def has_file_of(self, size: int) -> bool:
        """Whether a large file of this size was left, and not given yet: others need not be read to find it."""
        self._load()
        return self._file_sizes[size] > 0

    def has_none_of(self, digests: Mapping[bytes, object]) -> bool:
        """Whether none of these contents was left, or all of those were given."""
        return digests.keys().isdisjoint(self._load().keys())

    def pop(self, digest: bytes) -> KeptBlob | None:
        """The staged bytes that have this content. They are not given again, for any of their contents."""
        by_digest = self._load()
        blob = by_digest.get(digest)
        if blob is None:
            return None
        for content in blob.ranges:
            if by_digest.get(content) is blob:
                del by_digest[content]
        if blob.staged.digest is not None:
            self._file_sizes[blob.staged.size] -= 1
        return blob

    def take_over(self, digest: bytes, store: BlobStore) -> KeptBlob | None:
        """As `pop`, for this process to use; None as well where the staged bytes are gone, or the store is away."""
        left = self.pop(digest)
        staged = None
        with suppress(InvalidInput, StoreError):  # somebody else may have written the record
            staged = None if left is None else store.adopt(left.staged)
        return None if left is None or staged is None else replace(left, staged=staged)

    def keep(self, blobs: Sequence[tuple[Staged, Ranges]]) -> bool:
        """Record staged bytes of this process. False where that cannot be done, or they are too many."""
        if self._folder is None or not blobs or sum(len(ranges) for _, ranges in blobs) > CONTENTS_MAX:
            return False
        listed = [_to_json(staged, ranges) for staged, ranges in blobs]
        document = {"format": FORMAT, "project": self._project, "algorithm": self._algorithm, "blobs": listed}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._folder / f"{uuid.uuid4().hex}{_SUFFIX}", json.dumps(document).encode())
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Delete the records of which everything was taken, or was gone."""
        if self._loaded is not None:
            for record in self._records - {blob.record for blob in self._loaded.values()}:
                _forget(record)
        self._loaded = None

    def _load(self) -> dict[bytes, KeptBlob]:
        if self._loaded is None:
            found = [blob for record in self._newest() for blob in self._read(record)]
            self._loaded = {digest: blob for blob in reversed(found) for digest in blob.ranges}
            self._records = {blob.record for blob in found}
            files = {blob for blob in self._loaded.values() if blob.staged.digest is not None}
            self._file_sizes = Counter(blob.staged.size for blob in files)
        return self._loaded

    def _read(self, record: Path) -> list[KeptBlob]:
        """Nothing of another project, or where it cannot be read."""
        try:
            document = json.loads(record.read_bytes())
            if (document["format"], document["project"], document["algorithm"]) == (
                FORMAT,
                self._project,
                self._algorithm,
            ):
                return [_from_json(blob, self._algorithm, record) for blob in document["blobs"]]
        except (OSError, ValueError, KeyError, TypeError):
            _forget(record)
        return []

    def _newest(self) -> list[Path]:
        """The newest records first. Those that are too old are deleted."""
        by_time: list[tuple[float, Path]] = []
        for name in _names_in(self._folder):
            path = Path(self._folder or "", name)
            with suppress(OSError):
                if name.endswith(_SUFFIX):
                    by_time.append((path.stat().st_mtime, path))
        since_s = time.time() - RECORD_S_MAX
        for written_s, path in by_time:
            if written_s < since_s:
                _forget(path)
        return [path for written_s, path in sorted(by_time, reverse=True) if written_s >= since_s][:RECORDS_MAX]


def _forget(record: Path) -> None:
    with suppress(OSError):
        record.unlink()


def _to_json(staged: Staged, ranges: Ranges) -> dict[str, Any]:
    return {
        "handle": staged.handle,
        "size": staged.size,
        "digest": None if staged.digest is None else staged.digest.hex(),
        "name": staged.name,
        "digests": b"".join(ranges).hex(),
        "ranges": [number for place in ranges.values() for number in place],
    }


def _from_json(blob: Mapping[str, Any], algorithm: str, record: Path) -> KeptBlob:
    """Raises: ValueError, KeyError, TypeError."""
    digest = None if blob["digest"] is None else bytes.fromhex(blob["digest"])
    name = None if blob["name"] is None else str(blob["name"])
    staged = Staged(str(blob["handle"]), int(blob["size"]), digest, name)
    numbers = [int(number) for number in blob["ranges"]]
    size = len(digests.pack(algorithm, bytes(digests.DIGEST_BYTES[algorithm])))
    ranges = Ranges()
    ranges.add(_pieces(bytes.fromhex(blob["digests"]), size), numbers[::2], numbers[1::2])
    return KeptBlob(staged, ranges, record)


def _pieces(joined: bytes, size: int) -> Iterator[bytes]:
    return (joined[at : at + size] for at in range(0, len(joined), size))


def _names_in(folder: Path | None) -> list[str]:
    try:
        return os.listdir(folder) if folder is not None else []
    except OSError:
        return []
