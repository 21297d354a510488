"""Ingest content again that was stored when it was added and is not any more, from where it came from.

Files that were not even read when they were added, since they are unchanged, are read now.
"""

import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from typing import BinaryIO

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import FileDigest
from headwater_schemas.errors import InvalidFile
from headwater_stores.telling.progress import FileProgress, Progress

from headwater._ingest.content_sources import ContentSources


def ingest_from_sources(
    stager: BlobStager,
    files: Mapping[str, FileDigest],
    sources: ContentSources,
    wanted: Collection[bytes],
    *,
    quiet: bool,
) -> None:
    """Ingest what still is what it was of these contents; what cannot be found so is left out.

    Raises: StoreUnavailable, StoreReadOnly.
    """
    left = dict.fromkeys(wanted)
    paths = {digest: path for path, (digest, _) in files.items() if digest in left}
    total = sum(files[path][1] for path in paths.values())
    with Progress("storing", total=total, unit="B", files=len(paths), quiet=quiet) as progress:
        for path, known in files.items() if left else ():
            if known[0] in left:
                with progress.file(path, known[1]) as file:
                    if _ingest_path(stager, path, known, sources, file):
                        del left[known[0]]


def _ingest_path(stager: BlobStager, path: str, known: FileDigest, sources: ContentSources, file: FileProgress) -> bool:
    return any(_ingest_location(stager, location, known, file) for location in sources.locations(path)) or (
        _ingest_written(stager, path, known, sources, file)
    )


def _ingest_location(stager: BlobStager, location: str, known: FileDigest, file: FileProgress) -> bool:
    try:
        found = os.stat(location)
        if not stat.S_ISREG(found.st_mode) or found.st_size != known[1]:
            return False
        with open(location, "rb", buffering=0) as source:
            return _ingest(stager, source, known, file)
    except (OSError, InvalidFile):
        return False


def _ingest_written(
    stager: BlobStager, path: str, known: FileDigest, sources: ContentSources, file: FileProgress
) -> bool:
    with tempfile.TemporaryFile(buffering=0) as copy:
        for piece in sources.written.pieces(path):
            copy.write(piece)
        copy.seek(0)
        return os.fstat(copy.fileno()).st_size == known[1] and _ingest(stager, copy, known, file)


def _ingest(stager: BlobStager, source: BinaryIO, known: FileDigest, file: FileProgress) -> bool:
    """Whether it is what was recorded. Only that is kept."""
    digest, size = known
    if size > PACKED_FILE_BYTES_MAX:
        found, _ = stager.ingest_file(source, watch=file.watch)
        if found != digest:
            stager.forget((), stored=[found])
        return found == digest
    content = source.read()
    if digests.pack(stager.algorithm, digests.one_shot(stager.algorithm)(content)) != digest:
        return False
    stager.ingest([content])
    return True
