"""The headers of one record as one block of bytes.

A block has, with all numbers as 4 bytes little-endian: the size of the head; the head (the number of headers, the size
of each value, the names in UTF-8 with NUL after each); the values. Order and repeated names are preserved. The head is
the same in most records, and comes first so that its parsed form can be cached.
"""

import struct
from functools import lru_cache

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.headers import Headers
from headwater_schemas.limits import HEADERS_BYTES_MAX

_NUMBER = struct.Struct("<I")
_HEADS_CACHED = 1024  # they differ in the lengths of keys


def pack(headers: Headers) -> bytes:
    """Raises: InvalidInput when a name holds NUL, or names and values together exceed HEADERS_BYTES_MAX."""
    return pack_columns(*zip(*headers, strict=True)) if headers else pack_columns((), ())


def pack_columns(names: tuple[str, ...], values: tuple[bytes, ...]) -> bytes:
    """The same, of names and values, which are as many."""
    return b"".join((_packed_head(names, tuple(map(len, values))), *values))


@lru_cache(_HEADS_CACHED)
def _packed_head(names: tuple[str, ...], sizes: tuple[int, ...]) -> bytes:
    """Raises: as `pack`."""
    encoded = "".join([f"{name}\0" for name in names]).encode()
    if encoded.count(0) != len(names):
        name = next(name for name in names if "\0" in name)
        raise InvalidInput(f"a header's name holds NUL: {quoted(name)}. Remove it.")
    size = len(encoded) - len(names) + sum(sizes)
    if size > HEADERS_BYTES_MAX:
        raise InvalidInput(f"the headers have {size:,} bytes; at most {HEADERS_BYTES_MAX:,} are allowed. Shorten them.")
    head_size = _NUMBER.size * (1 + len(sizes)) + len(encoded)
    return struct.pack(f"<{2 + len(sizes)}I", head_size, len(sizes), *sizes) + encoded


def unpack(block: bytes) -> Headers:
    """Raises: ValueError when `block` is not a result of `pack`."""
    try:
        start = _NUMBER.size + _NUMBER.unpack_from(block)[0]
        names, values = _head(block[_NUMBER.size : start])
        if start + values.size != len(block):
            raise ValueError(f"headers of {len(block)} bytes announce {start + values.size}")
        return tuple(zip(names, values.unpack_from(block, start), strict=True))
    except struct.error as error:
        raise ValueError(f"headers of {len(block)} bytes: {error}") from None


@lru_cache(_HEADS_CACHED)
def _head(head: bytes) -> tuple[tuple[str, ...], struct.Struct]:
    """The names, and the layout of the values."""
    (count,) = _NUMBER.unpack_from(head)
    sizes = struct.unpack_from(f"<{count}I", head, _NUMBER.size)
    names = tuple(head[_NUMBER.size * (1 + count) :].decode().split("\0")[:-1])
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} headers")
    return names, struct.Struct("<" + "".join([f"{size}s" for size in sizes]))
