"""Positions and cuts."""

import base64
import re

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX, PARTITIONS_MAX
from headwater_schemas.positions import (
    BEFORE_FIRST,
    Cut,
    Position,
    position_number,
    position_of,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import strategies

PARTITIONS = st.integers(0, 3) | st.integers(0, PARTITIONS_MAX - 1)
EPOCHS = st.integers(0, 3) | st.integers(0, EPOCHS_MAX - 1)
OFFSETS = st.integers(0, OFFSETS_MAX - 1)
POSITIONS = st.builds(Position, EPOCHS, PARTITIONS, OFFSETS)
CUTS = st.builds(
    Cut, strategies.texts(), st.dictionaries(PARTITIONS, st.integers(BEFORE_FIRST, OFFSETS_MAX - 1), max_size=6)
)


def spelled(body: str) -> str:
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


@given(one=POSITIONS, other=POSITIONS)
def test_numbers_of_positions_are_unique_and_in_order_of_partition_epoch_and_offset(
    one: Position, other: Position
) -> None:
    def order(position: Position) -> tuple[int, int, int]:
        return position.partition, position.epoch, position.offset

    assert (one.number < other.number) == (order(one) < order(other))
    assert 0 <= one.number < 1 << 63
    assert position_of(one.number) == one
    assert position_number(one.epoch, one.partition, one.offset) == one.number


@given(cut=CUTS)
def test_a_cut_survives_being_text(cut: Cut) -> None:
    text = cut.encode()

    assert Cut.decode(text) == cut
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)


@given(cut=CUTS)
def test_equal_cuts_have_equal_text(cut: Cut) -> None:
    backwards = Cut(cut.generation, dict(reversed([*cut.offsets.items()])))

    assert backwards.encode() == cut.encode()


@given(positions=st.lists(POSITIONS, max_size=6))
def test_a_cut_includes_the_farthest_of_each_partition(positions: list[Position]) -> None:
    cut = Cut("g")
    for position in positions:
        cut = cut.including(position)

    partitions = {position.partition for position in positions}
    assert cut.offsets == {p: max(q.offset for q in positions if q.partition == p) for p in partitions}


def test_a_cut_that_includes_more_leaves_the_old_one_as_it_was() -> None:
    cut = Cut("g", {0: 5})

    assert cut.including(Position(0, 0, 7)).including(Position(0, 1, 0)) == Cut("g", {0: 7, 1: 0})
    assert cut == Cut("g", {0: 5})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "é",
        "A",
        spelled("not json"),
        spelled("{}"),
        spelled('{"a":1,"":2}'),
        spelled("5"),
        spelled('["g"]'),
        spelled('["g",null]'),
        spelled('["g",[[0]]]'),
        spelled('["g",[["x",1]]]'),
        spelled("[1,[]]"),
        spelled('["g",[[0,1.5]]]'),
        spelled('["g",[[true,1]]]'),
        spelled('["g",[[0,Infinity]]]'),
        spelled('["g",[[0,NaN]]]'),
        spelled('["g",[[0,"7"]]]'),
        spelled('["g",[[1,1],[0,1]]]'),
        spelled('["g",[[0,1],[0,2]]]'),
        spelled('["g", []]'),
        spelled('["g",[[-1,0]]]'),
        spelled(f'["g",[[{PARTITIONS_MAX},0]]]'),
        spelled('["g",[[0,-2]]]'),
        spelled(f'["g",[[0,{OFFSETS_MAX}]]]'),
        spelled('["g",[[0,' + "9" * 5000 + "]]]"),
        spelled("[" * 100_000),
        Cut("g", {0: 1}).encode() + "=",
        Cut("g", {0: 1}).encode() + "\n",
    ],
    ids=range(29),
)
def test_text_that_no_cut_encodes_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not a cut\. Pass one that a write or a read returned"):
        Cut.decode(text)


@given(text=st.text(max_size=30) | st.text('[]",0123456789g-.eE {}', max_size=30).map(spelled))
@example(text=spelled('["g",[]]'))
def test_any_text_is_a_cuts_own_or_refused(text: str) -> None:
    try:
        cut = Cut.decode(text)
    except InvalidInput:
        return

    assert cut.encode() == text
