"""What a cell of a table may hold.

`keep` takes what people and libraries hand over and gives plain Python values, so that what is put in is what comes
out, whatever it was made with. numpy and pandas are recognised without being loaded. How plain values are written
belongs to `canonical` and `parquet`.
"""

import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater_schemas.errors import InvalidInput
from headwater_schemas.metadata import INTEGER_DIGITS_MAX, INTEGER_MAX

VALUE_DEPTH_MAX = 32  # levels of lists and dictionaries in one cell: what any JSON reader takes without complaint

KEPT = "None, bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, and lists and dicts of these"

Reading = Callable[[Any, int], Any]


class CellRefused(ValueError):
    """Why a value cannot be kept, or a text is not a cell: the second half of a sentence that begins with the place."""


def keep(value: object, row: int, column: str) -> Any:
    """`value` as plain Python: numpy's and pandas' scalars become Python's, their arrays lists.

    Raises: InvalidInput naming row, column and type for what a table cannot keep.
    """
    try:
        return _plain(value, 0)
    except CellRefused as refused:
        raise InvalidInput(f"row {row}, column {column!r} {refused}") from None


def a_type(value: object) -> str:
    """The type of a value for a message: "a Path", "an int"."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _plain(value: Any, depth: int) -> Any:
    reading = _BY_TYPE.get(type(value))
    return (reading or _reading_of(value))(value, depth)


def _reading_of(value: Any) -> Reading:
    """How to read a value whose type is not exactly one of Python's own."""
    if _is_missing_in_pandas(value):
        return lambda _value, _depth: None
    for base, reading in _BY_TYPE.items():
        if isinstance(value, base):
            return reading
    dimensions = getattr(value, "ndim", None)
    if dimensions == 0 and callable(getattr(value, "item", None)):
        return _numpy_time if _kind(value) in ("m", "M") else _scalar
    if isinstance(dimensions, int) and callable(getattr(value, "tolist", None)):
        return _array
    raise CellRefused(_not_kept(value))


def _same(value: Any, _depth: int) -> Any:
    return value


def _integer(value: int, _depth: int) -> int:
    if abs(value) > INTEGER_MAX:
        raise CellRefused(f"is an integer of more than {INTEGER_DIGITS_MAX:,} digits. Keep it as text.")
    return int(value)


def _float(value: float, _depth: int) -> float:
    return math.nan if value != value else float(value)  # one NaN: others differ in bits that nobody means


def _text(value: str, _depth: int) -> str:
    text = str.__str__(value)  # its characters; str() would ask an enumeration's member for its name
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CellRefused(f"holds text that is not valid Unicode: {text[:40]!r}.") from None
    return text


def _bytes(value: Any, _depth: int) -> bytes:
    return bytes(value)


def _datetime(value: datetime, _depth: int) -> datetime:
    if getattr(value, "nanosecond", 0):  # pandas'
        raise CellRefused(_too_fine(value))
    day = (value.year, value.month, value.day)
    try:
        clock = datetime(*day, value.hour, value.minute, value.second, value.microsecond)
    except (ValueError, OverflowError):  # pandas has years that Python lacks
        raise CellRefused(_too_fine(value)) from None
    return clock if value.tzinfo is None else _in_its_zone(clock, value)


def _in_its_zone(clock: datetime, value: datetime) -> datetime:
    """What the clock showed, in the zone by its name where it has one, else at its offset at that moment."""
    offset = value.utcoffset()
    if offset is None:
        raise CellRefused(f"holds {value!r}, whose time zone gives no offset. Use a zone that does.")
    zone = _named_zone(value.tzinfo)
    # Which of two equal readings is meant, its offset tells: not every library sets `fold`.
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
        return None  # a zone of somebody's own: its offset is what it says of this moment


def _date(value: date, _depth: int) -> date:
    return date(value.year, value.month, value.day)


