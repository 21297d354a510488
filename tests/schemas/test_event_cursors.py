"""Cursors of version events: text that comes back as it was, and nothing else."""

import pytest
from headwater_schemas import opaque_texts
from headwater_schemas.errors import InvalidInput
from headwater_schemas.event_cursors import NUMBERS_MAX, EventCursor
from headwater_schemas.positions import position_number
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies

KEYS = st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 1 << 40), st.integers(0, 300))


@given(generation=strategies.texts(), keys=st.lists(KEYS, max_size=6))
def test_a_cursor_comes_back_from_its_text(generation: str, keys: list[tuple[int, int, int, int]]) -> None:
    reached = {
        partition: (position_number(epoch, partition, offset), index) for partition, epoch, offset, index in keys
    }
    cursor = EventCursor(generation, reached)

    assert EventCursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "e30",
        opaque_texts.encode(["log"]),
        opaque_texts.encode(["log", [[0]]]),
        opaque_texts.encode(["log", [[-1, 0]]]),
        opaque_texts.encode(["log", [[0, NUMBERS_MAX]]]),
        opaque_texts.encode(["log", [[0, 0], [1, 0]]]),
        opaque_texts.encode(["log", [[0, 0.5]]]),
        opaque_texts.encode(["log", {"0": 0}]),
        opaque_texts.encode([1, []]),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a cursor"):
        EventCursor.decode(text)
