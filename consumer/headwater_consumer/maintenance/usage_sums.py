"""What takes up room, as last counted: what the projection said at an earlier moment, kept as counting takes long.

A row for each project, and one for each of its collections, written together. Without them, who asks counts anew.
"""

from collections.abc import Sequence

from headwater_schemas.event_cursors import EventCursor

from headwater_consumer.database import Database
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.results import EventFilter, KeptUsage
from headwater_consumer.queries.usage_totals import UsageTotals

_OF_PROJECT = ""  # in place of a collection


def keep_usage(
    operational: OperationalDatabase,
    project: str,
    totals: UsageTotals,
    collections: Sequence[tuple[str, UsageTotals]],
    *,
    objects: tuple[int, int],
    cut: EventCursor,
) -> None:
    """Replace what is kept of a project. `objects`: how many it has, and their bytes.

    Cost: a statement for each collection. Raises: StoreError.
    """
    with operational.transaction() as statements:
        statements.run(_FORGET, project)
        for name, sums, stored in ((_OF_PROJECT, totals, objects), *((*one, (None, None)) for one in collections)):
            statements.run(_KEEP, project, name, sums.stored_bytes, sums.to_text(), *stored, cut.encode())


def keep_current(operational: OperationalDatabase, project: str, *, cut: EventCursor) -> None:
    """What is kept of a project counts the events up to this cut, too. Raises: StoreError."""
    with operational.transaction() as statements:
        statements.run(_MOVE, cut.encode(), project)


def kept_usage(
    operational: OperationalDatabase, project: str, *, collection: str | None = None, limit: int = 1
) -> KeptUsage | None:
    """What is kept of a project, with `limit` of its collections, or of one collection. Raises: StoreError."""
    with operational.statement() as statements:
        row = statements.first(_READ, project, collection or _OF_PROJECT)
        if row is None:
            return None
        some = statements.rows(_READ_COLLECTIONS, project, _OF_PROJECT, limit)
        (count,) = statements.rows(_COUNT_COLLECTIONS, project, _OF_PROJECT)[0]
    return KeptUsage(row[0], [(name, sums) for name, sums in some], count, *row[1:])


def is_current(kept: KeptUsage, database: Database, project: str, generation: str) -> bool:
    """Whether nothing has happened in a project since it was counted. Cost: looks at all events that came after."""
    cursor, wanted = EventCursor.decode(kept.cut), EventFilter(project=project)
    if cursor.generation != generation:
        return False
    while True:
        page = version_events(database, cursor, wanted=wanted, limit=1)
        if page.events or not page.more:
            return not page.events
        cursor = page.cursor


# --- statements -------------------------------------------------------------------------------------------------

_FORGET = "DELETE FROM usage_sums WHERE project = ?"
_KEEP = """
    INSERT INTO usage_sums (project, collection, stored_bytes, sums, objects, object_bytes, cut, computed_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, NOW_US)
    ON CONFLICT (project, collection) DO UPDATE SET stored_bytes = excluded.stored_bytes, sums = excluded.sums,
    objects = excluded.objects, object_bytes = excluded.object_bytes, cut = excluded.cut,
    computed_us = excluded.computed_us
"""
_MOVE = "UPDATE usage_sums SET cut = ?, computed_us = NOW_US WHERE project = ?"
_READ = "SELECT sums, objects, object_bytes, cut, computed_us FROM usage_sums WHERE project = ? AND collection = ?"
_READ_COLLECTIONS = """
    SELECT collection, sums FROM usage_sums WHERE project = ? AND collection <> ?
    ORDER BY stored_bytes DESC, collection LIMIT ?
"""
_COUNT_COLLECTIONS = "SELECT COUNT(*) FROM usage_sums WHERE project = ? AND collection <> ?"
