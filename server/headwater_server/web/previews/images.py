"""Which images a browser is given: those that begin as one of four formats does, and that are not too large to draw.

Their type is told by what they begin with, never by what they are called. SVG is none of them: it is a document.
"""

from collections.abc import Callable
from dataclasses import dataclass

IMAGE_BYTES_MAX = 8 * 1024 * 1024
SIDE_MAX = 16_384  # pixels
PIXELS_MAX = 64_000_000
HEAD_BYTES = 64 * 1024  # in which the dimensions are

_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True, slots=True)
class Image:
    """An image, as far as its beginning tells."""

    media_type: str
    width: int  # pixels
    height: int

    @property
    def is_drawable(self) -> bool:
        """Whether a browser can draw it without trouble."""
        sides = self.width, self.height
        return all(0 < side <= SIDE_MAX for side in sides) and self.width * self.height <= PIXELS_MAX


def image_of(head: bytes) -> Image | None:
    """The image that begins with these bytes; None for anything else, and where its dimensions are not among them."""
    for magic, media_type, dimensions in _FORMATS:
        if head.startswith(magic):
            try:
                found = dimensions(head)
            except IndexError:  # it ends before its dimensions
                return None
            return None if found is None else Image(media_type, *found)
    return None


def _of_png(head: bytes) -> tuple[int, int] | None:
    if head[12:16] != b"IHDR" or len(head) < 24:
        return None
    return _big(head, 16, 4), _big(head, 20, 4)


def _of_gif(head: bytes) -> tuple[int, int] | None:
    return None if len(head) < 10 else (_little(head, 6, 2), _little(head, 8, 2))


def _of_jpeg(head: bytes) -> tuple[int, int] | None:
    """Walks the segments to the one that begins a frame."""
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _START_OF_FRAME:
            return None if len(head) < at + 9 else (_big(head, at + 7, 2), _big(head, at + 5, 2))
        else:
            at += 2 + max(2, _big(head, at + 2, 2))
    return None


def _of_webp(head: bytes) -> tuple[int, int] | None:
    if head[8:12] != b"WEBP" or len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            return 1 + _little(head, 24, 3), 1 + _little(head, 27, 3)
        case b"VP8L":
            bits = _little(head, 21, 4)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF
        case _:
            return None


def _big(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "big")


def _little(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "little")


_FORMATS: tuple[tuple[bytes, str, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (_PNG, "image/png", _of_png),
    (b"GIF87a", "image/gif", _of_gif),
    (b"GIF89a", "image/gif", _of_gif),
    (b"\xff\xd8\xff", "image/jpeg", _of_jpeg),
    (b"RIFF", "image/webp", _of_webp),
)