def _time(value: time, _depth: int) -> time:
    if value.tzinfo is not None:
        raise CellRefused(f"holds {value!r}: a time of day with a zone needs its day. Use a datetime.")
    return time(value.hour, value.minute, value.second, value.microsecond)


def _timedelta(value: timedelta, _depth: int) -> timedelta:
    if getattr(value, "nanoseconds", 0):  # pandas'
        raise CellRefused(_too_fine(value))
    try:
        return timedelta(value.days, value.seconds, value.microseconds)
    except OverflowError:  # pandas has longer ones
        raise CellRefused(_too_fine(value)) from None


def _decimal(value: Decimal, _depth: int) -> Decimal:
    return Decimal(value)


def _list(value: list[Any], depth: int) -> list[Any]:
    depth = _deeper(depth)
    if set(map(type, value)) == {float}:  # vectors are long: this is ten times faster
        return [below if below == below else math.nan for below in value]
    return [_plain(below, depth) for below in value]


def _tuple(value: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
    return tuple(_list(value, depth))  # type: ignore[arg-type]


def _dict(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    depth = _deeper(depth)
    for key in value:
        if not isinstance(key, str):
            raise CellRefused(f"holds a dictionary with the key {key!r}, {a_type(key)}. Keys are text.")
    return {_text(key, depth): _plain(below, depth) for key, below in value.items()}


def _scalar(value: Any, depth: int) -> Any:
    item = _bare(value)
    if type(item) is type(value):  # a long double gives itself
        raise CellRefused(_not_kept(value))
    return _plain(item, depth)


def _numpy_time(value: Any, depth: int) -> Any:
    item = _bare(value)
    return _plain(_in_microseconds(value) if isinstance(item, int) else item, depth)


def _bare(value: Any) -> Any:
    """The one value of a scalar, as Python's; None for numpy's masked one and for NaT."""
    return value.tolist() if callable(getattr(value, "tolist", None)) else value.item()


def _in_microseconds(value: Any) -> Any:
    """A time for which Python has no type in its unit. Raises: CellRefused where microseconds would change it."""
    if value.dtype.str.endswith(("m8", "Y]", "M]")) and _kind(value) == "m":
        raise CellRefused(f"holds {value!r}, which has no fixed length. Give it in days, or keep it as a number.")
    try:
        coarse = value.astype(f"{_kind(value)}8[us]")
    except OverflowError:
        raise CellRefused(_too_fine(value)) from None
    if coarse.astype(value.dtype) != value or isinstance(coarse.item(), int):  # also where it overflows
        raise CellRefused(_too_fine(value))
    return coarse.item()


def _array(value: Any, depth: int) -> list[Any]:
    """As lists; what numpy would turn into bare numbers (times) goes one by one."""
    return _list(list(value) if _kind(value) in ("m", "M") else value.tolist(), depth)


def _kind(value: Any) -> str | None:
    return getattr(getattr(value, "dtype", None), "kind", None)


def _is_missing_in_pandas(value: Any) -> bool:
    pandas = sys.modules.get("pandas")  # nobody holds a value of pandas before it is loaded
    return pandas is not None and (value is getattr(pandas, "NA", value) or value is getattr(pandas, "NaT", value))


def _deeper(depth: int) -> int:
    if depth >= VALUE_DEPTH_MAX:
        raise CellRefused(f"is nested deeper than {VALUE_DEPTH_MAX} levels. Flatten it.")
    return depth + 1


def _not_kept(value: object) -> str:
    return f"holds {a_type(value)}, which a table cannot keep. It keeps {KEPT}. Convert it first."


def _too_fine(value: object) -> str:
    return f"holds {value!r}, which is finer than a microsecond or out of range. Round it, or keep it as a number."


# Looked up by exact type; for subclasses in this order: bool before int, datetime before date.
_BY_TYPE: dict[type, Reading] = {
    NoneType: _same,
    bool: _same,
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
