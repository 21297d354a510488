"""What must be readable: the content of versions that are not purged, of open drafts, and of what those start from.

Found in the plainest way, by listing all of it, apart from what the product looks for when it collects.
"""

from headwater_consumer import queries
from headwater_consumer.database import Database, driver_connection
from headwater_schemas.entries import BlobLocation

from tests.simulation import views

Places = set[tuple[BlobLocation, bytes]]

_REMAINING = """
    SELECT collection, version FROM versions v WHERE NOT EXISTS (
        SELECT 1 FROM version_attributes a WHERE a.collection = v.collection AND a.version = v.version
        AND a.field = 'purged' AND a.to_position IS NULL)
    UNION SELECT collection, base FROM drafts WHERE closed_position IS NULL AND base IS NOT NULL"""
_OF_DRAFTS = """
    SELECT object_name, object_offset, size, digest FROM entries WHERE object_name IS NOT NULL
    AND layer IN (SELECT layer FROM drafts WHERE closed_position IS NULL)"""


def reachable_places(database: Database) -> Places:
    """Where that content is now, with its digests. Nobody may be projecting meanwhile."""
    with database.autocommit() as connection:
        remaining = driver_connection(connection).execute(_REMAINING).fetchall()
        rows = driver_connection(connection).execute(_OF_DRAFTS).fetchall()
    places: Places = set()
    for collection, number in remaining:
        info = queries.version_info(database, collection, number)
        assert info is not None
        entries = [entry for page in queries.all_entries(database, info.layers) for entry in page]
        places.update(views.place_of(entry) for entry in entries if entry.digest is not None)
    now = queries.current_places(database, [BlobLocation(*row[:3]) for row in rows])
    return places | {(place, bytes(row[3])) for place, row in zip(now, rows, strict=True)}


def reachable_objects(database: Database) -> set[str]:
    """The objects that it is in."""
    return {place.object_name for place, _ in reachable_places(database)}
