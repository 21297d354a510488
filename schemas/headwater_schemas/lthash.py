"""The digest of a set of entries: LtHash with 1024 lanes of 16 bits over BLAKE3.

Each leaf becomes 2048 bytes (BLAKE3 in its extendable form), read as 1024 little-endian 16-bit numbers; a set is the
sum of its leaves, lane by lane, modulo 2^16. So the order of entries does not matter, and adding or removing one costs
the same in a set of ten and of ten million.

The sum counts copies: 65,536 of one leaf cancel out. It therefore identifies a *set* only while every path occurs once,
which the projector ensures before it seals.

Source: Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic Hashing", 2019 (IACR ePrint 2019/227).
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from blake3 import blake3

LANES = 1024
STATE_BYTES = LANES * 2
LEAVES_BY_HAND_MAX = 4096  # of one sum: importing numpy takes longer than it saves
_LEAVES_PER_SUM = 256  # 512 KiB, which fits in the processor's cache; and its sums fit in pairs of lanes
SUMS_REMEMBERED_MAX = 1024  # of so many leaves each: 2 MiB in all

_VERSION_TAG = b"headwater/version/1\x00"  # final
ALGORITHM = "lthash16x1024-blake3"
DIGEST_PREFIX = "lthash:"  # of digests by that algorithm, as text

EMPTY = bytes(STATE_BYTES)

# A state is one large number of LANES digits. Every other lane is added at once: between them is room for what carries.
_EVEN = int.from_bytes(b"\xff\xff\x00\x00" * (LANES // 2), "little")
_BORROW = int.from_bytes(b"\x00\x00\x01\x00" * (LANES // 2), "little")  # for what a lane lacks; it falls off at the end


def add(state: bytes, leaves: Sequence[bytes]) -> bytes:
    """`state` with `leaves` added."""
    return _added(state, _sum(leaves)) if leaves else state


def remove(state: bytes, leaves: Sequence[bytes]) -> bytes:
    """`state` with `leaves` removed. They must have been added before."""
    return _subtracted(state, _sum(leaves)) if leaves else state


def combine(state: bytes, other: bytes) -> bytes:
    """The state of the union of two sets, which must not share a leaf."""
    if state == EMPTY:
        return other
    return state if other == EMPTY else _added(state, other)


def without(state: bytes, other: bytes) -> bytes:
    """The state of the first set without the second, which must be part of it."""
    return state if other == EMPTY else _subtracted(state, other)


@dataclass(frozen=True, slots=True)
class ContentSum:
    """The sum of a set of entries: all that a version's digest depends on."""

    state: bytes = EMPTY
    count: int = 0  # entries
    size_bytes: int = 0  # sum over the entries, before any sharing of equal content; a reference of unknown size is 0

    def plus(self, other: "ContentSum") -> "ContentSum":
        """The union of two sets, which must not share an entry."""
        return ContentSum(
            combine(self.state, other.state), self.count + other.count, self.size_bytes + other.size_bytes
        )

    def minus(self, other: "ContentSum") -> "ContentSum":
        """This set without `other`, which must be part of it."""
        return ContentSum(
            without(self.state, other.state), self.count - other.count, self.size_bytes - other.size_bytes
        )

    def digest(self) -> str:
        """The version's digest, `lthash:` and 64 hexadecimal digits: BLAKE3 over algorithm, count, bytes and state."""
        numbers = self.count.to_bytes(8, "big") + self.size_bytes.to_bytes(8, "big")
        hashed = blake3(_VERSION_TAG + ALGORITHM.encode() + b"\x00" + numbers + self.state)
        return DIGEST_PREFIX + hashed.hexdigest()


NOTHING = ContentSum()


def sum_of(leaves: Sequence[bytes], size_bytes: int, *, remember: bool = False) -> ContentSum:
    """The sum of entries, from their leaves and the total of their sizes.

    `remember` its parts where this process will most likely sum up the same leaves once more, in the same order: the
    writer of an embedded store projects what it wrote.
    """
    return ContentSum(_sum(leaves, remember=remember), len(leaves), size_bytes)


def _sum(leaves: Sequence[bytes], *, remember: bool = False) -> bytes:
    if len(leaves) == 1:
        return blake3(leaves[0]).digest(STATE_BYTES)  # numbers below 2^16: they are their own sum
    total = EMPTY
    sum_up = _sum_by_numpy if len(leaves) > LEAVES_BY_HAND_MAX or "numpy" in sys.modules else _sum_by_hand
    for start in range(0, len(leaves), _LEAVES_PER_SUM):
        part = leaves[start : start + _LEAVES_PER_SUM]
        key = _key_of(part) if (remember or _remembered) and len(part) == _LEAVES_PER_SUM else None
        part_sum = _remembered.pop(key, None) or sum_up(part)
        if remember and key is not None and len(_remembered) < SUMS_REMEMBERED_MAX:
            _remembered[key] = part_sum
        total = _added(total, part_sum)
    return total


_remembered: dict[bytes | None, bytes] = {}  # sums of _LEAVES_PER_SUM leaves by `_key_of`; each is given once


def _key_of(leaves: Sequence[bytes]) -> bytes:
    """A digest of so many leaves in this order. Cost: a thirtieth of that of their sum."""
    return blake3(array("Q", map(len, leaves)).tobytes() + b"".join(leaves)).digest()


def _sum_by_hand(leaves: Sequence[bytes]) -> bytes:
    even = odd = 0
    for leaf in leaves:
        lanes = int.from_bytes(blake3(leaf).digest(STATE_BYTES), "little")
        even += lanes & _EVEN
        odd += lanes >> 16 & _EVEN
    return _joined(even, odd)


def _sum_by_numpy(leaves: Sequence[bytes]) -> bytes:
    import numpy as np

    lanes = np.frombuffer(b"".join([blake3(leaf).digest(STATE_BYTES) for leaf in leaves]), "<u2").reshape(-1, LANES)
    return bytes(np.add.reduce(lanes, axis=0, dtype="<u2").data)


def _added(one: bytes, other: bytes) -> bytes:
    (even, odd), (other_even, other_odd) = _split(one), _split(other)
    return _joined(even + other_even, odd + other_odd)


def _subtracted(one: bytes, other: bytes) -> bytes:
    (even, odd), (other_even, other_odd) = _split(one), _split(other)
    return _joined(even + _BORROW - other_even, odd + _BORROW - other_odd)


def _split(state: bytes) -> tuple[int, int]:
    """The even lanes and the odd ones."""
    lanes = int.from_bytes(state, "little")
    return lanes & _EVEN, lanes >> 16 & _EVEN


def _joined(even: int, odd: int) -> bytes:
    """The state, from its lanes and what they carried."""
    return (even & _EVEN | (odd & _EVEN) << 16).to_bytes(STATE_BYTES, "little")
