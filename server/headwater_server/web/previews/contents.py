"""The bytes of one file, read by ranges, so many of them at most."""

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, ContentReads
from headwater_consumer.queries import EntryInfo
from headwater_schemas.entries import BlobLocation

READ_BYTES_MAX = 16 * 1024 * 1024  # of one file, for one preview
RANGES_MAX = 256


class TooMuchRead(Exception):
    """A preview wanted more of a file than it gets."""


class Contents:
    """A stored file. What is read whole is verified, as small ones always are; other ranges are as they are stored."""

    def __init__(self, blobs: ContentReads, entry: EntryInfo) -> None:
        assert entry.digest is not None
        assert entry.size is not None
        assert entry.object_name is not None
        assert entry.object_offset is not None
        self.size = entry.size
        self._blobs, self._digest = blobs, entry.digest
        self._place = BlobLocation(entry.object_name, entry.object_offset, entry.size)
        self._whole: bytes | None = None
        self._read_bytes = self._ranges = 0

    def read(self, first: int, length: int) -> bytes:
        """The bytes from `first` on, fewer where the file ends. Raises: TooMuchRead; StoreError, BlobCorrupt."""
        length = max(0, min(length, self.size - first))
        self._read_bytes += length
        self._ranges += 1
        if self._read_bytes > READ_BYTES_MAX or self._ranges > RANGES_MAX:
            raise TooMuchRead
        if length == 0:
            return b""
        if self.size <= PACKED_FILE_BYTES_MAX:
            if self._whole is None:
                self._whole = bytes(self._blobs.read(self._place, self._digest))
            return self._whole[first : first + length]
        is_whole = length == self.size
        stream, place = self._blobs.stream, self._place
        pieces = stream(place, self._digest) if is_whole else self._blobs.stream_part(place, first, length)
        return b"".join(map(bytes, pieces))  # each piece is valid until the next
