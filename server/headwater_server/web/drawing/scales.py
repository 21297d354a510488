"""Where numbers and times are along an axis, in percent, and where it has ticks."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

TICKS_MAX = 5
LATE = 70.0  # percent

_MINUTE_US = 60 * 1_000_000
_HOUR_US, _DAY_US = 60 * _MINUTE_US, 24 * 60 * _MINUTE_US
_TIME_STEPS = (
    *(minutes * _MINUTE_US for minutes in (1, 5, 15, 30)),
    *(hours * _HOUR_US for hours in (1, 3, 6, 12)),
    *(days * _DAY_US for days in (1, 2, 7, 14, 30, 60, 90, 182, 365, 730, 1826, 3652)),
)
_SECONDS_MAX = 253_402_300_799  # the end of the calendar


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis."""

    at: str  # percent of its length
    label: str
    is_late: bool = False  # so far along the axis that its label has to end there


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, of which the first is at `start` percent and the other at `end`."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def place(self, value: float) -> float:
        """Percent of the length of the axis."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        part = value / (self.high - self.low) - self.low / (self.high - self.low)
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)


def percent(value: float) -> str:
    """As SVG has it."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def number_ticks(scale: Scale) -> list[Tick]:
    """At round numbers, TICKS_MAX at most."""
    values = round_numbers(scale.low, scale.high)
    return [Tick(percent(scale.place(value)), number_label(value)) for value in values]


def round_numbers(low: float, high: float) -> Sequence[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers; the one number there is where they are equal."""
    span = high - low
    if not sys.float_info.min * TICKS_MAX <= span < math.inf:  # the least of which a part is as exact as itself
        return [low]
    power = 10.0 ** math.floor(math.log10(span / TICKS_MAX))
    step = next((factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= TICKS_MAX), 10 * power)
    if step == 0 or low + step == low:  # closer together than numbers are
        return [low]
    first = math.ceil(low / step)
    found = [step * n for n in range(first, first + TICKS_MAX + 1) if low <= step * n <= high]
    return found or [low]


def number_label(value: float) -> str:
    """Short: 1500000 → "1.5e+06", 0.30000000000000004 → "0.3"."""
    return f"{value:.4g}"


def time_ticks(scale: Scale) -> list[Tick]:
    """At round times of UTC, TICKS_MAX at most."""
    span = scale.high - scale.low
    step = next((one for one in _TIME_STEPS if span / one < TICKS_MAX), None)
    if step is None or span <= 0:
        return []
    form = "%-d %b %H:%M" if step < _DAY_US else "%-d %b %Y"
    first = -int(-scale.low // step)
    times = (n * step for n in range(first, first + TICKS_MAX + 1) if n * step <= scale.high)
    places = ((scale.place(time_us), f"{_calendar(time_us):{form}}") for time_us in times)
    return [Tick(percent(place), label, place > LATE) for place, label in places]


def _calendar(time_us: float) -> datetime:
    return datetime.fromtimestamp(min(time_us / 1_000_000, _SECONDS_MAX), UTC)
