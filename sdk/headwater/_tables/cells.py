"""What a cell of a table may hold.

`normalize_cell` converts the values of users and libraries to plain Python values, so that a table gives back what was
put in. numpy and pandas are recognised without being loaded. How plain values are stored belongs to `canonical` and
`parquet`.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater_schemas.errors import InvalidInput
from headwater_schemas.library_values import is_missing_in_pandas, is_scalar, is_time, to_python
from headwater_schemas.limits import INTEGER_DIGITS_MAX
from headwater_schemas.metadata import INTEGER_MAX

VALUE_DEPTH_MAX = 32  # levels of lists and dictionaries in one cell, which any JSON reader supports

SUPPORTED_TYPES = (
    "None, bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, and lists and dicts of these"
)

Normalizer = Callable[[Any, int], Any]


class InvalidCell(ValueError):
    """Why a value cannot be stored, or a text is not a cell: the predicate of a sentence that names the cell first."""


def normalize_cell(value: object, row: int, column: str) -> Any:
    """`value` as plain Python: scalars of numpy and pandas become Python's own, and arrays become lists.

    Raises: InvalidInput naming row, column and type of a value that a table cannot store.
    """
    try:
        return _normalize(value, 0)
    except InvalidCell as error:
        raise InvalidInput(f"row {row}, column {column!r} {error}") from None


def describe_type(value: object) -> str:
    """The type of a value with its article, for messages: "a Path", "an int"."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _normalize(value: Any, depth: int) -> Any:
    normalizer = _BY_TYPE.get(type(value))
    return (normalizer or _normalizer_for(value))(value, depth)


def _normalizer_for(value: Any) -> Normalizer:
    """How to normalize a value whose type is not exactly one of Python's own."""
    if is_missing_in_pandas(value):
        return lambda _value, _depth: None
    for base, normalizer in _BY_TYPE.items():
        if isinstance(value, base):
            return normalizer
    if is_scalar(value):
        return _numpy_time if is_time(value) else _scalar
    if isinstance(getattr(value, "ndim", None), int) and callable(getattr(value, "tolist", None)):
        return _array
    raise InvalidCell(_unsupported(value))


def _unchanged(value: Any, _depth: int) -> Any:
    return value


def _integer(value: int, _depth: int) -> int:
    if abs(value) > INTEGER_MAX:
        raise InvalidCell(f"is an integer of more than {INTEGER_DIGITS_MAX:,} digits. Store it as text.")
    return int(value)


def _float(value: float, _depth: int) -> float:
    return math.nan if value != value else float(value)  # one NaN for all bit patterns


def _text(value: str, _depth: int) -> str:
    text = str.__str__(value)  # its characters; str() of an enumeration member would give its name
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidCell(f"holds text that is not valid Unicode: {text[:40]!r}.") from None
    return text


def _bytes(value: Any, _depth: int) -> bytes:
    return bytes(value)


def _datetime(value: datetime, _depth: int) -> datetime:
    if getattr(value, "nanosecond", 0):  # pandas'
        raise InvalidCell(_too_fine(value))
    day = (value.year, value.month, value.day)
    try:
        clock = datetime(*day, value.hour, value.minute, value.second, value.microsecond)
    except (ValueError, OverflowError):  # pandas supports years that Python lacks
        raise InvalidCell(_too_fine(value)) from None
    return clock if value.tzinfo is None else _in_its_zone(clock, value)


def _in_its_zone(clock: datetime, value: datetime) -> datetime:
    """The local time in its named zone, or with its offset at that moment where the zone has no name."""
    offset = value.utcoffset()
    if offset is None:
        raise InvalidCell(f"holds {value!r}, whose time zone gives no offset. Use a zone that does.")
    zone = _named_zone(value.tzinfo)
    # The offset tells which of two equal local times is meant: not every library sets `fold`.
    readings = (clock.replace(tzinfo=zone, fold=fold) for fold in (0, 1) if zone is not None)
    plain = clock.replace(tzinfo=timezone(offset) if offset else UTC)
    return next((reading for reading in readings if reading.utcoffset() == offset), plain)


