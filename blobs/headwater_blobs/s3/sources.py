"""The parts of an object from a local file, which another process may be writing meanwhile.

The digest is the object's name, so the file is read twice: for the name, and to send it. The second reading is hashed
too, and raises instead of returning its last part when the digests differ.
"""

from collections.abc import Iterator

from headwater_schemas import digests

from headwater_blobs.local_sources import SourceChanged, read_at
from headwater_blobs.port import CHUNK_BYTES


def parts_of(source: int, part_bytes: int, digest: bytes, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file in parts. Raises: SourceChanged, at the latest instead of the last part."""
    hasher = digests.new_hasher(digests.algorithm_of(digest))
    for at in range(0, size, part_bytes):
        wanted = min(part_bytes, size - at)
        part = read_at(source, at, wanted)
        for start in range(0, len(part), CHUNK_BYTES):
            hasher.update(memoryview(part)[start : start + CHUNK_BYTES])
        if len(part) < wanted or (at + wanted == size and hasher.digest() != digest[1:]):
            raise SourceChanged
        yield part
        del part  # so that the sender holds the last reference
