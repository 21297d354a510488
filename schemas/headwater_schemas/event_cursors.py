"""How far somebody has read the version events of a log.

A cursor names the last event that was read of each partition, by the position from which it counts and its number
there. Positions survive a restore of the log, and so do cursors. They come with every event, so their text is short:
about 40 characters, and eight for each partition that has events.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX, PARTITIONS_MAX
from headwater_schemas.positions import position_number

WHOLE = (1 << 62) - 1  # an index beyond all: every event of a position
GENERATION_BYTES_MAX = 255
TEXT_SHOWN_MAX = 60  # characters, in an error
Reached = tuple[int, int]  # a position as one number, and the index of an event there
BEFORE_ALL: Reached = (-1, -1)

_FORMAT = 1  # the first byte
_PER_PARTITION = EPOCHS_MAX * OFFSETS_MAX  # the positions of one partition are consecutive numbers
_VARINT_BYTES_MAX = 9


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Everything up to and including these events."""

    generation: str  # of the log when it was made
    reached: Mapping[int, Reached] = field(default_factory=dict)  # by partition; missing: nothing of it

    def encode(self) -> str:
        """Opaque text, safe in URLs."""
        generation = self.generation.encode()
        assert len(generation) <= GENERATION_BYTES_MAX, self.generation
        content = bytearray((_FORMAT, len(generation)))
        content += generation
        previous = -1
        for partition, (position, index) in sorted(self.reached.items()):
            _add_varint(content, partition - previous - 1)
            _add_varint(content, position % _PER_PARTITION)
            _add_varint(content, 0 if index == WHOLE else index + 1)
            previous = partition
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "EventCursor":
        """Raises: InvalidInput when `text` is not a result of `encode`."""
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            start = 2 + content[1]
            cursor = cls(content[2:start].decode(), _by_partition(content, start))
        except (ValueError, TypeError, IndexError):
            raise _not_a_cursor(text) from None
        if cursor.encode() != text:  # only a result of `encode` encodes to the same text again
            raise _not_a_cursor(text)
        return cursor


def _by_partition(content: bytes, start: int) -> dict[int, Reached]:
    """Raises: ValueError or IndexError for what `encode` does not write."""
    found: dict[int, Reached] = {}
    partition = -1
    while start < len(content):
        skipped, start = _varint(content, start)
        within, start = _varint(content, start)
        index, start = _varint(content, start)
        partition += skipped + 1
        if partition >= PARTITIONS_MAX or within >= _PER_PARTITION:
            raise ValueError(content)
        found[partition] = position_number(0, partition, 0) + within, index - 1 if index else WHOLE
    return found


def _add_varint(content: bytearray, number: int) -> None:
    """Seven bits a byte, the lowest first; all but the last have the eighth."""
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """The number there, and where the next one begins."""
    number = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = content[start + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, start + place + 1
    raise ValueError(content)


def _not_a_cursor(text: object) -> InvalidInput:
    return InvalidInput(
        f"{quoted(str(text), TEXT_SHOWN_MAX)} is not a cursor. Pass one that came with a version event, unchanged."
    )