def _named_zone(zone: tzinfo | None) -> ZoneInfo | None:
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if not isinstance(name, str) or name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # a custom zone: only its offset is used


def _date(value: date, _depth: int) -> date:
    return date(value.year, value.month, value.day)


def _time(value: time, _depth: int) -> time:
    if value.tzinfo is not None:
        raise InvalidCell(f"holds {value!r}: a time of day with a zone needs its day. Use a datetime.")
    return time(value.hour, value.minute, value.second, value.microsecond)


def _timedelta(value: timedelta, _depth: int) -> timedelta:
    if getattr(value, "nanoseconds", 0):  # pandas'
        raise InvalidCell(_too_fine(value))
    try:
        return timedelta(value.days, value.seconds, value.microseconds)
    except OverflowError:  # pandas supports longer ones
        raise InvalidCell(_too_fine(value)) from None


def _decimal(value: Decimal, _depth: int) -> Decimal:
    return Decimal(value)


def _list(value: list[Any], depth: int) -> list[Any]:
    depth = _deeper(depth)
    if set(map(type, value)) == {float}:  # vectors are long, and this is ten times faster
        return [item if item == item else math.nan for item in value]
    return [_normalize(item, depth) for item in value]


def _tuple(value: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
    return tuple(_list(value, depth))  # type: ignore[arg-type]


def _dict(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    depth = _deeper(depth)
    for key in value:
        if not isinstance(key, str):
            raise InvalidCell(f"holds a dictionary with the key {key!r}, {describe_type(key)}. Use text as keys.")
    return {_text(key, depth): _normalize(item, depth) for key, item in value.items()}


def _scalar(value: Any, depth: int) -> Any:
    item = to_python(value)
    if type(item) is type(value):  # a long double returns itself
        raise InvalidCell(_unsupported(value))
    return _normalize(item, depth)


def _numpy_time(value: Any, depth: int) -> Any:
    item = to_python(value)
    return _normalize(_in_microseconds(value) if isinstance(item, int) else item, depth)


def _in_microseconds(value: Any) -> Any:
    """A time in a unit that Python lacks. Raises: InvalidCell where conversion to microseconds would change it."""
    if value.dtype.str.endswith(("m8", "Y]", "M]")) and value.dtype.kind == "m":
        raise InvalidCell(f"holds {value!r}, which has no fixed length. Give it in days, or store it as a number.")
    try:
        coarse = value.astype(f"{value.dtype.kind}8[us]")
    except OverflowError:
        raise InvalidCell(_too_fine(value)) from None
    if coarse.astype(value.dtype) != value or isinstance(coarse.item(), int):  # also when it overflows
        raise InvalidCell(_too_fine(value))
    return coarse.item()


def _array(value: Any, depth: int) -> list[Any]:
    """As lists; times are converted one by one, because `tolist` would make them numbers."""
    return _list(list(value) if is_time(value) else value.tolist(), depth)


def _deeper(depth: int) -> int:
    if depth >= VALUE_DEPTH_MAX:
        raise InvalidCell(f"is nested deeper than {VALUE_DEPTH_MAX} levels. Flatten it.")
    return depth + 1


def _unsupported(value: object) -> str:
    return f"holds {describe_type(value)}, which a table cannot store. It stores {SUPPORTED_TYPES}. Convert it first."


def _too_fine(value: object) -> str:
    return f"holds {value!r}, which is finer than a microsecond or out of range. Round it, or store it as a number."


# Looked up by exact type; subclasses are tried in this order: bool before int, datetime before date.
_BY_TYPE: dict[type, Normalizer] = {
    NoneType: _unchanged,
    bool: _unchanged,
    int: _integer,
    float: _float,
    str: _text,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _timedelta,
    Decimal: _decimal,
    list: _list,
    tuple: _tuple,
    dict: _dict,
}
