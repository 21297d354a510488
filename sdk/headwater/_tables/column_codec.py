"""Which kind a column of a table is, and how its values are turned for Parquet and back.

A column whose values are all of one type gets a kind of that type where the way there and back loses nothing; any other
is `json`, the canonical text of each cell. Names of kinds are written into files: they are final. pyarrow's types for
them are in `parquet`.

    null bool int float text bytes date time    as they are
    timedelta                                   microseconds, as integers
    datetime                                    without a zone, in microseconds
    datetime:ZONE                               moments in UTC, shown in ZONE: UTC, +02:00, Europe/Berlin
    decimal:SCALE                               with so many digits after the point, on every value
    list:KIND                                   lists of values of one kind
    json                                        anything else

None is Parquet's null in all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any

from headwater._tables.canonical import name_of_zone, spell, unspell, zone_of

LIST_DEPTH_MAX = 4  # of lists as Parquet's own; deeper ones are JSON
DECIMAL_DIGITS_MAX = 38  # what Parquet's 128 bits hold
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_MICROSECOND = timedelta(microseconds=1)
_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)


class UnknownKind(ValueError):
    """A file names a kind that this release does not know."""


@dataclass(frozen=True, slots=True)
class Turning:
    """How a value that is not None is turned for Parquet, and back; None where it goes as it is."""

    pack: Callable[[Any], Any] | None = None
    unpack: Callable[[Any], Any] | None = None

    def packed(self, values: Sequence[Any]) -> Sequence[Any]:
        """All values, None as None."""
        return values if self.pack is None else [None if value is None else self.pack(value) for value in values]

    def unpacked(self, values: list[Any]) -> list[Any]:
        """All values, None as None."""
        return values if self.unpack is None else [None if value is None else self.unpack(value) for value in values]


def kind_of(values: Sequence[Any], depth: int = 0) -> str:
    """The name of the kind that holds these values exactly."""
    types = {type(value) for value in values} - {NoneType}
    if not types:
        return "null"
    if len(types) > 1:
        return "json"
    found = [value for value in values if value is not None]
    finder = _FINDERS.get(types.pop())
    return "json" if finder is None else finder(found, depth)


def _of_integers(values: Sequence[int], _depth: int) -> str:
    return "int" if all(INT64_MIN <= value <= INT64_MAX for value in values) else "json"


def _of_timedeltas(values: Sequence[timedelta], _depth: int) -> str:
    return "timedelta" if _of_integers([value // _MICROSECOND for value in values], 0) == "int" else "json"


def _of_decimals(values: Sequence[Decimal], _depth: int) -> str:
    """Parquet's own where all have as many digits after the point, so that 1.50 stays 1.50."""
    scales = {value.as_tuple().exponent for value in values}
    scale = scales.pop()
    if scales or not isinstance(scale, int) or not -DECIMAL_DIGITS_MAX <= scale <= 0:
        return "json"
    exact = all(len(value.as_tuple().digits) <= DECIMAL_DIGITS_MAX for value in values)
    signed_zero = any(value.is_zero() and value.is_signed() for value in values)
    return f"decimal:{-scale}" if exact and not signed_zero else "json"


def _of_datetimes(values: Sequence[datetime], _depth: int) -> str:
    """Parquet's own where all are in one zone and come back from UTC as the same reading of the same clock."""
    zones = {None if value.tzinfo is None else name_of_zone(value.tzinfo) for value in values}
    zone = zones.pop()
    if zones:
        return "json"
    if zone is None:
        return "datetime"
    name = f"datetime:{zone}"
    return name if zone == "UTC" or _come_back(values, turning_of(name)) else "json"


def _come_back(values: Sequence[datetime], turning: Turning) -> bool:
    try:
        back = turning.unpacked(list(turning.packed(values)))
    except OverflowError:  # in UTC it is outside the years that Python has
        return False
    return all(spell(value) == spell(returned) for value, returned in zip(values, back, strict=True))


def _of_lists(values: Sequence[list[Any]], depth: int) -> str:
    if depth >= LIST_DEPTH_MAX:
        return "json"
    below = kind_of([item for value in values for item in value], depth + 1)
    return "json" if below in ("json", "null") else f"list:{below}"


_FINDERS: dict[type, Callable[[Any, int], str]] = {
    bool: lambda _values, _depth: "bool",
    int: _of_integers,
    float: lambda _values, _depth: "float",
    str: lambda _values, _depth: "text",
    bytes: lambda _values, _depth: "bytes",
    date: lambda _values, _depth: "date",
    time: lambda _values, _depth: "time",
    timedelta: _of_timedeltas,
    datetime: _of_datetimes,
    Decimal: _of_decimals,
    list: _of_lists,
}


# --- turnings

_AS_IT_IS = Turning()
_PLAIN = dict.fromkeys(("null", "bool", "int", "float", "text", "bytes", "date", "time"), _AS_IT_IS) | {
    "timedelta": Turning(lambda value: value // _MICROSECOND, lambda count: timedelta(microseconds=count)),
    "datetime": Turning(
        lambda value: (value - _EPOCH) // _MICROSECOND,
        lambda count: _EPOCH + timedelta(microseconds=count),
    ),
    "json": Turning(spell, unspell),
}


def turning_of(kind: str) -> Turning:
    """Raises: UnknownKind."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    family, _, rest = kind.partition(":")
    if family == "datetime":
        return _in_zone(rest)
    if family == "list" and kind.count("list:") <= LIST_DEPTH_MAX:
        below = turning_of(rest)
        return below if below == _AS_IT_IS else Turning(below.packed, below.unpacked)
    scale_of(kind)
    return _AS_IT_IS


def scale_of(kind: str) -> int:
    """The digits after the point, of a kind of decimals. Raises: UnknownKind."""
    family, _, scale = kind.partition(":")
    if family != "decimal" or scale not in map(str, range(DECIMAL_DIGITS_MAX + 1)):
        raise UnknownKind(f"it has a column of the kind {kind[:40]!r}, which this release does not know")
    return int(scale)


def _in_zone(name: str) -> Turning:
    zone = zone_of(name)
    return Turning(
        lambda value: (value - _EPOCH_UTC) // _MICROSECOND,
        lambda count: (_EPOCH_UTC + timedelta(microseconds=count)).astimezone(zone),
    )
