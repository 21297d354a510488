"""Metadata and config: JSON objects in canonical form, within fixed bounds.

Canonical: sorted keys, no white space, no escapes of non-ASCII characters. Equal values have equal text.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from headwater_schemas.errors import InvalidMetadata

METADATA_BYTES_MAX = 262_144
METADATA_DEPTH_MAX = 32
KEY_SHOWN_MAX = 256  # characters, in an error
INTEGER_DIGITS_MAX = 4300  # what Python converts to text and back by default
INTEGER_MAX = 10**INTEGER_DIGITS_MAX - 1

JsonObject = dict[str, Any]


def encode(value: Mapping[str, Any], kind: str = "metadata") -> str:
    """Return the canonical JSON of `value`. Raises: InvalidMetadata, naming the invalid key."""
    if not isinstance(value, Mapping):
        raise InvalidMetadata(f"{kind} must be a dictionary, not {type(value).__name__}.")
    plain = _plain(value, kind, 1)
    text = _canonical(plain)
    if (size := len(text.encode())) > METADATA_BYTES_MAX:
        raise _too_large(plain, size, kind)
    return text


def decode(text: str) -> JsonObject:
    """Read what `encode` wrote. Raises: InvalidMetadata for anything else."""
    if (size := len(text.encode("utf-8", "replace"))) > METADATA_BYTES_MAX:
        raise InvalidMetadata(f"metadata is {size:,} bytes of JSON; at most {METADATA_BYTES_MAX:,} are allowed.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidMetadata(f"metadata is not JSON: {error}.") from None
    if not isinstance(value, dict) or encode(value) != text:
        raise InvalidMetadata(f"metadata is not a canonical JSON object: {text[:60]!r}. Write what `encode` returns.")
    return value


def merge(current: Mapping[str, Any], patch: Mapping[str, Any]) -> JsonObject:
    """Merge `patch` into `current`, key by key on every level; None removes a key (RFC 7396)."""
    merged = dict(current)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _canonical(plain: Any) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _too_large(plain: JsonObject, size: int, kind: str) -> InvalidMetadata:
    sizes = {key: len(_canonical(value).encode()) for key, value in plain.items()}
    key = max(sizes, key=sizes.__getitem__)
    most = f"{kind}[{key!r}] alone has {sizes[key]:,}: store that" if len(key) <= KEY_SHOWN_MAX else "Store it"
    return InvalidMetadata(
        f"{kind} is {size:,} bytes of JSON; at most {METADATA_BYTES_MAX:,} are stored. {most} as a file instead."
    )


def _plain(value: Any, at: str, depth: int) -> Any:
    if depth > METADATA_DEPTH_MAX:
        raise InvalidMetadata(f"{at} is nested deeper than {METADATA_DEPTH_MAX} levels. Flatten it.")
    if isinstance(value, str):
        return _text(value, at)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value, at)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidMetadata(f"{at} is {value!r}, which JSON cannot hold. Use a string or leave it out.")
        return value
    if isinstance(value, Mapping):
        return {_key(key, at): _plain(below, f"{at}[{key!r}]", depth + 1) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below, f"{at}[{i}]", depth + 1) for i, below in enumerate(value)]
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", None) == 0:
        item = value.item()  # a NumPy scalar or 0-d array
        if type(item) is not type(value):  # a long double returns itself
            return _plain(item, at, depth)
    raise InvalidMetadata(f"{at} is a {type(value).__name__}, which JSON cannot hold. Convert it first.")


def _integer(number: int, at: str) -> int:
    if abs(number) > INTEGER_MAX:
        raise InvalidMetadata(f"{at} is an integer of more than {INTEGER_DIGITS_MAX:,} digits. Store it as text.")
    return number


def _key(key: Any, at: str) -> str:
    if not isinstance(key, str):
        raise InvalidMetadata(f"{at} has the key {key!r}, a {type(key).__name__}. JSON keys are text.")
    return _text(key, at)


def _text(text: str, at: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidMetadata(f"{at} holds text that is not valid Unicode: {text!r}.") from None
    return str.__str__(text)  # its characters; str() of an enumeration's member would be its name
