"""Blobs in a folder of a local or shared file system.

    FOLDER/headwater-blobs.json                      the marker: identity and format version of the store
    FOLDER/staging/                                  staged bytes, see `staging_area`
    FOLDER/objects/packs/ENTITY/PROJECT/ab/ab…       the two digits keep folders from having millions of files
    FOLDER/objects/files/ENTITY/PROJECT/xxh3-ab/xxh3-ab…-0

A staged file is complete and durable before it is linked to its object's name, so an object is whole or absent
whichever process is killed.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

from headwater_runtime.files import link_to_new, make_folders, sync_folder
from headwater_runtime.shared_files import follow_folder
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import (
    BlobCorrupt,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.object_names import check_object_name, is_object_name

from headwater_blobs import verify
from headwater_blobs.descriptors import WRITEBACK_BYTES, pieces_of, reflink, reserve, write_all
from headwater_blobs.file_stream import FileStream
from headwater_blobs.folder_errors import READ_ONLY, not_freed, translate_errors, translate_read_errors
from headwater_blobs.folder_marker import FORMAT as FORMAT
from headwater_blobs.folder_marker import MARKER as MARKER
from headwater_blobs.folder_marker import (
    claim,
    gone,
    is_claimed_by,
    is_gone,
    make_store,
    names_in,
    read_identity,
    refuse_foreign,
)
from headwater_blobs.local_sources import read_at, read_unchanged, unchanged
from headwater_blobs.ownership import MARKER_BYTES_MAX, Owner
from headwater_blobs.port import (
    CHUNK_BYTES,
    STORING,
    Kept,
    Staged,
    StagedStream,
    StoredObject,
    Watch,
    first_attempt,
    unwatched,
)
from headwater_blobs.staging_area import StagingArea

OPEN_OBJECTS_MAX = 64  # kept for reading, well below the usual limit of 1,024 descriptors
DURABLE_FOLDERS_MAX = 65_536  # remembered, about 10 MB of names; beyond that, they are synced once more

_STAGING, _OBJECTS = "staging", "objects"
_UUID_DIGITS = 32


class FolderBlobStore:
    """A `BlobStore` in a folder. Open it with `open`."""

    def __init__(self, folder: str, identity: str, *, read_only: bool, unclaimed_by: Owner | None = None) -> None:
        self.folder = folder
        self.identity = identity  # 32 hex digits, assigned when the store was created
        self._read_only = read_only
        self._unclaimed_by = unclaimed_by  # the log that it has to be claimed for before the first write
        self._objects = os.path.join(folder, _OBJECTS)
        self._staging = StagingArea(os.path.join(folder, _STAGING))
        # Bounded and thread-safe. A forked child uses its copies of the descriptors: pread moves no offset.
        self._open_object = lru_cache(maxsize=OPEN_OBJECTS_MAX)(partial(_open, folder))
        self._durable: set[str] = set()  # folders whose own names are known to be durable

    @classmethod
    def open(
        cls, folder: Path, *, create: bool = True, read_only: bool = False, owner: Owner | None = None
    ) -> "FolderBlobStore":
        """Open the store in `folder`; create it where `create` is set and the folder is empty or missing.

        `owner`: the log whose content it has; it is claimed for that log with `create`, else before the first write.
        Raises: StoreUnavailable when there is none, StoreNotOurs when the folder holds something else or the content of
        another log, FormatTooNew, StoreReadOnly when it would have to be created and cannot be.
        """
        path = os.path.abspath(folder)
        identity = read_identity(path)
        if identity is None:
            with translate_errors(path, MARKER_BYTES_MAX):
                refuse_foreign(path)
                if create and not read_only:
                    make_store(path)
            identity = read_identity(path)
        if identity is None:
            raise StoreUnavailable(f"there is no blob store in {path}. Check the path, or log something to create it.")
        if not read_only:  # its creator may have been killed right after writing the marker
            with translate_errors(path, 0):
                for name in (_STAGING, _OBJECTS):
                    make_folders(Path(path, name), durable=False)
        is_claimed = owner is None or is_claimed_by(path, owner)
        store = cls(path, identity, read_only=read_only, unclaimed_by=None if is_claimed else owner)
        if create and not read_only:
            store._prepare_to_write()
        return store

    def stage_pack(
        self,
        contents: Sequence[bytes],
        *,
        project: str,  # noqa: ARG002 - named when published
        algorithm: str | None = None,  # noqa: ARG002 - clients compute digests
    ) -> Staged:
        size = sum(map(len, contents))
        with self._new_staged(size) as (name, target), translate_errors(self.folder, size):
            write_all(target, contents)
            os.fdatasync(target)
        return Staged(name, size, None)

    def stage_file(
        self,
        source: BinaryIO,
        algorithm: str,
        *,
        project: str,  # noqa: ARG002
        attempt: Callable[[bytes], int] = first_attempt,  # noqa: ARG002
        watch: Watch = unwatched,
    ) -> Staged:
        return read_unchanged(source, lambda: self._stage_file(source.fileno(), algorithm, watch))

    def goes_along(self, contents: Sequence[bytes]) -> bool:  # noqa: ARG002 - events carry no content
        return False

    def sent_in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:  # noqa: ARG002 - as above
        return {}

    def stage_stream(self, *, project: str, size: int) -> StagedStream:  # noqa: ARG002 - named when published
        self._prepare_to_write()
        return FileStream.begin(self._staging, size, partial(translate_errors, self.folder))

    def stream_step(self, size: int) -> int:  # noqa: ARG002 - every byte can be the last that is kept
        return 1

    def continue_stream(self, kept: Kept) -> StagedStream:
        self._prepare_to_write()
        return FileStream.continued(self._staging, kept, partial(translate_errors, self.folder))

    def publish(self, staged: Staged, name: str) -> None:
        source, target = self._staging.path_of(staged.handle), _path_of(self.folder, name)
        self._prepare_to_write()
        with translate_errors(self.folder, staged.size):
            try:
                self._link(source, target)
            except FileExistsError:
                if (found := os.stat(target).st_size) != staged.size:
                    raise verify.other_size(name, staged.size, found, self.folder) from None
            # Also when it existed: the process that linked it may not have reached this line.
            self._make_durable(os.path.dirname(target))

    def discard(self, staged: Staged) -> None:
        path = self._staging.path_of(staged.handle)
        self._prepare_to_write()
        with translate_errors(self.folder, 0), suppress(FileNotFoundError):
            os.unlink(path)

    def outlives(self, staged: Staged, names: Collection[str]) -> bool:  # noqa: ARG002 - an object is another name of it
        return True

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        with translate_errors(self.folder, None):
            found = {name: _stat_if_there(_path_of(self.folder, name)) for name in names}
        if None in found.values():
            self._check_marker()
        return {name: status.st_size for name, status in found.items() if status is not None}

    def read(self, location: BlobLocation, digest: bytes) -> bytes:
        verify.check_location(location)
        data = self._fetch(location.object_name, location.offset, location.size)
        self._check(data, location, digest)
        return data

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        results = [b""] * len(wanted)
        for part in verify.coalesce(wanted):
            data = self._fetch(part.object_name, part.offset, part.size)
            for i in part.wanted:
                location, digest = wanted[i]
                start = location.offset - part.offset
                results[i] = content = data[start : start + location.size]
                self._check(content, location, digest)
        return results

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        verify.check_location(location)
        return verify.checked_pieces(self._pieces(location), location, digest, self.folder)

    def stream_part(self, location: BlobLocation, start: int, size: int) -> Iterator[memoryview]:
        part = verify.part_of(location, start, size)
        return verify.counted_pieces(self._pieces(part), part, self.folder)

    def local_file(self, location: BlobLocation) -> str | None:
        path = _path_of(self.folder, location.object_name)
        with translate_errors(self.folder, None):
            found = _stat_if_there(path)
        return path if found is not None and (location.offset, location.size) == (0, found.st_size) else None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        return _listing(self._walk(prefix), self.folder)

    def abandoned(self) -> Iterator[StoredObject]:
        """As the port says. `name` is the `handle` of the staged bytes, so that `discard` deletes them."""
        with translate_errors(self.folder, None):
            for found in self._staging.all():
                yield StoredObject(found.name, found.size, found.modified_s)

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StoredObject]:
        if not dry_run:
            self._prepare_to_write()
        with translate_errors(self.folder, None if dry_run else 0):
            for found in self._staging.reclaim(idle_s=idle_s, dry_run=dry_run):
                yield StoredObject(found.name, found.freed, found.modified_s)

    def adopt(self, staged: Staged) -> Staged | None:
        self._prepare_to_write()
        with translate_errors(self.folder, 0):
            name = self._staging.adopt(staged.handle, staged.size)
        return None if name is None else replace(staged, handle=name)

    def delete(self, names: Iterable[str]) -> None:
        self._prepare_to_write()
        self._open_object.cache_clear()
        refused: dict[str, OSError] = {}
        for name in names:
            path = _path_of(self.folder, name)
            # Not synced: an object that a crash brings back is still garbage, and is deleted again.
            with translate_errors(self.folder, 0), suppress(FileNotFoundError):
                try:
                    os.unlink(path)
                except OSError as error:
                    if error.errno not in READ_ONLY:
                        raise
                    refused[name] = error
        if refused:
            raise not_freed(self.folder, refused)

    def close(self) -> None:
        self._open_object.cache_clear()
        self._staging.close()

    def _prepare_to_write(self) -> None:
        if self._read_only:
            raise StoreReadOnly(f"the blob store in {self.folder} was opened read-only. Open it for writing.")
        if self._unclaimed_by is not None:
            with translate_errors(self.folder, MARKER_BYTES_MAX):
                claim(self.folder, self._unclaimed_by)
            self._unclaimed_by = None

    def _check_marker(self) -> None:
        """Raises: StoreUnavailable when not an object but the whole store is gone."""
        if is_gone(self.folder):
            raise gone(self.folder)

    @contextmanager
    def _new_staged(self, size: int) -> Iterator[tuple[str, int]]:
        """A new staging file and its descriptor, deleted when the block raises."""
        self._prepare_to_write()
        with translate_errors(self.folder, size):
            name = self._staging.new_name()
            path = self._staging.path_of(name)
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
            follow_folder(target, os.path.dirname(path))
        try:
            yield name, target
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(target)

    def _stage_file(self, origin: int, algorithm: str, watch: Watch) -> Staged:
        """Raises: SourceChanged when the file changes meanwhile."""
        hasher = digests.new_hasher(algorithm)
        expected = os.fstat(origin).st_size
        with self._new_staged(expected) as (name, target):
            with unchanged(origin):
                size = self._copy_file(origin, target, expected, hasher, watch)
            with translate_errors(self.folder, size):
                os.fdatasync(target)
        return Staged(name, size, digests.pack(algorithm, hasher.digest()))

    def _copy_file(self, origin: int, target: int, expected: int, hasher: digests.Hasher, watch: Watch) -> int:
        """Copy all of `origin` to `target`, hash what is kept, and return its size."""
        with translate_errors(self.folder, expected):
            if reflink(origin, target):
                for piece in pieces_of(target, 0, size := os.fstat(target).st_size):
                    hasher.update(piece)
                    watch(STORING, len(piece))
                return size
            reserve(target, expected)
        size = self._copy(origin, target, expected, hasher, watch)
        if size < expected:
            with translate_errors(self.folder, expected):
                os.ftruncate(target, size)
        return size

    def _copy(self, origin: int, target: int, expected: int, hasher: digests.Hasher, watch: Watch) -> int:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        size = started = 0
        while got := os.preadv(
            origin, [buffer], size
        ):  # outside of translate_errors: the caller reports errors of the source
            piece = buffer[:got]
            hasher.update(piece)
            with translate_errors(self.folder, max(expected, size + got)):
                write_all(target, [piece])
            size += got
            watch(STORING, got)
            if size - started >= WRITEBACK_BYTES:
                with suppress(AttributeError, OSError):  # a hint that not every system has; the sync at the end counts
                    os.posix_fadvise(target, started, size - started, os.POSIX_FADV_DONTNEED)
                started = size
        return size

    def _link(self, source: str, target: str) -> None:
        try:
            _link_or_copy(source, target)
        except FileNotFoundError:
            if not os.path.exists(source):
                self._check_marker()
                raise StoreUnavailable(
                    f"{source} is gone: it was discarded or collected. Add its content again."
                ) from None
            self._durable.clear()
            make_folders(Path(target).parent, durable=False)
            _link_or_copy(source, target)

    def _make_durable(self, folder: str) -> None:
        """Sync the names in `folder`, and those of its parents that are not known to be durable.

        A folder that exists may still not be durable: another process may have made it and not synced its parent yet.
        """
        sync_folder(folder)
        not_durable = []
        while folder not in self._durable and folder != self.folder:
            not_durable.append(folder)
            folder = os.path.dirname(folder)
            sync_folder(folder)
        if len(self._durable) > DURABLE_FOLDERS_MAX:
            self._durable.clear()
        self._durable.update(not_durable)

    def _fetch(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer when the object ends before."""
        found = self._open_object(name)
        # An event may name any size; that of the object bounds the memory.
        size = min(size, max(found.size - offset, 0))
        with translate_read_errors(name, self.folder):
            return read_at(found.descriptor, offset, size)

    def _check(self, data: bytes, location: BlobLocation, digest: bytes) -> None:
        try:
            verify.check_digest(data, location, digest, self.folder)
        except BlobCorrupt:
            self._open_object.cache_clear()  # an object that is restored from a copy is another file
            raise

    def _pieces(self, location: BlobLocation) -> Iterator[memoryview]:
        found = _open(
            self.folder, location.object_name
        )  # not cached: a large object is read once, and would evict packs
        with translate_read_errors(location.object_name, self.folder):
            yield from pieces_of(found.descriptor, location.offset, location.size)

    def _walk(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Names and paths of all objects whose names start with `prefix`, in order of names."""
        for head, folder in self._project_folders(prefix):
            for shard in sorted(names_in(folder)):
                if not _may_match(head + shard, prefix):
                    continue
                for leaf in sorted(names_in(os.path.join(folder, shard))):
                    name = head + leaf
                    if name.startswith(prefix) and is_object_name(name):
                        yield name, os.path.join(folder, shard, leaf)

    def _project_folders(self, prefix: str) -> list[tuple[str, str]]:
        """The prefix of the names of each project's objects, with the project's folder; in order."""
        level = [("", self._objects)]
        for _ in ("kind", "entity", "project"):
            below = [(f"{head}{name}/", f"{path}/{name}") for head, path in level for name in names_in(path)]
            level = sorted(pair for pair in below if _may_match(pair[0], prefix))
        return level


class _OpenObject:
    """An object's descriptor, closed when no reader uses it any more: an eviction from the cache must not close it."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.descriptor).st_size  # bytes; an object is never changed

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def _open(folder: str, name: str) -> _OpenObject:
    path = _path_of(folder, name)
    with translate_read_errors(name, folder):
        return _OpenObject(path)


def _path_of(folder: str, name: str) -> str:
    head, _, leaf = check_object_name(name).rpartition("/")
    # Up to two hex digits of the leaf, so that these folders sort as their objects do.
    return os.path.join(folder, _OBJECTS, head, leaf[: leaf.find("-") + 3], leaf)


def _link_or_copy(source: str, target: str) -> None:
    """Give `source`, which stays, the name `target` too. Raises: FileExistsError, FileNotFoundError."""
    if link_to_new(source, target):
        return
    copy = source[:-_UUID_DIGITS] + uuid.uuid4().hex  # of the same writer, so that `abandoned` lists it after a crash
    try:
        shutil.copyfile(source, copy)
        follow_folder(copy, os.path.dirname(copy))
        with open(copy, "rb") as file:
            os.fsync(file.fileno())
        os.rename(copy, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(copy)


def _listing(found: Iterable[tuple[str, str]], folder: str) -> Iterator[StoredObject]:
    with translate_errors(folder, None):
        for name, path in found:
            if (status := _stat_if_there(path)) is not None:
                yield StoredObject(name, status.st_size, status.st_mtime)


def _stat_if_there(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _may_match(start: str, prefix: str) -> bool:
    """Whether a name that starts with `start` can start with `prefix`."""
    return start.startswith(prefix) or prefix.startswith(start)
