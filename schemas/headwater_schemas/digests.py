"""Digests of content, by a named algorithm.

    xxh3      XXH3-128, canonical (big-endian) form: fast, not proof against an attacker; the default
    blake3    BLAKE3, 256 bit

As text a digest is `algorithm:hex`; in events and the database it is one byte for the algorithm and the raw bytes.
"""

from collections.abc import Callable
from typing import Protocol

from blake3 import blake3
from xxhash import xxh3_128, xxh3_128_digest

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

XXH3 = "xxh3"
BLAKE3 = "blake3"
DEFAULT_ALGORITHM = XXH3
DIGEST_BYTES = {XXH3: 16, BLAKE3: 32}  # raw, without the algorithm's byte

_CODES = {XXH3: b"\x01", BLAKE3: b"\x02"}  # stored: final
_DIGITS = frozenset("0123456789abcdef")
_NAMES = {code[0]: name for name, code in _CODES.items()}


class Hasher(Protocol):
    """Computes a digest piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


def new_hasher(algorithm: str) -> Hasher:
    """Raises: InvalidInput for an unknown algorithm."""
    check_algorithm(algorithm)
    return xxh3_128() if algorithm == XXH3 else blake3()


def one_shot(algorithm: str) -> Callable[[bytes | bytearray | memoryview], bytes]:
    """The function that returns the raw digest of one buffer. Raises: InvalidInput for an unknown algorithm."""
    check_algorithm(algorithm)
    return xxh3_128_digest if algorithm == XXH3 else _blake3_digest


def pack(algorithm: str, raw: bytes) -> bytes:
    """The stored form: one byte for the algorithm, then the raw digest."""
    return _CODES[algorithm] + raw


def algorithm_of(packed: bytes) -> str:
    """The algorithm of a stored digest. Raises: InvalidInput when it is unknown or the length is wrong."""
    name = _NAMES.get(packed[0]) if packed else None
    if name is None or len(packed) != 1 + DIGEST_BYTES[name]:
        raise InvalidInput(
            f"'{packed[:40].hex()}' is not a stored digest, which is a byte for the algorithm and 16 or 32 of the "
            "digest."
        )
    return name


def to_text(packed: bytes) -> str:
    """`xxh3:…` or `blake3:…`. Raises: InvalidInput as `algorithm_of`."""
    return f"{algorithm_of(packed)}:{packed[1:].hex()}"


def of_text(text: str) -> bytes:
    """The stored form of what `to_text` returned. Raises: InvalidInput."""
    algorithm, _, digits = text.partition(":")
    size = DIGEST_BYTES.get(algorithm, 0)
    if len(digits) != 2 * size or not set(digits) <= _DIGITS or not size:
        raise InvalidInput(f"{quoted(text, 100)} is not a digest: an algorithm, a colon and hexadecimal digits.")
    return pack(algorithm, bytes.fromhex(digits))


def check_algorithm(algorithm: str) -> str:
    """Return `algorithm`. Raises: InvalidInput when it is unknown."""
    if algorithm not in _CODES:
        raise InvalidInput(f"{quoted(algorithm, 100)} is not a digest algorithm. Use one of: {', '.join(_CODES)}.")
    return algorithm


def _blake3_digest(data: bytes | bytearray | memoryview) -> bytes:
    return blake3(data).digest()
