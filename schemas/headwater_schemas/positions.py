"""Positions and cuts of the log.

A position is (log generation, partition, offset). A cut is one offset per partition and means "everything up to and
including these"; clients treat it as opaque text.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater_schemas.errors import InvalidInput

BEFORE_FIRST = -1  # the offset before the first record of a partition
PARTITIONS_MAX = 1 << 15
_OFFSET_BITS = 48
OFFSETS_MAX = 1 << _OFFSET_BITS


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The position of one record. Offsets increase within a partition; gaps are allowed."""

    generation: str  # the log's identity, assigned when it was created
    partition: int
    offset: int

    @property
    def number(self) -> int:
        """Partition and offset as one 63-bit number: unique within a log, increasing within a partition."""
        return position_number(self.partition, self.offset)


def position_number(partition: int, offset: int) -> int:
    """`partition` in the upper 15 bits, `offset` in the lower 48."""
    assert 0 <= partition < PARTITIONS_MAX, partition
    assert BEFORE_FIRST <= offset < OFFSETS_MAX, offset
    return (partition << _OFFSET_BITS) + offset


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything up to and including these offsets."""

    generation: str
    offsets: Mapping[int, int] = field(default_factory=dict)  # partition → offset; missing: nothing of it

    def including(self, position: Position) -> "Cut":
        """The smallest cut that includes this one and `position`."""
        assert position.generation == self.generation, (position, self.generation)
        offset = max(self.offsets.get(position.partition, BEFORE_FIRST), position.offset)
        return Cut(self.generation, {**self.offsets, position.partition: offset})

    def encode(self) -> str:
        """Opaque text, safe in URLs."""
        body = json.dumps([self.generation, sorted(self.offsets.items())], separators=(",", ":"))
        return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cut":
        """Raises: InvalidInput when `text` is not a result of `encode`."""
        try:
            padded = text + "=" * (-len(text) % 4)
            generation, pairs = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            cut = cls(str(generation), {int(partition): int(offset) for partition, offset in pairs})
        except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
            raise _not_a_cut(text) from None
        # Refuse all other JSON: only a result of `encode` encodes to the same text again.
        if not cut._is_in_range() or cut.encode() != text:
            raise _not_a_cut(text)
        return cut

    def _is_in_range(self) -> bool:
        return all(
            0 <= partition < PARTITIONS_MAX and BEFORE_FIRST <= offset < OFFSETS_MAX
            for partition, offset in self.offsets.items()
        )


def _not_a_cut(text: str) -> InvalidInput:
    return InvalidInput(f"{text[:60]!r} is not a cut. Pass one that a write or a read returned, unchanged.")
