"""Many byte strings as one body: each is prefixed by its length, four bytes little-endian. What is not exactly that is
refused, and the number of frames is bounded before one is made."""

import struct
from collections.abc import Iterable, Iterator

from headwater_schemas.errors import InvalidInput

FRAME_BYTES_MAX = 2**32 - 1
_LENGTH = struct.Struct("<I")


def packed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a body, two for each frame."""
    for frame in frames:
        yield _LENGTH.pack(len(frame))
        yield frame


def packed_size(frames: Iterable[bytes]) -> int:
    """The size of the body, in bytes."""
    return sum(_LENGTH.size + len(frame) for frame in frames)


def unpacked(body: bytes, *, frames_max: int) -> list[memoryview]:
    """The frames of a body, which must end with the last. Raises: InvalidInput."""
    view, frames, at = memoryview(body), list[memoryview](), 0
    while at < len(view):
        if len(frames) == frames_max:
            raise InvalidInput(f"the body has more than {frames_max:,} frames. Send it in several requests.")
        end = at + _LENGTH.size
        if end > len(view) or end + _LENGTH.unpack_from(view, at)[0] > len(view):
            raise InvalidInput(f"the body ends within frame {len(frames):,}. Send it as it was made.")
        at = end + _LENGTH.unpack_from(view, at)[0]
        frames.append(view[end:at])
    return frames
