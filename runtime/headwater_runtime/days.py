"""Days, in microseconds and as text."""

from datetime import UTC, datetime

US_PER_DAY = 86_400_000_000


def day_text(time_us: int) -> str:
    """`2026-12-30`: the day of a time in microseconds since 1970, UTC."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).date().isoformat()
