"""The part of a query for ranges of paths that all databases share."""

from headwater_consumer.rows import REMOVED


def has_entry(layer: str) -> str:
    """Whether a layer has an entry in the range `w`. A scalar can stop at the first row on every database."""
    in_range = f"e.layer = {layer} AND e.path >= w.first AND e.path < w.after AND e.kind <> {REMOVED}"
    return f"(SELECT 1 FROM entries AS e WHERE {in_range} LIMIT 1) IS NOT NULL"  # noqa: S608
