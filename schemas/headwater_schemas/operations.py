"""What a server sends back while it runs a command for a client: frames, of which the last alone says how it ended.

A frame is its length (four bytes, little-endian, of all that follows), one byte that says its kind, and its payload. A
stream without an END is one that broke off: then nobody knows how the command ended.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from headwater_schemas.errors import StoreUnavailable

MEDIA_TYPE = "application/vnd.headwater.operation"
FILE_MEDIA_TYPE = "application/octet-stream"  # of what is imported
OUTPUT = b"o"  # a piece of what the command prints: text in UTF-8
ERRORS = b"e"  # a piece of what it prints on standard error
CONTENT = b"c"  # a piece of the file that it makes
BEAT = b"b"  # nothing happened for a while, and the command goes on
END = b"x"  # JSON, see `End`; nothing follows
KINDS = (OUTPUT, ERRORS, CONTENT, BEAT, END)
PAYLOAD_BYTES_MAX = 256 * 1024
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class End:
    """How a command ended."""

    code: int  # its exit code; minus the number of the signal that ended it
    interrupted: str | None = None  # why the server interrupted it; None where it ended by itself

    def encode(self) -> bytes:
        """The payload of the last frame."""
        return json.dumps({"code": self.code, "interrupted": self.interrupted}).encode()

    @classmethod
    def decode(cls, payload: bytes) -> "End":
        """Raises: StoreUnavailable for what is none."""
        try:
            found = json.loads(payload)
            why = found["interrupted"]
            return cls(int(found["code"]), None if why is None else str(why))
        except (KeyError, TypeError, ValueError):
            raise _not_understood() from None


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """A frame, whole. `payload`: at most PAYLOAD_BYTES_MAX."""
    assert len(payload) <= PAYLOAD_BYTES_MAX
    return _LENGTH.pack(len(kind) + len(payload)) + kind + payload


class Frames:
    """Takes the pieces of a stream, and gives the frames that are whole. Holds one frame at most."""

    def __init__(self) -> None:
        self._held = bytearray()

    def take(self, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that end in this piece: kind and payload. Raises: StoreUnavailable for what is none."""
        self._held += piece
        at = 0
        while len(self._held) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held, at)
            if not 1 <= length <= 1 + PAYLOAD_BYTES_MAX:
                raise _not_understood()
            end = at + _LENGTH.size + length
            if len(self._held) < end:
                break
            whole = bytes(self._held[end - length : end])
            kind, payload = whole[:1], whole[1:]
            if kind not in KINDS:
                raise _not_understood()
            at = end
            yield kind, payload
        del self._held[:at]


def _not_understood() -> StoreUnavailable:
    return StoreUnavailable("the server's answer is not understood by this release. Upgrade headwater.")
