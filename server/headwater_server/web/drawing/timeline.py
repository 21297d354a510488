"""The picture of what aliases were on: a lane for each, with a bar for each stay on a version."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from headwater_server.web.drawing.scales import Scale, Tick, percent, time_ticks
from headwater_server.web.views.alias_timeline import Lane, Timeline

WIDTH_MIN = 0.4  # percent, so that a short stay is seen
EDGE = 1.0  # percent that is free beside the first bar
SHORTEST_US = 60 * 1_000_000  # of the whole picture


@dataclass(frozen=True, slots=True)
class Stay:
    """An alias on one version, for a while."""

    x: str
    width: str
    version: int
    since_us: int
    author: str
    holds: bool  # it is there now
    is_even: bool  # bars take turns, so that neighbours are told apart


@dataclass(frozen=True, slots=True)
class LanePicture:
    """The bars of one alias, the first one first."""

    alias: str
    stays: Sequence[Stay]
    is_cut: bool  # it was moved before the first bar, too


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """All lanes over one axis of time, up to now."""

    lanes: Sequence[LanePicture]
    ticks: Sequence[Tick]


def draw_timeline(timeline: Timeline, now_us: int | None = None) -> TimelinePicture | None:
    """The picture of a timeline; None where nothing ever moved."""
    starts = [lane.moves[0].time_us for lane in timeline.lanes if lane.moves]
    if not starts:
        return None
    ends = [lane.moves[-1].time_us for lane in timeline.lanes if lane.moves]
    end = max(time.time_ns() // 1000 if now_us is None else now_us, *ends)
    scale = Scale(min(*starts, end - SHORTEST_US), end, start=EDGE)
    lanes = [_lane(lane, scale) for lane in timeline.lanes if lane.moves]
    return TimelinePicture(lanes, time_ticks(scale))


def _lane(lane: Lane, scale: Scale) -> LanePicture:
    ends = [*[move.time_us for move in lane.moves[1:]], None]
    stays = []
    for n, (move, end_us) in enumerate(zip(lane.moves, ends, strict=True)):
        if move.version is None:
            continue
        x = scale.place(move.time_us)
        width = max(WIDTH_MIN, scale.place(scale.high if end_us is None else end_us) - x)
        x = min(x, 100 - width)
        stays.append(
            Stay(percent(x), percent(width), move.version, move.time_us, move.author, end_us is None, n % 2 == 0)
        )
    return LanePicture(lane.alias, stays, lane.is_cut)
