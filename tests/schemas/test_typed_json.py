"""Typed values as JSON: what is written is read again, and what somebody makes up is a value of the type or refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.typed_json import codec_of
from hypothesis import given
from hypothesis import strategies as st

Typed = tuple[Any, st.SearchStrategy[Any]]  # a type, and values of it

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
_PLAIN: list[Typed] = [
    (bool, st.booleans()),
    (int, st.integers(-(1 << 63), (1 << 63) - 1)),
    (str, _TEXT),
    (bytes, st.binary(max_size=5)),
]


class Pair(NamedTuple):
    """A record."""

    name: str
    count: int | None = None


@dataclass(frozen=True)
class Nested:
    """A record of records."""

    pairs: Sequence[Pair]
    of: Mapping[tuple[str, int], Pair]
    one: Pair | None
    later: "Pair | str | None" = None


_PAIRS = st.builds(Pair, _TEXT, st.none() | st.integers(0, 9))
_NESTED = st.builds(
    Nested,
    st.lists(_PAIRS, max_size=3),
    st.dictionaries(st.tuples(_TEXT, st.integers(0, 9)), _PAIRS, max_size=3),
    st.none() | _PAIRS,
    st.none() | _PAIRS | _TEXT,
)


def _larger(typed: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        typed.map(lambda of: (list[of[0]], st.lists(of[1], max_size=3))),  # type: ignore[name-defined]
        typed.map(lambda of: (tuple[of[0], ...], st.lists(of[1], max_size=3).map(tuple))),  # type: ignore[name-defined]
        typed.map(lambda of: (of[0], of[1]) if _may_be_none(of[0]) else (of[0] | None, st.none() | of[1])),
        st.tuples(typed, typed).map(lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))),  # type: ignore[name-defined]
        typed.map(lambda of: (dict[str, of[0]], st.dictionaries(_TEXT, of[1], max_size=3))),  # type: ignore[name-defined]
        st.tuples(typed, typed).map(_record_of),
    )


def _may_be_none(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ())


def _record_of(two: tuple[Typed, Typed]) -> Typed:
    kind = make_dataclass("Made", [("first", two[0][0]), ("second", two[1][0])], frozen=True)
    return kind, st.builds(kind, two[0][1], two[1][1])


_TYPES = st.recursive(st.sampled_from([*_PLAIN, (Pair, _PAIRS), (Nested, _NESTED)]), _larger, max_leaves=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "count", "keys", "values", "there", "pairs"]), below, max_size=4)
    ),
    max_leaves=12,
)


def sent(value: Any) -> Any:
    """As it arrives."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("value", [None, (), (None,), (Pair("a", 1), None)])
def test_a_sequence_of_records_of_which_all_may_be_missing_is_read_again(value: Any) -> None:
    codec = codec_of(tuple[Pair | None, ...] | None)
    assert codec.decode(sent(codec.write(value)), "it") == value


@given(st.data())
def test_what_is_written_is_read_again(data: st.DataObject) -> None:
    hint, values = data.draw(_TYPES)
    codec, value = codec_of(hint), data.draw(values)
    assert codec.decode(sent(codec.write(value)), "it") == value


@given(st.data())
def test_what_somebody_makes_up_is_a_value_of_the_type_or_refused(data: st.DataObject) -> None:
    hint, _ = data.draw(_TYPES)
    codec = codec_of(hint)
    try:
        value = codec.decode(data.draw(_JSON), "it")
    except InvalidInput:
        return
    assert codec.decode(sent(codec.write(value)), "it") == value


@given(st.lists(_PAIRS, min_size=1))
def test_a_record_too_few_in_one_column_is_refused(pairs: list[Pair]) -> None:
    codec = codec_of(list[Pair])
    written = codec.write(pairs)
    written["name"].pop()
    with pytest.raises(InvalidInput, match="columns of one length"):
        codec.decode(written, "it")


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (int, 1 << 63, "it is 9223372036854775808 instead of a whole number of at most 64 bits."),
        (int, True, "it is true or false instead of a number."),
        (int, 1.0, "it is 1.0 instead of a number."),
        (str, "\ud800", "it is '\\ud800' instead of text without halves of characters and without NUL."),
        (str, "a\0", "it is 'a\\x00' instead of text without halves of characters and without NUL."),
        (bytes, "/wA", "it is '/wA' instead of base64."),
        (list[int], [1, "2"], "it[1] is '2' instead of a number."),
        (list[bytes], ["/w==", None], "it[1] is null instead of text."),
        (tuple[int, str], [1], "it is a list instead of a list of 2."),
        (Pair, {"count": 1}, "it is an object instead of an object with 'name'."),
        (list[Pair], {"name": ["a", 3]}, "it.name[1] is 3 instead of text."),
        (dict[str, Pair], {"keys": ["a"], "values": {"name": []}}, "it is 0 instead of 1 values."),
        (str | int | None, [], "it is a list instead of a number or null or text."),
        (Nested, {"pairs": {}, "of": 1, "one": None}, "it.pairs is an object instead of an object with 'name'."),
    ],
)
def test_a_refusal_says_where_it_is_wrong(hint: Any, value: Any, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        codec_of(hint).decode(value, "it")
    assert str(refused.value).startswith(told)


def test_a_later_release_may_add_fields_and_an_earlier_one_lack_those_with_defaults() -> None:
    assert codec_of(Pair).decode({"name": "a", "colour": "red"}, "it") == Pair("a")
    assert codec_of(list[Pair]).decode({"name": ["a", "b"], "colour": []}, "it") == [Pair("a"), Pair("b")]


def test_a_type_that_cannot_be_told_from_another_in_its_union_has_no_form() -> None:
    with pytest.raises(TypeError):
        codec_of(str | bytes)
    with pytest.raises(TypeError):
        codec_of(set[int])
