"""What differs between two texts, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_server.web.previews.bounded import Failed, decoded
from headwater_server.web.previews.contents import Contents
from headwater_server.web.previews.texts import TEXT_BYTES_MAX, text_of

_TOO_LARGE = "a version of it is longer than what is compared line by line. Download both."
_BINARY = "it is not text in both versions."
_TOO_LONG = "comparing it line by line would take too long. Download both."


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference."""

    sign: str  # "+", "-", " " for a line that both have, or "@" before a stretch of lines
    text: str


@dataclass(frozen=True, slots=True)
class LinesBetween:
    """The lines that differ, with some around them, or why they are not told."""

    lines: Sequence[Line]
    is_cut: bool  # there are more
    why_not: str | None = None


NO_CONTENT = LinesBetween((), False, "it is a reference, whose content is elsewhere.")


def lines_between(before: Contents | None, after: Contents | None) -> LinesBetween:
    """From one text to the other; None: there was none, or is none. Raises: StoreError, BlobCorrupt."""
    sides = [one for one in (before, after) if one is not None]
    if any(one.size > TEXT_BYTES_MAX for one in sides):
        return LinesBetween((), False, _TOO_LARGE)
    texts = ["" if one is None else text_of(one.read(0, one.size), is_whole=True) for one in (before, after)]
    if None in texts:
        return LinesBetween((), False, _BINARY)
    parts = [(text or "").encode() for text in texts]
    both = b"".join(parts)
    try:
        found = decoded(
            lambda first, length: both[first : first + length], action="diff", sizes=[len(part) for part in parts]
        )
    except Failed:
        return LinesBetween((), False, _TOO_LONG)
    return LinesBetween([Line(sign, text) for sign, text in found["lines"]], found["is_cut"])
