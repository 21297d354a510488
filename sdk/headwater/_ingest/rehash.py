"""Content that was added before it was known which project it goes to: hashed again with the algorithm of that project.

One content must have one digest in a project, or it would become two versions. The bytes come from where they were
kept, verified by their first digest, so nothing else can get in meanwhile.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import Located
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation

from headwater._content.content import Content
from headwater._ingest.deferred import hash_again

BYTES_PER_BATCH = 4 * 1024 * 1024  # of small contents, in memory at once


def ingest_again(
    blobs: BlobStore, kept_by: BlobStager, stager: BlobStager, content: Content, deferred: Mapping[str, str]
) -> bool:
    """Give all files of `content` digests of the algorithm of `stager`. Whether any had another.

    The bytes of those are with `kept_by`, or stored in its project, or at the locations `deferred`, by path; the last
    are only hashed. Raises, and changes no digest: FileChanged, before anything is stored, when one of the deferred is
    not what it was; BlobMissing, BlobCorrupt, StoreUnavailable, StoreReadOnly.
    """
    code = digests.pack(stager.algorithm, b"")[0]
    others = content.files.part([path for path, digest in content.files.digests.items() if digest[0] != code])
    if not others:
        return False
    found = {
        others[path][0]: hash_again(location, others[path], stager.algorithm)
        for path, location in deferred.items()
        if path in others
    }
    kept = [digest for digest in dict.fromkeys(others.digests.values()) if digest not in found]
    published = kept_by.publish(kept_by.project, kept)
    found |= ingest_stored(blobs, stager, [(published[digest], digest) for digest in kept])
    content.replace_digests(found)
    kept_by.forget(found)
    return True


def ingest_stored(blobs: BlobStore, stager: BlobStager, located: Sequence[Located]) -> dict[bytes, bytes]:
    """Ingest content that is stored; returns old digest → new one. Raises: ContentError, StoreUnavailable."""
    found: dict[bytes, bytes] = {}
    for batch in _batches([one for one in located if one[0].size <= PACKED_FILE_BYTES_MAX]):
        found |= zip([digest for _, digest in batch], stager.ingest(blobs.read_many(batch)), strict=True)
    for location, digest in located:
        if location.size > PACKED_FILE_BYTES_MAX:
            found[digest] = _ingest_large(blobs, stager, location, digest)
    return found


def _ingest_large(blobs: BlobStore, stager: BlobStager, location: BlobLocation, digest: bytes) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as copy:
        for chunk in blobs.stream(location, digest):
            copy.write(chunk)
        copy.seek(0)
        return stager.ingest_file(copy)[0]


def _batches(located: Sequence[Located]) -> Iterator[Sequence[Located]]:
    """Small contents in batches of bounded bytes."""
    batch: list[Located] = []
    size = 0
    for one in located:
        if batch and size + one[0].size > BYTES_PER_BATCH:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one[0].size
    if batch:
        yield batch
