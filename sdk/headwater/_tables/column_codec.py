"""Which kind a column of a table is, and how its values are encoded for Parquet and decoded.

A column whose values are all of one type gets a kind of that type if encoding loses nothing; any other is `json`, the
canonical text of each cell. Names of kinds are written into files, so they are final. `parquet` has their
pyarrow types.

    null bool int float text bytes date time    as they are
    timedelta                                   microseconds, as integers
    datetime                                    without a zone, in microseconds
    datetime:ZONE                               instants in UTC, given back in ZONE: UTC, +02:00, Europe/Berlin
    decimal:SCALE                               with this many digits after the point, in every value
    list:KIND                                   lists of values of one kind
    json                                        anything else

None is null in all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any

from headwater._tables.canonical import from_canonical, to_canonical, zone_from_name, zone_name

LIST_DEPTH_MAX = 4  # of nested Parquet lists; deeper ones are JSON
DECIMAL_DIGITS_MAX = 38  # what 128 bits hold
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_MICROSECOND = timedelta(microseconds=1)
_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)


class UnknownKind(ValueError):
    """A file names a kind that this release does not know."""


@dataclass(frozen=True, slots=True)
class ColumnCodec:
    """How values are encoded for Parquet and decoded. A function that is None leaves them as they are."""

    encode_value: Callable[[Any], Any] | None = None
    decode_value: Callable[[Any], Any] | None = None

    def encode(self, values: Sequence[Any]) -> Sequence[Any]:
        """Encode all values; None stays None."""
        convert = self.encode_value
        return values if convert is None else [None if value is None else convert(value) for value in values]

    def decode(self, values: list[Any]) -> list[Any]:
        """Decode all values; None stays None."""
        convert = self.decode_value
        return values if convert is None else [None if value is None else convert(value) for value in values]


def column_kind(values: Sequence[Any], depth: int = 0) -> str:
    """The name of the kind that stores these values without loss."""
    types = {type(value) for value in values} - {NoneType}
    if not types:
        return "null"
    if len(types) > 1:
        return "json"
    found = [value for value in values if value is not None]
    find_kind = _KINDS_BY_TYPE.get(types.pop())
    return "json" if find_kind is None else find_kind(found, depth)


def _integer_kind(values: Sequence[int], _depth: int) -> str:
    return "int" if all(INT64_MIN <= value <= INT64_MAX for value in values) else "json"


def _timedelta_kind(values: Sequence[timedelta], _depth: int) -> str:
    return "timedelta" if _integer_kind([value // _MICROSECOND for value in values], 0) == "int" else "json"


def _decimal_kind(values: Sequence[Decimal], _depth: int) -> str:
    """A decimal column if all values have the same number of digits after the point, so that 1.50 stays 1.50."""
    scales = {value.as_tuple().exponent for value in values}
    scale = scales.pop()
    if scales or not isinstance(scale, int) or not -DECIMAL_DIGITS_MAX <= scale <= 0:
        return "json"
    exact = all(len(value.as_tuple().digits) <= DECIMAL_DIGITS_MAX for value in values)
    signed_zero = any(value.is_zero() and value.is_signed() for value in values)
    return f"decimal:{-scale}" if exact and not signed_zero else "json"


def _datetime_kind(values: Sequence[datetime], _depth: int) -> str:
    """A timestamp column if all values are in one zone and decode from UTC to the same local time."""
    zones = {None if value.tzinfo is None else zone_name(value.tzinfo) for value in values}
    zone = zones.pop()
    if zones:
        return "json"
    if zone is None:
        return "datetime"
    name = f"datetime:{zone}"
    return name if zone == "UTC" or _round_trips(values, codec_for(name)) else "json"


def _round_trips(values: Sequence[datetime], codec: ColumnCodec) -> bool:
    try:
        back = codec.decode(list(codec.encode(values)))
    except OverflowError:  # in UTC it is outside the years that Python supports
        return False
    return all(to_canonical(value) == to_canonical(returned) for value, returned in zip(values, back, strict=True))


def _list_kind(values: Sequence[list[Any]], depth: int) -> str:
    if depth >= LIST_DEPTH_MAX:
        return "json"
    items = column_kind([item for value in values for item in value], depth + 1)
    return "json" if items in ("json", "null") else f"list:{items}"


_KINDS_BY_TYPE: dict[type, Callable[[Any, int], str]] = {
    bool: lambda _values, _depth: "bool",
    int: _integer_kind,
    float: lambda _values, _depth: "float",
    str: lambda _values, _depth: "text",
    bytes: lambda _values, _depth: "bytes",
    date: lambda _values, _depth: "date",
    time: lambda _values, _depth: "time",
    timedelta: _timedelta_kind,
    datetime: _datetime_kind,
    Decimal: _decimal_kind,
    list: _list_kind,
}


# --- codecs

_IDENTITY = ColumnCodec()
_CODECS = dict.fromkeys(("null", "bool", "int", "float", "text", "bytes", "date", "time"), _IDENTITY) | {
    "timedelta": ColumnCodec(lambda value: value // _MICROSECOND, lambda count: timedelta(microseconds=count)),
    "datetime": ColumnCodec(
        lambda value: (value - _EPOCH) // _MICROSECOND,
        lambda count: _EPOCH + timedelta(microseconds=count),
    ),
    "json": ColumnCodec(to_canonical, from_canonical),
}


def codec_for(kind: str) -> ColumnCodec:
    """The codec of a kind. Raises: UnknownKind."""
    if kind in _CODECS:
        return _CODECS[kind]
    family, _, rest = kind.partition(":")
    if family == "datetime":
        return _zoned_codec(rest)
    if family == "list" and kind.count("list:") <= LIST_DEPTH_MAX:
        items = codec_for(rest)
        return items if items == _IDENTITY else ColumnCodec(items.encode, items.decode)
    decimal_scale(kind)
    return _IDENTITY


def decimal_scale(kind: str) -> int:
    """The digits after the point of a decimal kind. Raises: UnknownKind."""
    family, _, scale = kind.partition(":")
    if family != "decimal" or scale not in map(str, range(DECIMAL_DIGITS_MAX + 1)):
        raise UnknownKind(f"it has a column of the kind {kind[:40]!r}, which this release does not know")
    return int(scale)


def _zoned_codec(name: str) -> ColumnCodec:
    zone = zone_from_name(name)
    return ColumnCodec(
        lambda value: (value - _EPOCH_UTC) // _MICROSECOND,
        lambda count: (_EPOCH_UTC + timedelta(microseconds=count)).astimezone(zone),
    )
