"""A second opinion on Avro, written from its specification and sharing nothing with the library that the codec uses."""

import json
from collections.abc import Iterator
from typing import Any

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")

_EMPTY = 0xC15D213AA4D7A795
_KEPT = ("name", "type", "fields", "symbols", "items", "values", "size")  # in this order


def crc_64(data: bytes) -> int:
    """CRC-64-AVRO. Source: Avro specification 1.11, "Schema Fingerprints"."""
    fingerprint = _EMPTY
    for byte in data:
        fingerprint ^= byte
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (_EMPTY if fingerprint & 1 else 0)
    return fingerprint


def canonical_form(schema: Any) -> str:
    """Parsing Canonical Form. Source: Avro specification 1.11, "Transforming into Parsing Canonical Form"."""
    return json.dumps(_stripped(schema, ""), separators=(",", ":"), ensure_ascii=False)


def zigzag(number: int) -> bytes:
    """A long as it stands on the wire."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def bytes_min(schema: Any) -> int:
    """The fewest bytes that a value can take. Does not end for a recursive schema without an end."""
    if isinstance(schema, list):
        return 1 + min(bytes_min(branch) for branch in schema)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "record":
        return sum(bytes_min(field["type"]) for field in schema["fields"])
    if kind == "fixed":
        return int(schema["size"])
    if isinstance(kind, dict | list):
        return bytes_min(kind)
    return {"null": 0, "float": 4, "double": 8}.get(kind, 1)


def parts_of(schema: Any) -> Iterator[Any]:
    """`schema` and every schema inside it, as they are spelled."""
    yield schema
    if isinstance(schema, list):
        inside = schema
    elif isinstance(schema, dict):
        fields = [field["type"] for field in schema.get("fields", ())]
        inside = [*fields, *(schema[key] for key in ("items", "values") if key in schema)]
        if not isinstance(schema["type"], str):
            inside.append(schema["type"])
    else:
        inside = []
    for part in inside:
        yield from parts_of(part)


def _stripped(schema: Any, namespace: str) -> Any:
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return [_stripped(branch, namespace) for branch in schema]
    if schema["type"] in PRIMITIVES:
        return schema["type"]
    namespace = schema.get("namespace", namespace)
    kept = {key: schema[key] for key in _KEPT if key in schema}
    if "name" in kept:
        kept["name"] = f"{namespace}.{kept['name']}"
    if "fields" in kept:
        kept["fields"] = [
            {"name": field["name"], "type": _stripped(field["type"], namespace)} for field in kept["fields"]
        ]
    if "items" in kept:
        kept["items"] = _stripped(kept["items"], namespace)
    return kept
