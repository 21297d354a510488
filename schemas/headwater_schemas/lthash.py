"""The digest of a set of entries: LtHash with 1024 lanes of 16 bits over BLAKE3.

Each leaf becomes 2048 bytes (BLAKE3 in its extendable form), read as 1024 little-endian 16-bit numbers; a set is the
sum of its leaves, lane by lane, modulo 2^16. So the order of entries does not matter, and adding or removing one costs
the same in a set of ten and of ten million.

The sum counts copies: 65,536 of one leaf cancel out. It therefore identifies a *set* only while every path occurs once,
which the projector ensures before it seals.

Source: Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic Hashing", 2019 (IACR ePrint 2019/227).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

LANES = 1024
STATE_BYTES = LANES * 2
_LEAVES_PER_SUM = 256  # 512 KiB, which fits in the processor's cache

_VERSION_TAG = b"headwater/version/1\x00"  # final
ALGORITHM = "lthash16x1024-blake3"
DIGEST_PREFIX = "lthash:"  # of digests by that algorithm, as text

EMPTY = bytes(STATE_BYTES)

Lanes = NDArray[np.uint16]


def add(state: bytes, leaves: Sequence[bytes]) -> bytes:
    """`state` with `leaves` added."""
    return _bytes(_lanes(state) + _sum(leaves)) if leaves else state


def remove(state: bytes, leaves: Sequence[bytes]) -> bytes:
    """`state` with `leaves` removed. They must have been added before."""
    return _bytes(_lanes(state) - _sum(leaves)) if leaves else state


def combine(state: bytes, other: bytes) -> bytes:
    """The state of the union of two sets, which must not share a leaf."""
    if state == EMPTY:
        return other
    return state if other == EMPTY else _bytes(_lanes(state) + _lanes(other))


def without(state: bytes, other: bytes) -> bytes:
    """The state of the first set without the second, which must be part of it."""
    return state if other == EMPTY else _bytes(_lanes(state) - _lanes(other))


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


def sum_of(leaves: Sequence[bytes], size_bytes: int) -> ContentSum:
    """The sum of entries, from their leaves and the total of their sizes."""
    return ContentSum(add(EMPTY, leaves), len(leaves), size_bytes)


def _sum(leaves: Sequence[bytes]) -> Lanes:
    total = np.zeros(LANES, "<u2")
    for start in range(0, len(leaves), _LEAVES_PER_SUM):
        expanded = b"".join([blake3(leaf).digest(STATE_BYTES) for leaf in leaves[start : start + _LEAVES_PER_SUM]])
        total += np.add.reduce(np.frombuffer(expanded, "<u2").reshape(-1, LANES), axis=0, dtype="<u2")
    return total


def _lanes(state: bytes) -> Lanes:
    return np.frombuffer(state, "<u2")


def _bytes(lanes: Lanes) -> bytes:
    return lanes.astype("<u2", copy=False).tobytes()
