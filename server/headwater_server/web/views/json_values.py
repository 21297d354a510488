"""Metadata, config and summaries as pages show them: flat, key by key, and no value longer than a person reads."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

KEYS_MAX = 500  # of one object that are shown
TEXT_LENGTH_MAX = 2000  # characters of one value that are shown


@dataclass(frozen=True, slots=True)
class Value:
    """What is at one key."""

    key: str  # "outer.inner"
    text: str  # as JSON, but for a text, which is shown as it is
    kind: str  # "text", "number", "truth", "nothing", "list" or "object"
    is_cut: bool  # the text is longer


@dataclass(frozen=True, slots=True)
class Values:
    """An object, key by key."""

    values: list[Value]
    more: int  # values that are left out; counting stops at KEYS_MAX


def values_of(text: str) -> Values:
    """The values of a JSON object: those of objects in it by their keys, one after the other."""
    found = list(islice(flat(json.loads(text)), 2 * KEYS_MAX))
    return Values([value_of(key, value) for key, value in found[:KEYS_MAX]], max(0, len(found) - KEYS_MAX))


def value_of(key: str, value: Any, length_max: int = TEXT_LENGTH_MAX) -> Value:
    """A value as it is shown."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Value(key, text[:length_max], _kind(value), len(text) > length_max)


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(key, value) of everything in an object that is no object with something in it."""
    if isinstance(value, dict) and (value or not key):
        for name, one in value.items():
            yield from flat(one, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"
