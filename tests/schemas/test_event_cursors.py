"""Cursors of version events: text that comes back as it was, and nothing else."""

import base64

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.event_cursors import WHOLE, EventCursor
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX, PARTITIONS_MAX
from headwater_schemas.positions import Cut, position_number
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies

KEYS = st.tuples(
    st.integers(0, PARTITIONS_MAX - 1),
    st.integers(0, EPOCHS_MAX - 1),
    st.integers(0, OFFSETS_MAX - 1),
    st.integers(0, 300) | st.just(WHOLE),
)
LOG = "0123456789abcdef0123456789abcdef"


@given(generation=strategies.texts(), keys=st.lists(KEYS, max_size=6))
def test_a_cursor_comes_back_from_its_text(generation: str, keys: list[tuple[int, int, int, int]]) -> None:
    reached = {
        partition: (position_number(epoch, partition, offset), index) for partition, epoch, offset, index in keys
    }
    cursor = EventCursor(generation, reached)

    assert EventCursor.decode(cursor.encode()) == cursor


def test_the_cursor_of_many_partitions_is_short() -> None:
    reached = {partition: (position_number(0, partition, 1_000_000), 1) for partition in range(32)}

    assert len(EventCursor(LOG, reached).encode()) <= 50 + 8 * 32


def text_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@given(content=st.binary(max_size=40))
def test_no_bytes_make_anything_but_a_cursor_or_a_refusal(content: bytes) -> None:
    try:
        cursor = EventCursor.decode(text_of(content))
    except InvalidInput:
        return
    assert cursor.encode() == text_of(content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latest",
        "e30",
        "ü",
        Cut(LOG, {0: 5}).encode(),
        text_of(b"\1"),
        text_of(b"\1\5log"),
        text_of(b"\2\3log"),
        text_of(b"\1\3log\0"),
        text_of(b"\1\3log\0\0"),
        text_of(b"\1\3log\0\0\x80\0"),
        text_of(b"\1\3log\0" + b"\xff" * 20),
        text_of(b"\1\3log\xff\xff\x7f\0\0"),
        EventCursor("log", {0: (5, 0)}).encode() + "=",
        EventCursor("log", {0: (5, 0)}).encode() + "A",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a cursor"):
        EventCursor.decode(text)
