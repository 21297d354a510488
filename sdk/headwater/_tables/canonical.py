"""The canonical text of a cell: JSON, with tags for the types that JSON lacks.

Two cells have the same text exactly when they are equal: keys are sorted, there is no white space, and 1 is not 1.0. A
value of a type that JSON lacks is an object with one key, its tag: `{"$bytes": "…"}`. A dictionary that has such a key
itself is under `$dict`.
"""

import base64
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater._tables.cells import InvalidCell

_MICROSECOND = timedelta(microseconds=1)


def to_canonical(value: Any) -> str:
    """The canonical JSON of a normalized cell."""
    return json.dumps(_tagged(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_canonical(text: str) -> Any:
    """Read what `to_canonical` wrote. Raises: InvalidCell for anything else."""
    try:
        return _untagged(json.loads(text))
    except InvalidCell:
        raise
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidOperation, OverflowError) as error:
        raise InvalidCell(f"holds {text[:40]!r}, which is not the canonical text of a cell: {error}") from None


def zone_from_name(name: str) -> tzinfo:
    """The time zone of a name that `zone_name` gave. Raises: InvalidCell when this machine does not know it."""
    if name == "UTC":
        return UTC
    try:
        if name[:1] in ("+", "-"):
            return timezone(datetime.fromisoformat(f"2000-01-01T00:00:00{name}").utcoffset() or timedelta(0))
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder in the time zone database
        raise InvalidCell(
            f"holds a time in the zone {name!r}, which this machine does not know. `pip install tzdata`"
        ) from None


def zone_name(zone: tzinfo) -> str:
    """`UTC`, `Europe/Berlin` or an offset such as `+02:00`, for the zone of a normalized cell."""
    if isinstance(zone, ZoneInfo):
        return zone.key
    return "UTC" if zone is UTC else datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]


def _tagged(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": repr(value)}
        case list():
            return [_tagged(item) for item in value]
        case dict():
            items = {key: _tagged(item) for key, item in value.items()}
            return {"$dict": items} if any(key.startswith("$") for key in value) else items
        case datetime():
            return {"$datetime": _datetime_to_json(value)}
        case tuple():
            return {"$tuple": [_tagged(item) for item in value]}
        case timedelta():
            return {"$timedelta": value // _MICROSECOND}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case date() | time():
            return {f"${type(value).__name__}": value.isoformat()}
    assert isinstance(value, Decimal), f"a normalized cell holds a {type(value).__name__}"
    return {"$decimal": str(value)}


def _datetime_to_json(value: datetime) -> Any:
    """ISO 8601; for a named zone the local time, `fold` and the zone."""
    if isinstance(value.tzinfo, ZoneInfo):
        return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo.key]
    return value.isoformat()


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if not tag.startswith("$"):
        return {key: _untagged(item) for key, item in value.items()}
    if len(value) != 1 or tag not in TAG_DECODERS:
        raise InvalidCell(f"holds an object with the key {tag[:40]!r}, which this release does not know.")
    return TAG_DECODERS[tag](value[tag])


def _datetime_from_json(encoded: Any) -> datetime:
    if isinstance(encoded, str):
        value = datetime.fromisoformat(encoded)
        return value.replace(tzinfo=UTC) if value.tzinfo is not None and not value.utcoffset() else value
    clock, fold, zone = encoded
    return datetime.fromisoformat(clock).replace(tzinfo=zone_from_name(zone), fold=fold)


TAG_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda encoded: base64.b64decode(encoded, validate=True),
    "$date": date.fromisoformat,
    "$datetime": _datetime_from_json,
    "$decimal": Decimal,
    "$dict": lambda encoded: {key: _untagged(item) for key, item in encoded.items()},
    "$float": float,
    "$time": time.fromisoformat,
    "$timedelta": lambda encoded: encoded * _MICROSECOND,
    "$tuple": lambda encoded: tuple(_untagged(item) for item in encoded),
}
