"""The picture of a number over versions: a dot for each version that has it, and a line through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headwater_server.web.drawing.scales import Scale, Tick, number_label, number_ticks, percent, round_numbers
from headwater_server.web.views.metadata import Point

EDGE = 2.0  # percent that is free around the dots
DOTS_MAX = 120  # of more, lines alone are legible


@dataclass(frozen=True, slots=True)
class Dot:
    """One version."""

    x: str
    y: str
    version: int
    label: str  # its value


@dataclass(frozen=True, slots=True)
class PlotPicture:
    """The dots over one axis of versions, beside one of values."""

    dots: Sequence[Dot]  # the oldest first
    steps: Sequence[tuple[Dot, Dot]]  # between which there is a line
    has_large_dots: bool
    values: Sequence[Tick]
    versions: Sequence[Tick]


def draw_plot(points: Sequence[Point]) -> PlotPicture | None:
    """The picture of some points, the oldest first; None where there are none."""
    if not points:
        return None
    values = [point.value for point in points]
    x = Scale(points[0].version, points[-1].version, EDGE, 100 - EDGE)
    y = Scale(min(values), max(values), 100 - 2 * EDGE, 2 * EDGE)  # upwards
    dots = [
        Dot(percent(x.place(one.version)), percent(y.place(one.value)), one.version, number_label(one.value))
        for one in points
    ]
    numbers = sorted({round(value) for value in round_numbers(x.low, x.high)})
    versions = [Tick(percent(x.place(n)), f"v{n}") for n in numbers if x.low <= n <= x.high]
    return PlotPicture(dots, list(pairwise(dots)), len(dots) <= DOTS_MAX, number_ticks(y), versions)
