"""Where things are in the pictures that the server draws, whatever there is to draw."""

import pytest
from headwater_server.web.drawing.plot import draw_plot
from headwater_server.web.drawing.scales import TICKS_MAX, Scale, number_ticks, round_numbers, time_ticks
from headwater_server.web.drawing.timeline import draw_timeline
from headwater_server.web.views.alias_timeline import Lane, Move, Timeline
from headwater_server.web.views.metadata import Point
from hypothesis import example, given
from hypothesis import strategies as st

HOUR_US = 3600 * 1_000_000
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def percents(*texts: str) -> list[float]:
    assert all(text.endswith("%") for text in texts)
    return [float(text[:-1]) for text in texts]


def timeline(*lanes: tuple[str, list[tuple[int | None, int]]]) -> Timeline:
    made = [
        Lane(alias, [Move(alias, version, None, time_us, "ada", None) for version, time_us in moves], False)
        for alias, moves in lanes
    ]
    return Timeline(made, False, None, (), None, False)


# --- scales


@given(NUMBERS, NUMBERS)
@example(0.0, 5e-324)  # of which a fifth is nothing
@example(0.0, 2e-323)
def test_ticks_are_few_round_and_within_the_axis(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)

    found = round_numbers(low, high)

    assert 1 <= len(found) <= TICKS_MAX + 1
    assert all(low <= value <= high for value in found)
    assert list(found) == sorted(set(found))
    assert all(0 <= place <= 100 for place in percents(*[tick.at for tick in number_ticks(Scale(low, high))]))


def test_ticks_are_where_people_expect_them() -> None:
    assert round_numbers(0, 1) == [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
    assert round_numbers(-3, 97) == [0, 20, 40, 60, 80]
    assert round_numbers(5, 5) == [5]
    assert [tick.label for tick in number_ticks(Scale(0, 1))] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_times_have_ticks_within_any_span(start: int, span: int) -> None:
    scale = Scale(start, start + span)
    found = time_ticks(scale)
    assert len(found) <= TICKS_MAX
    assert all(0 <= place <= 100 for place in percents(*[tick.at for tick in found]))


def test_a_day_has_ticks_at_full_hours() -> None:
    assert [tick.label for tick in time_ticks(Scale(0, 24 * HOUR_US))] == [
        "1 Jan 00:00",
        "1 Jan 06:00",
        "1 Jan 12:00",
        "1 Jan 18:00",
        "2 Jan 00:00",
    ]


# --- the timeline


def test_bars_follow_each_other_up_to_now() -> None:
    drawn = draw_timeline(timeline(("prod", [(0, 0), (3, 6 * HOUR_US), (None, 9 * HOUR_US)])), 12 * HOUR_US)

    assert drawn is not None
    (lane,) = drawn.lanes
    assert [(stay.version, stay.holds) for stay in lane.stays] == [(0, False), (3, False)]
    first, second = lane.stays
    (x1, w1), (x2, w2) = percents(first.x, first.width), percents(second.x, second.width)
    assert x1 + w1 == pytest.approx(x2, abs=0.01)
    assert w1 == pytest.approx(2 * w2, abs=0.01)
    assert x2 + w2 < 100  # it was removed, and nothing holds now


def test_nothing_that_moved_is_nothing_to_draw() -> None:
    assert draw_timeline(timeline()) is None
    assert draw_timeline(timeline(("prod", []))) is None


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=3),
            st.lists(st.tuples(st.none() | st.integers(0, 9), st.integers(0, 2**52)), max_size=8),
        ),
        max_size=4,
    ),
    st.integers(0, 2**52),
)
def test_every_bar_is_in_the_picture(lanes: list[tuple[str, list[tuple[int | None, int]]]], now_us: int) -> None:
    in_order = [(name, sorted(moves, key=lambda move: move[1])) for name, moves in lanes]
    drawn = draw_timeline(timeline(*in_order), now_us)
    for lane in drawn.lanes if drawn is not None else ():
        for stay in lane.stays:
            x, width = percents(stay.x, stay.width)
            assert x >= 0
            assert width > 0
            assert x + width <= 100.01


# --- the plot


@given(st.dictionaries(st.integers(0, 10**18), NUMBERS, min_size=1, max_size=20))
def test_every_dot_is_in_the_picture(values: dict[int, float]) -> None:
    drawn = draw_plot([Point(version, value) for version, value in sorted(values.items())])

    assert drawn is not None
    assert [dot.version for dot in drawn.dots] == sorted(values)
    assert all(0 <= place <= 100 for dot in drawn.dots for place in percents(dot.x, dot.y))
    assert len(drawn.steps) == len(values) - 1


def test_greater_numbers_are_higher_and_later_versions_further_right() -> None:
    drawn = draw_plot([Point(1, 0.5), Point(2, 2.0), Point(9, 1.0)])

    assert drawn is not None
    xs, ys = (percents(*[getattr(dot, axis) for dot in drawn.dots]) for axis in "xy")
    assert xs == sorted(xs)
    assert ys[1] < ys[2] < ys[0]
    assert draw_plot([]) is None
