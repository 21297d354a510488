"""A local file as the parts of an object, when all that is known of it is that it may be written to meanwhile.

Its digest is its object's name, so it is read twice: once for the name, once to send it. The second reading is hashed
too, and refuses to give its last part when it was not what the first one saw.
"""

import os
from collections.abc import Iterator

from headwater_schemas import digests

from headwater_blobs.port import CHUNK_BYTES


class SourceChanged(Exception):
    """The second reading was not what the first one was. Never leaves the adapter."""


def begin_of(source: int, size: int) -> bytes:
    """The first `size` bytes of a file, fewer where there are no more."""
    return _read(source, 0, size)


def digest_of(source: int, algorithm: str) -> tuple[bytes, int]:
    """Digest (stored form) and size of a file as it is read now."""
    hasher, size = digests.new_hasher(algorithm), 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while got := os.preadv(source, [buffer], size):
        hasher.update(buffer[:got])
        size += got
    return digests.pack(algorithm, hasher.digest()), size


def parts_of(source: int, part_bytes: int, digest: bytes, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file in parts. Raises: SourceChanged instead of the last one, or before."""
    hasher = digests.new_hasher(digests.algorithm_of(digest))
    for at in range(0, size, part_bytes):
        wanted = min(part_bytes, size - at)
        part = _read(source, at, wanted)
        for start in range(0, len(part), CHUNK_BYTES):
            hasher.update(memoryview(part)[start : start + CHUNK_BYTES])
        if len(part) < wanted or (at + wanted == size and hasher.digest() != digest[1:]):
            raise SourceChanged
        yield part
        del part  # whoever sends it is the last to hold it


def _read(source: int, offset: int, size: int) -> bytes:
    data = os.pread(source, size, offset)
    while len(data) < size and (more := os.pread(source, size - len(data), offset + len(data))):
        data += more
    return data
