"""The metadata of one collection's versions, for a table or a plot over them."""

from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX, Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted, is_field
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.rows import METADATA

AT_ONCE = 50  # versions; the metadata of each can have 256 KiB
CHARACTERS_MAX = 4_000_000  # of metadata, in all


class VersionMetadata(NamedTuple):
    """What one version says about itself."""

    version: int
    created_us: int
    metadata: str  # canonical JSON, "{}" when there is none


class MetadataSeries(NamedTuple):
    """Some versions, the newest first."""

    versions: list[VersionMetadata]
    complete: bool  # whether that is all that was asked for; if not, what they say is too long


def metadata_series(
    database: Database, collection: str, *, after: int | None = None, limit: int = 100
) -> MetadataSeries:
    """The metadata of the live versions, the newest first and at most `limit`; the next page: `after` = the last one's.

    Cost: what is read, which ends after CHARACTERS_MAX.
    """
    found: list[VersionMetadata] = []
    last, left = INTEGER_MAX if after is None else after, CHARACTERS_MAX
    while len(found) < limit:
        with database.autocommit() as connection:
            some = min(limit - len(found), AT_ONCE)
            rows = _page().tuples(connection, collection=collection, after=last, limit=some)
        for version, created_us, text in rows:
            found.append(VersionMetadata(version, created_us, text or "{}"))
            left -= len(text or "")
        if len(rows) < some:
            break
        if left < 0:
            return MetadataSeries(found, False)
        last = found[-1].version
    return MetadataSeries(found, True)


@compiled
def _page() -> Statement:
    after: Any = bindparam("after")
    given = VERSION_ATTRIBUTES
    value = (
        select(given.c.value)
        .where(
            given.c.collection == VERSIONS.c.collection,
            given.c.version == VERSIONS.c.version,
            is_field(given, METADATA),
            holds(given),
        )
        .scalar_subquery()
    )
    return (
        select(VERSIONS.c.version, VERSIONS.c.created_us, value)
        .where(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version < after, ~is_deleted())
        .order_by(VERSIONS.c.version.desc())
        .limit(bindparam("limit"))
    )
