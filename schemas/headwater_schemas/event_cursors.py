"""How far somebody has read the version events of a log.

A cursor names the last event that was read of each partition, by the position from which it counts and its number
there. Positions survive a restore of the log, and so do cursors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headwater_schemas import opaque_texts
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.positions import position_of

TEXT_SHOWN_MAX = 60  # characters, in an error
NUMBERS_MAX = 1 << 63  # what a database can compare
Reached = tuple[int, int]  # a position as one number, and the index of an event there


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Everything up to and including these events."""

    generation: str  # of the log when it was made
    reached: Mapping[int, Reached] = field(default_factory=dict)  # by partition; missing: nothing of it

    def encode(self) -> str:
        """Opaque text, safe in URLs."""
        return opaque_texts.encode([self.generation, [pair for _, pair in sorted(self.reached.items())]])

    @classmethod
    def decode(cls, text: str) -> "EventCursor":
        """Raises: InvalidInput when `text` is not a result of `encode`."""
        try:
            generation, numbers = opaque_texts.decode(text)
            cursor = cls(str(generation), dict(_by_partition(numbers)))
        except (ValueError, TypeError, OverflowError):
            raise _not_a_cursor(text) from None
        if cursor.encode() != text:  # only a result of `encode` encodes to the same text again
            raise _not_a_cursor(text)
        return cursor


def _by_partition(numbers: list[list[int]]) -> Iterator[tuple[int, Reached]]:
    for position, index in numbers:
        if not (0 <= int(position) < NUMBERS_MAX and 0 <= int(index) < NUMBERS_MAX):
            raise ValueError
        yield position_of(int(position)).partition, (int(position), int(index))


def _not_a_cursor(text: str) -> InvalidInput:
    return InvalidInput(
        f"{quoted(text, TEXT_SHOWN_MAX)} is not a cursor. Pass one that came with a version event, unchanged."
    )
