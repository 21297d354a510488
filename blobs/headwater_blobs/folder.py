"""Blobs in a folder of a local or shared file system.

    FOLDER/headwater-blobs.json                      whose folder this is: identity and format version
    FOLDER/staging/<pid>-<start>-<host>-<32 hex>     bytes taken, not an object yet
    FOLDER/objects/packs/ENTITY/PROJECT/ab/ab…       the two digits keep any one folder from getting millions of files
    FOLDER/objects/files/ENTITY/PROJECT/xxh3-ab/xxh3-ab…-0

A staged file is complete and on the disk before it is linked to its object's name, so an object is whole or absent
whatever is killed. The name of a staged file says whose it is, see `staged_names`.
"""

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

from headwater_runtime.files import is_temporary, sync_folder, write_atomically
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import (
    BlobCorrupt,
    FormatTooNew,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.object_names import check_object_name, is_object_name

from headwater_blobs import verify
from headwater_blobs.open_files import FULL, pieces_of, reflink, reserve, write_all
from headwater_blobs.port import CHUNK_BYTES, Staged, StoredObject
from headwater_blobs.staged_names import check_staged_name, staged_name

MARKER = "headwater-blobs.json"
FORMAT = 1
MARKER_BYTES_MAX = 4096  # ours has about 100; anything larger is not ours
OPEN_OBJECTS_MAX = 64  # descriptors kept for reading, well below the 1,024 that a process usually may have
SETTLED_FOLDERS_MAX = 65_536  # remembered as durable, about 10 MB of names; beyond it they are synced once more
WRITEBACK_BYTES = 8 * 1024 * 1024  # the disk starts on these while the next are read, so the last sync has little left

_KIND = "headwater blob store"
_STAGING, _OBJECTS = "staging", "objects"
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_UUID_DIGITS = 32


class FolderBlobStore:
    """A `BlobStore` in a folder. Open it with `open`."""

    def __init__(self, folder: str, identity: str, *, read_only: bool) -> None:
        self.folder = folder
        self.identity = identity  # 32 hex digits, given when the store was made
        self._read_only = read_only
        self._objects = os.path.join(folder, _OBJECTS)
        self._staging = os.path.join(folder, _STAGING)
        # Bounded, and safe in threads. A forked child goes on with its copies of the descriptors: pread moves nothing.
        self._open_object = lru_cache(maxsize=OPEN_OBJECTS_MAX)(partial(_open, folder))
        self._settled: set[str] = set()  # folders whose own names are known to be on the disk

    @classmethod
    def open(cls, folder: Path, *, create: bool = True, read_only: bool = False) -> "FolderBlobStore":
        """Open the store in `folder`; make it where `create` allows and the folder is empty or not there.

        Raises: StoreUnavailable when there is none, StoreNotOurs when something else is there, FormatTooNew,
        StoreReadOnly when it would have to be made and cannot be.
        """
        path = os.path.abspath(folder)
        identity = _read_identity(path)
        if identity is None:
            with _store_errors(path, MARKER_BYTES_MAX):
                _refuse_foreign(path)
                if create and not read_only:
                    _create(path)
            identity = _read_identity(path)
        if identity is None:
            raise StoreUnavailable(f"there is no blob store in {path}. Check the path, or log something to make it.")
        if not read_only:  # whoever made the store may have been killed right after the marker
            with _store_errors(path, 0):
                for name in (_STAGING, _OBJECTS):
                    os.makedirs(os.path.join(path, name), exist_ok=True)
        return cls(path, identity, read_only=read_only)

    def stage_pack(self, contents: Sequence[bytes], *, project: str) -> Staged:  # noqa: ARG002  it is named later
        size = sum(map(len, contents))
        with self._new_staged(size) as (name, target), _store_errors(self.folder, size):
            write_all(target, contents)
            os.fdatasync(target)
        return Staged(name, size, None)

    def stage_file(self, source: BinaryIO, algorithm: str, *, project: str) -> Staged:  # noqa: ARG002
        hasher = digests.new_hasher(algorithm)
        origin = source.fileno()
        expected = os.fstat(origin).st_size
        with self._new_staged(expected) as (name, target):
            size = self._take(origin, target, expected, hasher)
            with _store_errors(self.folder, size):
                os.fdatasync(target)
        return Staged(name, size, digests.pack(algorithm, hasher.digest()))

    def publish(self, staged: Staged, name: str) -> None:
        source, target = os.path.join(self._staging, check_staged_name(staged.location)), _path_of(self.folder, name)
        self._refuse_if_read_only()
        with _store_errors(self.folder, staged.size):
            try:
                self._link(source, target)
            except FileExistsError:
                if (found := os.stat(target).st_size) != staged.size:
                    raise verify.other_size(name, staged.size, found, self.folder) from None
            # Also when it was there: whoever linked it may not have come to this line.
            self._settle(os.path.dirname(target))

    def discard(self, staged: Staged) -> None:
        path = os.path.join(self._staging, check_staged_name(staged.location))
        self._refuse_if_read_only()
        with _store_errors(self.folder, 0), suppress(FileNotFoundError):
            os.unlink(path)

    def have(self, names: Iterable[str]) -> set[str]:
        with _store_errors(self.folder, None):
            return {name for name in names if _stat_if_there(_path_of(self.folder, name)) is not None}

    def read(self, place: BlobLocation, digest: bytes) -> bytes:
        verify.check_place(place)
        data = self._fetch(place.object_name, place.offset, place.size)
        self._check(data, place, digest)
        return data

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        results = [b""] * len(wanted)
        for run in verify.runs_of(wanted):
            data = self._fetch(run.object_name, run.offset, run.size)
            for i in run.wanted:
                place, digest = wanted[i]
                start = place.offset - run.offset
                results[i] = content = data[start : start + place.size]
                self._check(content, place, digest)
        return results

    def stream(self, place: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        verify.check_place(place)
        return verify.checked_pieces(self._pieces(place), place, digest, self.folder)

    def file_of(self, place: BlobLocation) -> str | None:
        path = _path_of(self.folder, place.object_name)
        with _store_errors(self.folder, None):
            found = _stat_if_there(path)
        return path if found is not None and (place.offset, place.size) == (0, found.st_size) else None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        return _listing(self._walk(prefix), self.folder)

    def abandoned(self) -> Iterator[StoredObject]:
        """As the port says. `name` is the `location` of what was staged, so `discard` removes it."""
        names = sorted(_names_in(self._staging))
        return _listing(((name, os.path.join(self._staging, name)) for name in names), self.folder)

    def delete(self, names: Iterable[str]) -> None:
        self._refuse_if_read_only()
        self._open_object.cache_clear()
        for name in names:
            path = _path_of(self.folder, name)
            # Not synced: an object that a crash brings back is garbage still, and is deleted again.
            with _store_errors(self.folder, 0), suppress(FileNotFoundError):
                os.unlink(path)

    def close(self) -> None:
        self._open_object.cache_clear()

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise StoreReadOnly(f"the blob store in {self.folder} was opened for reading only. Open it for writing.")

    @contextmanager
    def _new_staged(self, size: int) -> Iterator[tuple[str, int]]:
        """A new staging file and its descriptor, removed again when the block fails."""
        self._refuse_if_read_only()
        name = staged_name()
        path = os.path.join(self._staging, name)
        with _store_errors(self.folder, size):
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        try:
            yield name, target
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(target)

    def _take(self, origin: int, target: int, expected: int, hasher: digests.Hasher) -> int:
        """Bring all of `origin` into `target`, hash what is kept, and return its size."""
        with _store_errors(self.folder, expected):
            if reflink(origin, target):
                for piece in pieces_of(target, 0, size := os.fstat(target).st_size):
                    hasher.update(piece)
                return size
            reserve(target, expected)
        size = self._copy(origin, target, expected, hasher)
        if size < expected:
            with _store_errors(self.folder, expected):
                os.ftruncate(target, size)
        return size

    def _copy(self, origin: int, target: int, expected: int, hasher: digests.Hasher) -> int:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        size = started = 0
        while got := os.readv(origin, [buffer]):  # outside of _store_errors: the caller names a source that fails
            piece = buffer[:got]
            hasher.update(piece)
            with _store_errors(self.folder, max(expected, size + got)):
                write_all(target, [piece])
            size += got
            if size - started >= WRITEBACK_BYTES:
                with suppress(AttributeError, OSError):  # a hint, not everywhere; the sync at the end is what counts
                    os.posix_fadvise(target, started, size - started, os.POSIX_FADV_DONTNEED)
                started = size
        return size

    def _link(self, source: str, target: str) -> None:
        try:
            _link_or_rename(source, target)
        except FileNotFoundError:
            if not os.path.exists(source):
                raise StoreUnavailable(f"{source} is gone: discarded or collected. Add its content again.") from None
            self._settled.clear()
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _link_or_rename(source, target)

    def _settle(self, folder: str) -> None:
        """Put the names in `folder` on the disk, and those of its parents where that is not known yet.

        Another process may have made a parent and not synced it, so that a folder exists does not say that it lasts.
        """
        sync_folder(folder)
        unsettled = []
        while folder not in self._settled and folder != self.folder:
            unsettled.append(folder)
            folder = os.path.dirname(folder)
            sync_folder(folder)
        if len(self._settled) > SETTLED_FOLDERS_MAX:
            self._settled.clear()
        self._settled.update(unsettled)

    def _fetch(self, name: str, offset: int, size: int) -> bytes:
        """The bytes that are there: fewer than `size` when the object ends before."""
        found = self._open_object(name)
        # What others wrote may ask for anything; what the object can give bounds the memory.
        size = min(size, max(found.size - offset, 0))
        with _reading_errors(name, self.folder):
            data = os.pread(found.descriptor, size, offset)
            while len(data) < size and (more := os.pread(found.descriptor, size - len(data), offset + len(data))):
                data += more
        return data

    def _check(self, data: bytes, place: BlobLocation, digest: bytes) -> None:
        try:
            verify.check_digest(data, place, digest, self.folder)
        except BlobCorrupt:
            self._open_object.cache_clear()  # what is restored from a copy is another file
            raise

    def _pieces(self, place: BlobLocation) -> Iterator[memoryview]:
        found = _open(self.folder, place.object_name)  # not kept: a large object is read once, and would push out packs
        with _reading_errors(place.object_name, self.folder):
            yield from pieces_of(found.descriptor, place.offset, place.size)

    def _walk(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Names and paths of all objects whose names start with `prefix`, in order of names."""
        for head, folder in self._project_folders(prefix):
            for shelf in sorted(_names_in(folder)):
                if not _may_hold(head + shelf, prefix):
                    continue
                for leaf in sorted(_names_in(os.path.join(folder, shelf))):
                    name = head + leaf
                    if name.startswith(prefix) and is_object_name(name):
                        yield name, os.path.join(folder, shelf, leaf)

    def _project_folders(self, prefix: str) -> list[tuple[str, str]]:
        """What the names of a project's objects start with, and its folder; in order."""
        level = [("", self._objects)]
        for _ in ("kind", "entity", "project"):
            below = [(f"{head}{name}/", f"{path}/{name}") for head, path in level for name in _names_in(path)]
            level = sorted(pair for pair in below if _may_hold(pair[0], prefix))
        return level


class _OpenObject:
    """An object's descriptor, closed when nobody reads from it any more: an eviction must not pull it from a reader."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.descriptor).st_size  # bytes; an object is never changed

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def _open(folder: str, name: str) -> _OpenObject:
    path = _path_of(folder, name)
    with _reading_errors(name, folder):
        return _OpenObject(path)


def _path_of(folder: str, name: str) -> str:
    head, _, leaf = check_object_name(name).rpartition("/")
    # Up to two hex digits of the leaf, so that shelves sort as their objects do.
    return os.path.join(folder, _OBJECTS, head, leaf[: leaf.find("-") + 3], leaf)


@contextmanager
def _store_errors(folder: str, needed: int | None) -> Iterator[None]:
    """Turn what the store's own file system refuses into our errors. `needed` is in bytes, None when only reading."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StoreUnavailable(
                f"{folder} is full: {needed or 0:,} bytes were needed; nothing was kept. Free space there and repeat."
            ) from error
        if error.errno in _READ_ONLY and needed is not None:
            raise StoreReadOnly(
                f"{folder} cannot be written: {error.strerror}. Check its permissions and how its disk is mounted."
            ) from error
        raise StoreUnavailable(f"{folder} failed: {error.strerror}. Check that folder and its disk.") from error


@contextmanager
def _reading_errors(name: str, folder: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        if not os.path.exists(os.path.join(folder, MARKER)):
            raise StoreUnavailable(f"the blob store in {folder} is gone. Check that its disk is mounted.") from None
        raise verify.missing(name, folder) from None
    except OSError as error:
        raise StoreUnavailable(f"{name!r} in {folder} is not readable: {error.strerror}. Check the disk.") from error


def _read_identity(folder: str) -> str | None:
    """Whose store `folder` is, None where there is no marker. Raises: StoreNotOurs, FormatTooNew, StoreUnavailable."""
    try:
        with open(os.path.join(folder, MARKER), "rb") as file:
            return _parse_marker(file.read(MARKER_BYTES_MAX), folder)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise StoreNotOurs(f"{folder} is not a folder; it was left alone. Give the path of a folder.") from None
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be read: {error.strerror}. Check its permissions.") from error


def _parse_marker(content: bytes, folder: str) -> str:
    try:
        marker = json.loads(content)
        kind, version, identity = marker["kind"], marker["format"], marker["identity"]
    except (ValueError, TypeError, KeyError, RecursionError):
        kind, version, identity = None, None, None
    if kind == _KIND and isinstance(version, int) and version > FORMAT:
        raise FormatTooNew(
            f"the blob store in {folder} has format {version}; this release reads up to {FORMAT}. Upgrade headwater."
        )
    if kind != _KIND or version != FORMAT or not isinstance(identity, str):
        raise StoreNotOurs(
            f"{os.path.join(folder, MARKER)} is not the marker of a blob store; {folder} was left alone. "
            "Give another folder, or restore that file from a copy."
        )
    return identity


def _refuse_foreign(folder: str) -> None:
    """Raises: StoreNotOurs when `folder` has content."""
    # A maker that was killed left at most its temporary marker.
    foreign = sorted(name for name in _names_in(folder) if not is_temporary(name, MARKER))
    # The marker comes first: whatever another process made meanwhile, the marker is there by now.
    if foreign and not os.path.exists(os.path.join(folder, MARKER)):
        raise StoreNotOurs(f"{folder} holds {foreign[0]!r}, no blob store; it was left alone. Give another folder.")


def _create(folder: str) -> None:
    """Make `folder` a store; fine when another process does so at once: one marker wins."""
    os.makedirs(folder, exist_ok=True)
    marker = json.dumps({"kind": _KIND, "format": FORMAT, "identity": uuid.uuid4().hex})
    write_atomically(Path(folder, MARKER), marker.encode(), overwrite=False)
    for parent in Path(folder).parents:
        with suppress(PermissionError):  # a folder that is not ours to read was not made here
            sync_folder(str(parent))


def _link_or_rename(source: str, target: str) -> None:
    """Give `source` the name `target` too. Raises: FileExistsError, FileNotFoundError."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        # Without links a copy takes the name, because `source` stays, as it does with them.
        copy = source[:-_UUID_DIGITS] + uuid.uuid4().hex  # the same writer's, so that it is found when left behind
        try:
            shutil.copyfile(source, copy)
            with open(copy, "rb") as file:
                os.fsync(file.fileno())
            os.rename(copy, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(copy)


def _listing(found: Iterable[tuple[str, str]], folder: str) -> Iterator[StoredObject]:
    with _store_errors(folder, None):
        for name, path in found:
            if (status := _stat_if_there(path)) is not None:
                yield StoredObject(name, status.st_size, status.st_mtime)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stat_if_there(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _may_hold(start: str, prefix: str) -> bool:
    """Whether a name that starts with `start` can start with `prefix`."""
    return start.startswith(prefix) or prefix.startswith(start)
