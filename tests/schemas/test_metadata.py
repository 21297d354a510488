"""Metadata and config: one spelling, within bounds, and errors that name the key."""

import enum
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidMetadata
from headwater_schemas.limits import METADATA_BYTES_MAX, METADATA_DEPTH_MAX
from headwater_schemas.metadata import INTEGER_MAX, decode, encode, merge
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies


class Colour(str, enum.Enum):  # noqa: UP042 - a StrEnum is its own text; what users have often is not
    """A text with a name of its own."""

    RED = "red"


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = 3


@given(value=strategies.json_objects())
def test_what_is_encoded_decodes_to_the_same(value: dict[str, Any]) -> None:
    assert decode(encode(value)) == value


@given(value=strategies.json_objects(), random=st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    shuffled = dict(random.sample(sorted(value.items()), len(value)))

    assert encode(shuffled) == encode(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": [1.5, None, True]}, '{"a":[1.5,null,true],"b":1}'),
        ({"größe": "é\n"}, '{"größe":"é\\n"}'),
        (MappingProxyType({"a": (1, 2)}), '{"a":[1,2]}'),
        (
            {"a": np.float64(0.5), "b": np.int8(-3), "c": np.bool_(True), "d": np.array(7)},
            '{"a":0.5,"b":-3,"c":true,"d":7}',
        ),
        ({"a": np.float32(0.5), "b": np.str_("x")}, '{"a":0.5,"b":"x"}'),
        ({"a": Colour.RED, Colour.RED: Level.HIGH}, '{"a":"red","red":3}'),
        ({"a": np.ma.masked, "b": np.ma.array(7.5, mask=True), "c": np.ma.array(7.5)}, '{"a":null,"b":null,"c":7.5}'),
        ({"a": np.ma.array([(1, 2)], mask=[(1, 0)], dtype="i4,i4")[0]}, '{"a":[null,2]}'),
        ({"a": np.datetime64("NaT"), "b": np.array(np.timedelta64("NaT", "ns"))}, '{"a":null,"b":null}'),
        ({"a": pd.NA, "b": [pd.NaT], "c": pd.array([1, None])[1]}, '{"a":null,"b":[null],"c":null}'),
        ({"a": INTEGER_MAX}, '{"a":' + "9" * 640 + "}"),
        ({"a": -INTEGER_MAX}, '{"a":-' + "9" * 640 + "}"),
    ],
    ids=range(13),
)
def test_values_have_one_canonical_spelling(value: Mapping[str, Any], text: str) -> None:
    assert encode(value) == text
    assert encode(decode(text)) == text


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"loss": float("nan")}, r"metadata\['loss'\] is nan, which JSON cannot hold"),
        ({"a": [{"b": float("-inf")}]}, r"metadata\['a'\]\[0\]\['b'\] is -inf"),
        ({"a": np.float32("inf")}, r"metadata\['a'\] is inf"),
        ({"a": {1: 2}}, r"metadata\['a'\] has the key 1, an int"),
        ({None: 1}, "metadata has the key None, a NoneType"),
        ({"when": datetime(2025, 1, 1)}, r"metadata\['when'\] is a datetime"),
        ({"a": {1, 2}}, r"metadata\['a'\] is a set"),
        ({"a": b"x"}, r"metadata\['a'\] is a bytes"),
        ({"a": 1j}, r"metadata\['a'\] is a complex"),
        ({"weights": np.zeros(3)}, r"metadata\['weights'\] is a ndarray"),
        ({"losses": np.ma.array([1.0, 2.0], mask=[0, 1])}, r"metadata\['losses'\] is a MaskedArray"),
        ({"a": np.datetime64(1, "ns")}, r"metadata\['a'\] is a datetime64"),
        ({"a": np.array(np.timedelta64(1, "Y"))}, r"metadata\['a'\] is a ndarray"),
        ({"a": pd.Timestamp("2020-01-01")}, r"metadata\['a'\] is a Timestamp"),
        ({"a": np.longdouble(1)}, r"metadata\['a'\] is a longdouble"),
        ({"a": np.array(np.longdouble(1))}, r"metadata\['a'\] is a longdouble"),
        ({"a": 10**640}, r"metadata\['a'\] is an integer of more than 640 digits"),
        ({"a": "\ud800"}, r"metadata\['a'\] holds text that is not valid Unicode"),
        ({"\ud800": 1}, "metadata holds text that is not valid Unicode"),
        ({"a": lambda: None}, r"metadata\['a'\] is a function"),
        ({"a": object()}, r"metadata\['a'\] is an object"),
        ([], "metadata must be a dictionary, not list"),
        (None, "metadata must be a dictionary, not NoneType"),
        ({"a": "x" * METADATA_BYTES_MAX}, "metadata is 262,152 bytes of JSON; at most 262,144"),
        ({"a": [1], "b": ["é" * 131_073], "c": "x"}, r"metadata\['b'\] alone has 262,150: store that as a file"),
        ({"x" * METADATA_BYTES_MAX: 1}, "at most 262,144 are stored. Store it as a file"),
    ],
    ids=range(26),
)
def test_what_json_cannot_hold_is_refused_with_its_key(value: Any, named: str) -> None:
    with pytest.raises(InvalidMetadata, match=named):
        encode(value)


