"""Metadata and config: JSON objects in canonical form, within fixed bounds.

Canonical: sorted keys, no white space, no escapes of non-ASCII characters. Equal values have equal text.

The projector decodes what others wrote, so what is valid, and the words of each refusal, depend on the text alone: not
on the release of Python, its settings or the depth of the stack.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from headwater_schemas.errors import InvalidMetadata
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.library_values import is_missing_in_pandas, is_scalar, is_time, to_python
from headwater_schemas.limits import INTEGER_DIGITS_MAX, METADATA_BYTES_MAX, METADATA_DEPTH_MAX

KEY_SHOWN_MAX = 256  # characters, in an error
TEXT_SHOWN_MAX = 60  # characters, in an error
INTEGER_MAX = 10**INTEGER_DIGITS_MAX - 1
EMPTY = "{}"  # what `encode` returns for nothing
CHECKED_KEPT_MAX = 64  # texts that are known to be canonical,
CHECKED_LENGTH_MAX = 16_384  # of at most so many characters

JsonObject = dict[str, Any]
_Place = tuple[object, ...]  # what a value belongs to: "metadata" or such, then keys and indexes

_to_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

# A string, as far as it goes, or a bracket. Never backtracks: a hostile text costs no more than its length.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def encode(value: Mapping[str, Any], kind: str = "metadata") -> str:
    """Return the canonical JSON of `value`. Raises: InvalidMetadata, naming the invalid key."""
    if not isinstance(value, Mapping):
        raise InvalidMetadata(f"{kind} must be a dictionary, not {type(value).__name__}.")
    if not value:
        return EMPTY
    plain = _plain(value, (kind,), 1)
    text = _to_canonical(plain)
    if (size := len(text.encode())) > METADATA_BYTES_MAX:
        raise _too_large(plain, size, kind)
    return text


def decode(text: str) -> JsonObject:
    """Read what `encode` wrote. Raises: InvalidMetadata for anything else."""
    if text == EMPTY:
        return {}
    if (size := len(text.encode("utf-8", "replace"))) > METADATA_BYTES_MAX:
        raise InvalidMetadata(f"metadata is {size:,} bytes of JSON; at most {METADATA_BYTES_MAX:,} are allowed.")
    if _is_too_deep(text):
        raise _too_deep("metadata")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError:  # what it says differs between releases of Python
        raise _not_canonical(text) from None
    if not isinstance(value, dict) or encode(value) != text:
        raise _not_canonical(text)
    return value


def check(text: str) -> None:
    """Raises: InvalidMetadata for anything that `encode` did not write. The last texts are known: runs that one process
    starts have the same environment.
    """
    if len(text) <= CHECKED_LENGTH_MAX:
        _check_once(text)
    else:
        decode(text)


@lru_cache(CHECKED_KEPT_MAX)
def _check_once(text: str) -> None:
    decode(text)


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


def _is_too_deep(text: str) -> bool:
    """Whether brackets outside strings are nested too deep, which a parser would notice by its stack."""
    if text.count("{") + text.count("[") <= METADATA_DEPTH_MAX:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth > METADATA_DEPTH_MAX:
            return True
    return False


def _parse_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > INTEGER_DIGITS_MAX:
        raise _integer_too_long("metadata")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_parse_integer)


def _not_canonical(text: str) -> InvalidMetadata:
    shown = quoted(text, TEXT_SHOWN_MAX)
    return InvalidMetadata(f"metadata is not a canonical JSON object: {shown}. Write what `encode` returns.")


def _too_deep(at: str) -> InvalidMetadata:
    return InvalidMetadata(f"{at} is nested deeper than {METADATA_DEPTH_MAX} levels. Flatten it.")


def _integer_too_long(at: str) -> InvalidMetadata:
    return InvalidMetadata(f"{at} is an integer of more than {INTEGER_DIGITS_MAX:,} digits. Store it as text.")


def _too_large(plain: JsonObject, size: int, kind: str) -> InvalidMetadata:
    sizes = {key: len(_to_canonical(value).encode()) for key, value in plain.items()}
    key = max(sizes, key=sizes.__getitem__)
    most = f"{kind}[{quoted(key)}] alone has {sizes[key]:,}: store that" if len(key) <= KEY_SHOWN_MAX else "Store it"
    return InvalidMetadata(
        f"{kind} is {size:,} bytes of JSON; at most {METADATA_BYTES_MAX:,} are stored. {most} as a file instead."
    )


def _plain(value: Any, at: _Place, depth: int) -> Any:
    if depth > METADATA_DEPTH_MAX:
        raise _too_deep(_shown(at))
    if isinstance(value, str):
        return _text(value, at)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value, at)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidMetadata(f"{_shown(at)} is {value}, which JSON cannot hold. Use a string or leave it out.")
        return value
    if isinstance(value, Mapping):
        return {_key(key, at): _plain(below, (*at, key), depth + 1) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below, (*at, i), depth + 1) for i, below in enumerate(value)]
    if is_missing_in_pandas(value):
        return None
    if is_scalar(value):
        item = to_python(value)
        if item is None or not (is_time(value) or type(item) is type(value)):  # a long double is itself
            return _plain(item, at, depth)
    raise InvalidMetadata(f"{_shown(at)} is {_kind(value)}, which JSON cannot hold. Convert it first.")


def _integer(number: int, at: _Place) -> int:
    if abs(number) > INTEGER_MAX:
        raise _integer_too_long(_shown(at))
    return number


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _key(key: Any, at: _Place) -> str:
    if not isinstance(key, str):
        raise InvalidMetadata(f"{_shown(at)} has the key {key!a:.100}, {_kind(key)}. JSON keys are text.")
    return _text(key, at)


def _text(text: str, at: _Place) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = quoted(text, TEXT_SHOWN_MAX)
        raise InvalidMetadata(f"{_shown(at)} holds text that is not valid Unicode: {shown}.") from None
    return str.__str__(text)  # its characters; str() of an enumeration's member would be its name


def _shown(at: _Place) -> str:
    """`metadata['a'][0]`"""
    kind, *steps = at
    keys = (quoted(str.__str__(step), KEY_SHOWN_MAX) if isinstance(step, str) else step for step in steps)
    return "".join((str(kind), *(f"[{key}]" for key in keys)))
