"""Where whole files are kept under paths of their own: in a folder, or under a prefix of a bucket.

For what is no object of a blob store, such as archives. Files are small enough to be in memory, and are never changed.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from headwater_runtime.files import DISK_FULL, is_temporary, make_folders, write_atomically
from headwater_schemas.errors import StoreReadOnly, StoreUnavailable

from headwater_blobs.folder_errors import failed, full


class FilePlace(Protocol):
    """Every adapter promises, and `tests/contract/test_file_places.py` checks:

    - a file becomes visible whole or not at all, and survives a crash of the machine once `put` has returned;
    - many processes may put and get at once; of two that put one path the last one counts.
    """

    @property
    def url(self) -> str:
        """Where it is, for people: `file:///…` or `s3://bucket/prefix`."""
        ...

    def put(self, path: str, content: bytes) -> None:
        """Keep a file, durably. Raises: StoreUnavailable, also when full; StoreReadOnly."""
        ...

    def get(self, path: str) -> bytes | None:
        """All of a file; None where there is none. Raises: StoreUnavailable."""
        ...

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Those of all files that begin with `prefix`, which is empty or ends with a slash; sorted."""
        ...

    def reclaim(self, *, idle_s: float) -> None:
        """Delete what processes that were killed while they put a file left more than `idle_s` seconds ago."""
        ...

    def close(self) -> None:
        """Close connections. Closing twice is fine."""
        ...


class FolderPlace:
    """A `FilePlace` in a folder, which is made when something is put there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def put(self, path: str, content: bytes) -> None:
        target = self._folder / path
        with self._errors(len(content)):
            make_folders(target.parent)
            write_atomically(target, content)

    def get(self, path: str) -> bytes | None:
        with self._errors(None):
            try:
                return (self._folder / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def paths(self, prefix: str = "") -> Iterator[str]:
        with self._errors(None):
            yield from self._below(self._folder / prefix, prefix)

    def reclaim(self, *, idle_s: float) -> None:
        before_s = time.time() - idle_s
        with self._errors(0):
            for folder, _, names in os.walk(self._folder):
                for path in (Path(folder, name) for name in names if is_temporary(name)):
                    with suppress(FileNotFoundError):  # its writer lives, and has just put it
                        if path.stat().st_mtime < before_s:
                            path.unlink()

    def close(self) -> None:
        """Nothing is open."""

    def _below(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            found = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        # A folder sorts as the paths in it do. Hidden files are what a killed process left.
        entries = {f"{entry.name}/" if entry.is_dir() else entry.name: entry for entry in found}
        for name in sorted(entries):
            if name.endswith("/"):
                yield from self._below(Path(entries[name].path), prefix + name)
            elif not name.startswith("."):
                yield prefix + name

    @contextmanager
    def _errors(self, needed: int | None) -> Iterator[None]:
        """Raises: StoreError. `needed` is in bytes, None when only reading."""
        try:
            yield
        except PermissionError as error:
            kind = StoreUnavailable if needed is None else StoreReadOnly
            raise kind(f"{error.filename or self._folder}: {error.strerror}. Check who may use that folder.") from error
        except OSError as error:
            if error.errno in DISK_FULL:
                raise full(str(self._folder), needed) from error
            raise failed(str(self._folder), error) from error
