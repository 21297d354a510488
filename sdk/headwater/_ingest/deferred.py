"""Files that are added now and read later: hashed when they are added, ingested when the artifact is logged.

That is what `policy="immutable"` asks for: a large file is read from where it is, and must not change until then.
"""

import os
from collections.abc import Mapping

from headwater_blobs.local_sources import digest_of, read_unchanged
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import FileDigest
from headwater_schemas.errors import FileChanged
from headwater_stores.telling.progress import FileProgress, Progress

from headwater._ingest.recent_reads import RecentReads, is_large
from headwater._ingest.scan import Scan, ScannedFile
from headwater._ingest.small_files import unreadable_file

READ_BYTES = 1 << 20  # at a time


def hash_folder(
    stager: BlobStager, found: Scan, reads: RecentReads, *, quiet: bool
) -> tuple[list[bytes], list[int], dict[str, str]]:
    """Digests and sizes of a folder's files, and the locations of those that are deferred, by path."""
    hashed, sizes, deferred = [], [], {}
    with Progress("hashing", total=sum(found.sizes()), unit="B", files=len(found), quiet=quiet) as progress:
        for path, file in zip(found.paths(), found.files(range(len(found))), strict=True):
            with progress.file(path, file.size) as watched:
                digest, size, is_deferred = _hash_file(stager, file, reads, watched)
            hashed.append(digest)
            sizes.append(size)
            if is_deferred:
                deferred[path] = file.location
    return hashed, sizes, deferred


def hash_file(stager: BlobStager, file: ScannedFile, reads: RecentReads, *, quiet: bool) -> tuple[bytes, int, bool]:
    """Digest and size of a file, and whether it is deferred: small files are ingested at once.

    A file of `reads` is not read again.
    """
    with (
        Progress("hashing", total=file.size, unit="B", quiet=quiet) as progress,
        progress.file(os.path.basename(file.location), file.size) as watched,
    ):
        return _hash_file(stager, file, reads, watched)


def _hash_file(
    stager: BlobStager, file: ScannedFile, reads: RecentReads, watched: FileProgress
) -> tuple[bytes, int, bool]:
    known = reads.find(file)
    if (
        known is not None
        and digests.algorithm_of(known.digest) == stager.algorithm
        and (known.is_deferred or not stager.missing([known.digest]))
    ):
        return known.digest, file.size, known.is_deferred
    try:
        with open(file.location, "rb", buffering=0) as source:
            if not is_large(file.size):
                return *stager.ingest_file(source), False
            digest, size = read_unchanged(source, lambda: digest_of(source.fileno(), stager.algorithm, watched.watch))
    except OSError as error:
        raise unreadable_file(file.location, error) from error
    if size == file.size:
        reads.note(file, digest, is_deferred=True)
    return digest, size, True


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
