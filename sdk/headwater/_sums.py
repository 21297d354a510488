"""Whether bytes are those that were recorded: by our own digests, or by a checksum that another store gave.

A recorded sum is bytes for a digest in the stored form, and text, "md5:…" or "crc32c:…", for a checksum of content.
An ETag is none: it proves nothing about bytes.
"""

import base64
import hashlib
import re

from crc32c import CRC32CHash
from headwater_consumer import queries
from headwater_schemas import digests

Sum = bytes | str

_HEXADECIMAL = re.compile("(?:[0-9a-fA-F]{2})+")


class Check:
    """A sum that is fed piece by piece, and knows what it should come to."""

    __slots__ = ("_expected", "_hasher", "update")

    def __init__(self, recorded: Sum) -> None:
        """Raises: InvalidInput when `recorded` is no sum of content."""
        if isinstance(recorded, str) and recorded.partition(":")[0] in digests.DIGEST_BYTES:
            recorded = digests.from_text(recorded)
        if isinstance(recorded, bytes):
            self._hasher = digests.new_hasher(digests.algorithm_of(recorded))
            self._expected = recorded[1:]
        else:
            algorithm, _, text = recorded.partition(":")
            self._hasher = _hasher_of_others(algorithm)
            self._expected = _decoded(text)
        self.update = self._hasher.update

    def agrees(self) -> bool:
        """Whether all that was fed is what was recorded."""
        return self._hasher.digest() == self._expected


def recorded_sum(info: queries.EntryInfo) -> Sum | None:
    """What proves the content of an entry; None where nothing that was recorded does."""
    if info.digest is not None:
        return info.digest
    if info.checksum is None:
        return None
    from headwater import references  # its drivers are not needed for files

    return None if references.verifies_content(info.checksum) is None else info.checksum


def _hasher_of_others(algorithm: str) -> digests.Hasher:
    if algorithm == "crc32c":
        return CRC32CHash()
    assert algorithm == "md5", algorithm
    return hashlib.md5(usedforsecurity=False)


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text) if _HEXADECIMAL.fullmatch(text) else base64.b64decode(text)
