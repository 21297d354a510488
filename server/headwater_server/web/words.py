"""How templates say numbers, sizes and moments."""

from datetime import UTC, datetime
from time import time_ns

from markupsafe import Markup, escape

_UNITS = ("kB", "MB", "GB", "TB", "PB")
_STEPS = (  # seconds up to which a moment is told in a unit, and the unit
    (3600, 60, "minute"),
    (86_400, 3600, "hour"),
    (86_400 * 30, 86_400, "day"),
    (86_400 * 365, 86_400 * 30, "month"),
)
_YEAR_S = 86_400 * 365
_NOW_S = 45
_NO_DATE = "the end of the calendar"


def told(message: str) -> Markup:
    """A message of ours as a sentence of HTML: what is in backquotes is typed as it is."""
    parts = (message[:1].upper() + message[1:]).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def number(value: int, *, most: int | None = None) -> str:
    """1234567 → "1,234,567"; where counting stopped at `most`: "10,000 or more"."""
    return f"{value:,} or more" if most is not None and value >= most else f"{value:,}"


def counted(count: int, one: str, many: str | None = None, *, most: int | None = None) -> str:
    """ "1 version", "2 versions", as `number`."""
    return f"{number(count, most=most)} {one if count == 1 else many or f'{one}s'}"


def person(author: str) -> str:
    """Who did something, without the issuer that vouches for them: "headwater|ana" → "ana"."""
    return author.rpartition("|")[2] or author


def size(bytes_: int) -> str:
    """1234567 → 1.2 MB: powers of 1,000, as disks are sold."""
    if bytes_ < 1000:
        return counted(bytes_, "byte")
    value = float(bytes_)
    for unit in _UNITS:
        value /= 1000
        if value < 999.5 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:,.0f} {unit}"


def moment(time_us: int | None) -> Markup:
    """A time, told as people do, with the exact one for who points at it, and for programs."""
    if time_us is None:
        return Markup('<span class="none">never</span>')
    try:
        exact = datetime.fromtimestamp(time_us / 1_000_000, UTC)
    except (OverflowError, ValueError):  # by the clock of whoever wrote it
        return Markup("<span>{}</span>").format(_NO_DATE)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        since(time_us, time_ns() // 1000),
    )


def date(time_us: int) -> str:
    """A time that may be far ahead: "2026-01-31 12:00 UTC"."""
    try:
        return f"{datetime.fromtimestamp(time_us / 1_000_000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError):
        return _NO_DATE


def since(time_us: int, now_us: int) -> str:
    """ "3 minutes ago". `static/times.js` says the same while a page is open."""
    seconds = max(0, now_us - time_us) // 1_000_000
    if seconds < _NOW_S:
        return "just now"
    for below_s, unit_s, unit in _STEPS:
        if seconds < below_s:
            return f"{counted(max(1, seconds // unit_s), unit)} ago"
    return f"{counted(seconds // _YEAR_S, 'year')} ago"


def duration(seconds: float) -> str:
    """ "1.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit_s, unit, below_s, below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            return f"{whole // unit_s} {unit} {whole % unit_s // below_s} {below}"
    raise AssertionError(whole)