def test_an_error_names_what_the_value_was_given_as() -> None:
    with pytest.raises(InvalidMetadata, match=r"config\['rate'\] is nan"):
        encode({"rate": float("nan")}, "config")


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = {"a": value}
    return {"a": value} if depth == 1 else value


def test_depth_is_bounded() -> None:
    assert decode(encode(nested(METADATA_DEPTH_MAX))) == nested(METADATA_DEPTH_MAX)

    with pytest.raises(InvalidMetadata, match="is nested deeper than 32 levels"):
        encode(nested(METADATA_DEPTH_MAX + 1))


def test_a_value_that_holds_itself_is_too_deep() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = [loop]

    with pytest.raises(InvalidMetadata, match="nested deeper"):
        encode(loop)


def test_size_at_the_limit_is_taken() -> None:
    value = {"a": "x" * (METADATA_BYTES_MAX - len('{"a":""}'))}

    assert len(encode(value)) == METADATA_BYTES_MAX
    assert decode(encode(value)) == value


def test_what_was_given_is_not_changed() -> None:
    value: dict[str, Any] = {"a": (1, {"b": np.int64(2)})}

    encode(value)

    assert value == {"a": (1, {"b": 2})}
    assert isinstance(value["a"], tuple)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "1",
        "null",
        '{"a":1} ',
        '{"a": 1}',
        '{"b":1,"a":2}',
        '{"a":1,"a":1}',
        '{"a":NaN}',
        '{"a":1e400}',
        '{"a":1E2}',
        '{"a":"\\u00e9"}',
        '{"a":"\\ud800"}',
        '{"a":"\ud800"}',
        '{"a":' * 40 + "1" + "}" * 40,
        '{"a":' + "[" * 100_000,
        '{"a":' + "1" * 641 + "}",
        '{"a":-' + "1" * 100_000 + "}",
        '{"a":"' + '\\"' * 100_000,
        '{"a":"' + '"' * 100_000,
        '{"a":' + "]" * 100_000 + "[" * 40,
        '{"a":1,}',
        "\ufeff{}",
        '{"a":"' + "x" * METADATA_BYTES_MAX + '"}',
    ],
    ids=range(25),
)
def test_text_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(InvalidMetadata, match="metadata"):
        decode(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1,}', "metadata is not a canonical JSON object: '{\"a\":1,}'. Write what `encode` returns."),
        ("", "metadata is not a canonical JSON object: ''. Write what `encode` returns."),
        ('{"a":NaN}', "metadata['a'] is nan, which JSON cannot hold. Use a string or leave it out."),
        ("[" * 33, "metadata is nested deeper than 32 levels. Flatten it."),
        ('{"a":' + "[" * 200_000, "metadata is nested deeper than 32 levels. Flatten it."),
        ('{"a":' + "9" * 641 + "}", "metadata is an integer of more than 640 digits. Store it as text."),
        ('{"\\ud800":1}', r"metadata holds text that is not valid Unicode: '\ud800'."),
        (
            '{"\U0001fae8":',
            r"""metadata is not a canonical JSON object: '{"\U0001fae8":'. Write what `encode` returns.""",
        ),
    ],
    ids=range(8),
)
def test_every_refusal_has_words_of_its_own_and_none_of_a_library(text: str, message: str) -> None:
    with pytest.raises(InvalidMetadata) as refused:
        decode(text)

    assert str(refused.value) == message


def test_neither_the_depth_of_the_stack_nor_the_limit_of_digits_decides() -> None:
    texts = [encode(nested(METADATA_DEPTH_MAX)), "[" * 33, encode({"a": INTEGER_MAX}), '{"a":' + "9" * 641 + "}"]
    expected = [outcome(text) for text in texts]
    digits = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(sys.int_info.str_digits_check_threshold)
        assert [outcome(text) for text in texts] == expected
    finally:
        sys.set_int_max_str_digits(digits)

    assert at_depth(sys.getrecursionlimit() - 150, lambda: [outcome(text) for text in texts]) == expected


def outcome(text: str) -> object:
    try:
        return decode(text)
    except InvalidMetadata as refused:
        return str(refused)


def at_depth(depth: int, act: Callable[[], object]) -> object:
    """The result of `act`, called from so many frames."""
    return deeper(depth - len(inspect.stack(0)), act)


def deeper(frames: int, act: Callable[[], object]) -> object:
    return deeper(frames - 1, act) if frames > 0 else act()


def test_brackets_in_strings_are_no_depth() -> None:
    value = {"a": "[" * 100, '"[{\\': ["]" * 100]}

    assert decode(encode(value)) == value


@given(text=st.text(max_size=60) | st.text('{}[]",:019.eE-aNtrue \\u', max_size=30))
def test_any_text_is_canonical_or_refused(text: str) -> None:
    try:
        value = decode(text)
    except InvalidMetadata:
        return

    assert encode(value) == text


@pytest.mark.parametrize(
    ("current", "patch", "merged"),
    [
        # Source: RFC 7396, appendix A, as far as both sides are objects.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_laid_over_key_by_key(current: Any, patch: Any, merged: Any) -> None:
    before = json.dumps([current, patch])

    assert merge(current, patch) == merged
    assert json.dumps([current, patch]) == before


@given(current=strategies.json_objects(), patch=strategies.json_objects())
def test_laying_a_patch_over_twice_changes_nothing_more(current: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(current, patch)

    assert merge(once, patch) == once
    assert metadata.encode(merge(current, {})) == metadata.encode(current)
