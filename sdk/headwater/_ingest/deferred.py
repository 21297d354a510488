"""Files that are added now and read later: hashed when they are added, ingested when the artifact is logged.

That is what `policy="immutable"` asks for: a large file is read from where it is, and must not change until then.
"""

import os
from collections.abc import Mapping

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.errors import FileChanged

from headwater._content.content import FileDigest
from headwater._ingest.scan import Scan
from headwater._ingest.staging import unreadable_file
from headwater._progress import FileProgress, Progress

READ_BYTES = 1 << 20  # at a time


def is_large(size: int) -> bool:
    """Whether a file is an object of its own, rather than part of a pack."""
    return size > PACKED_FILE_BYTES_MAX


def hash_folder(stager: BlobStager, found: Scan, *, quiet: bool) -> tuple[list[bytes], list[int], dict[str, str]]:
    """Digests and sizes of a folder's files, and the locations of those that are deferred, by path."""
    hashed, sizes, deferred = [], [], {}
    known_sizes = found.sizes()
    with Progress("hashing", total=sum(known_sizes), unit="B", files=len(known_sizes), quiet=quiet) as progress:
        for path, location, size in zip(found.paths(), found.locations(), known_sizes, strict=True):
            with progress.file(path, size) as file:
                digest, size_now, is_deferred = _hash_file(stager, location, size, file)
            hashed.append(digest)
            sizes.append(size_now)
            if is_deferred:
                deferred[path] = location
    return hashed, sizes, deferred


def hash_file(stager: BlobStager, location: str, size: int, *, quiet: bool) -> tuple[bytes, int, bool]:
    """Digest and size of a file, and whether it is deferred: small files are ingested at once."""
    with (
        Progress("hashing", total=size, unit="B", quiet=quiet) as progress,
        progress.file(os.path.basename(location), size) as file,
    ):
        return _hash_file(stager, location, size, file)


def _hash_file(stager: BlobStager, location: str, size: int, file: FileProgress) -> tuple[bytes, int, bool]:
    try:
        with open(location, "rb", buffering=0) as source:
            if not is_large(size):
                return *stager.ingest_file(source), False
            hasher, read = digests.new_hasher(stager.algorithm), 0
            while chunk := source.read(READ_BYTES):
                hasher.update(chunk)
                read += len(chunk)
                file.advance(len(chunk))
    except OSError as error:
        raise unreadable_file(location, error) from error
    return digests.pack(stager.algorithm, hasher.digest()), read, True


def ingest_deferred(
    stager: BlobStager, files: Mapping[str, FileDigest], deferred: Mapping[str, str], *, quiet: bool
) -> None:
    """Ingest the files at the locations `deferred`, by path. Raises: FileChanged when one is not what it was."""
    total = sum(files[path][1] for path in deferred)
    with Progress("storing", total=total, unit="B", files=len(deferred), quiet=quiet) as progress:
        for path, location in deferred.items():
            with progress.file(path, files[path][1]) as file:
                if stager.missing([files[path][0]]):
                    _ingest_unchanged(stager, location, files[path], file)


def _ingest_unchanged(stager: BlobStager, location: str, known: FileDigest, file: FileProgress) -> None:
    try:
        with open(location, "rb", buffering=0) as source:
            found = stager.ingest_file(source, watch=file.watch)
    except OSError as error:
        raise _unreadable_now(location, error) from error
    if found != known:
        raise _changed(location, known[1], found[1])


def hash_again(location: str, known: FileDigest, algorithm: str) -> bytes:
    """The digest of a deferred file with another algorithm. Raises: FileChanged when it is not what it was."""
    known_algorithm, size = digests.algorithm_of(known[0]), 0
    before, now = digests.new_hasher(known_algorithm), digests.new_hasher(algorithm)
    try:
        with open(location, "rb", buffering=0) as source:
            while chunk := source.read(READ_BYTES):
                before.update(chunk)
                now.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise _unreadable_now(location, error) from error
    if (digests.pack(known_algorithm, before.digest()), size) != known:
        raise _changed(location, known[1], size)
    return digests.pack(algorithm, now.digest())


def _unreadable_now(location: str, error: OSError) -> FileChanged:
    return FileChanged(
        f"{location!r} was added as immutable but can no longer be read: {error.strerror}. Restore it, or use "
        "policy='mutable'."
    )


def _changed(location: str, before: int, now: int) -> FileChanged:
    return FileChanged(
        f"{location!r} was added as immutable but has changed since (from {before:,} to {now:,} bytes). "
        "Add it again, or use policy='mutable'."
    )
