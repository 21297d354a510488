"""Lengths of time as people read them. One definition for the whole product."""


def format_seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `5 min`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
