"""The canonical dump of a projection's rows, of which its fingerprint is the digest.

Every table, by name; its rows in the order of the primary key; each value with a byte for its kind and, where its
length varies, its length. Nothing of a database's own is part of it: no row ids, no order of insertion, no metadata.
"""

from collections.abc import Iterable, Sequence

from blake3 import blake3

_TAG = b"headwater/projection/1\x00"


def digest_of_table(name: str, pages: Iterable[Iterable[Sequence[object]]]) -> str:
    """64 hexadecimal digits, of all rows in the order of the primary key, each with its values in the order of its
    fields."""
    digest = blake3(name.encode())
    for page in pages:
        digest.update(b"".join([_canonical(value) for row in page for value in row]))
    return digest.hexdigest()


def fingerprint_of(tables: Iterable[tuple[str, str]]) -> str:
    """64 hexadecimal digits, of (table, digest) in the order of the names."""
    total = blake3(_TAG)
    for name, digest in tables:
        total.update(name.encode() + b"\x00" + bytes.fromhex(digest))
    return total.hexdigest()


def _canonical(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"T" if value else b"F"
        case int():
            return b"I" + value.to_bytes(8, "big", signed=True)
        case str():
            text = value.encode()
            return b"S" + len(text).to_bytes(8, "big") + text
        case bytes() | memoryview():
            return b"B" + len(value).to_bytes(8, "big") + bytes(value)
        case _:
            raise AssertionError(f"a row holds a {type(value).__name__}")
