"""The canonical text of a cell: JSON, with a spelling for what JSON lacks.

Equal cells have equal text, and only they: keys are sorted, there is no white space, and 1 is not 1.0. A value that
JSON lacks is an object with one key: `{"$bytes": "…"}`. A dictionary that has such a key itself is under `$dict`.
"""

import base64
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater._tables.cells import CellRefused

_MICROSECOND = timedelta(microseconds=1)


def spell(value: Any) -> str:
    """The canonical JSON of a value that `keep` gave."""
    return json.dumps(_tagged(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def unspell(text: str) -> Any:
    """Read what `spell` wrote. Raises: CellRefused for anything else."""
    try:
        return _untagged(json.loads(text))
    except CellRefused:
        raise
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidOperation, OverflowError) as error:
        raise CellRefused(f"holds {text[:40]!r}, which is not the text of a cell: {error}") from None


def zone_of(name: str) -> tzinfo:
    """The time zone that `name_of_zone` named. Raises: CellRefused when this machine does not know it."""
    if name == "UTC":
        return UTC
    try:
        if name[:1] in ("+", "-"):
            return timezone(datetime.fromisoformat(f"2000-01-01T00:00:00{name}").utcoffset() or timedelta(0))
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder in the database of zones
        raise CellRefused(
            f"holds a time in the zone {name!r}, which this machine does not know. `pip install tzdata`"
        ) from None


def name_of_zone(zone: tzinfo) -> str:
    """`UTC`, `Europe/Berlin` or an offset such as `+02:00`, of a zone that `keep` let through."""
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
            return [_tagged(below) for below in value]
        case dict():
            below = {key: _tagged(item) for key, item in value.items()}
            return {"$dict": below} if any(key.startswith("$") for key in value) else below
        case datetime():
            return {"$datetime": _spell_datetime(value)}
        case tuple():
            return {"$tuple": [_tagged(below) for below in value]}
        case timedelta():
            return {"$timedelta": value // _MICROSECOND}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case date() | time():
            return {f"${type(value).__name__}": value.isoformat()}
    assert isinstance(value, Decimal), f"keep let a {type(value).__name__} through"
    return {"$decimal": str(value)}


def _spell_datetime(value: datetime) -> Any:
    """ISO 8601; where a zone has a name, the clock's reading with the zone and which of two equal readings it is."""
    if isinstance(value.tzinfo, ZoneInfo):
        return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo.key]
    return value.isoformat()


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(below) for below in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if not tag.startswith("$"):
        return {key: _untagged(below) for key, below in value.items()}
    if len(value) != 1 or tag not in _BY_TAG:
        raise CellRefused(f"holds an object with the key {tag[:40]!r}, which this release does not know.")
    return _BY_TAG[tag](value[tag])


def _read_datetime(spelled: Any) -> datetime:
    if isinstance(spelled, str):
        value = datetime.fromisoformat(spelled)
        return value.replace(tzinfo=UTC) if value.tzinfo is not None and not value.utcoffset() else value
    clock, fold, zone = spelled
    return datetime.fromisoformat(clock).replace(tzinfo=zone_of(zone), fold=fold)


_BY_TAG: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda spelled: base64.b64decode(spelled, validate=True),
    "$date": date.fromisoformat,
    "$datetime": _read_datetime,
    "$decimal": Decimal,
    "$dict": lambda spelled: {key: _untagged(below) for key, below in spelled.items()},
    "$float": float,
    "$time": time.fromisoformat,
    "$timedelta": lambda spelled: spelled * _MICROSECOND,
    "$tuple": lambda spelled: tuple(_untagged(below) for below in spelled),
}
