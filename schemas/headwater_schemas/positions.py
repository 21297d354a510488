"""Positions and cuts of the log.

A position is (epoch, partition, offset). The epoch counts the logs that came before the one that a record was first
written to: 0 in a log that began empty, 1 in one that was restored from such a log. A cut is one offset per partition
and means "everything up to and including these"; clients treat it as opaque text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from headwater_schemas import opaque_texts
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX, PARTITIONS_MAX

BEFORE_FIRST = -1  # the offset before the first record of a partition
# 63 in all, as stored numbers have a sign.
_EPOCH_BITS, _OFFSET_BITS = (EPOCHS_MAX - 1).bit_length(), (OFFSETS_MAX - 1).bit_length()


class Position(NamedTuple):
    """Where a record was first written. Within a partition epochs and offsets increase; gaps are allowed."""

    epoch: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.partition}/{self.offset}"

    @property
    def number(self) -> int:
        """The position as one 63-bit number: unique, and increasing within a partition."""
        return position_number(self.epoch, self.partition, self.offset)


def position_number(epoch: int, partition: int, offset: int) -> int:
    """`partition` in the upper 12 bits, `epoch` in the next 8, `offset` in the lower 43."""
    assert 0 <= partition < PARTITIONS_MAX, partition
    assert 0 <= epoch < EPOCHS_MAX, epoch
    assert BEFORE_FIRST <= offset < OFFSETS_MAX, offset
    return (partition << _EPOCH_BITS + _OFFSET_BITS) + (epoch << _OFFSET_BITS) + offset


def position_if_valid(epoch: int, partition: int, offset: int) -> int | None:
    """As `position_number`, of what an event names; None where that is no position."""
    ranges = ((epoch, EPOCHS_MAX), (partition, PARTITIONS_MAX), (offset, OFFSETS_MAX))
    return position_number(epoch, partition, offset) if all(0 <= value < end for value, end in ranges) else None


def position_of(number: int) -> Position:
    """The position with this number."""
    epoch = number >> _OFFSET_BITS & EPOCHS_MAX - 1
    return Position(epoch, number >> _EPOCH_BITS + _OFFSET_BITS, number & OFFSETS_MAX - 1)


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything up to and including these offsets."""

    generation: str
    offsets: Mapping[int, int] = field(default_factory=dict)  # partition → offset; missing: nothing of it

    def including(self, *positions: Position) -> "Cut":
        """The smallest cut that includes this one and `positions`, which must be of the same log."""
        offsets = dict(self.offsets)
        for position in positions:
            offsets[position.partition] = max(offsets.get(position.partition, BEFORE_FIRST), position.offset)
        return Cut(self.generation, offsets)

    def includes(self, other: "Cut") -> bool:
        """Whether everything in `other`, which must be of the same log, is in this one."""
        return all(self.offsets.get(partition, BEFORE_FIRST) >= offset for partition, offset in other.offsets.items())

    def encode(self) -> str:
        """Opaque text, safe in URLs."""
        return opaque_texts.encode([self.generation, sorted(self.offsets.items())])

    @classmethod
    def decode(cls, text: str) -> "Cut":
        """Raises: InvalidInput when `text` is not a result of `encode`."""
        try:
            generation, pairs = opaque_texts.decode(text)
            cut = cls(str(generation), {int(partition): int(offset) for partition, offset in pairs})
        except (ValueError, TypeError, OverflowError):
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
