"""Rows of version events, with what is known of their collections and versions: what the queries of events share."""

from typing import TYPE_CHECKING, Any

from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX
from headwater_schemas.positions import position_number
from headwater_schemas.version_events import RUN_KINDS

from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import and_, select
from headwater_consumer.database.tables import COLLECTIONS, LOG_POSITIONS, VERSION_EVENTS, VERSIONS
from headwater_consumer.queries.results import VersionEventInfo

if TYPE_CHECKING:
    from sqlalchemy import Select


def first_position(partition: int) -> int:
    """The least that a position of a partition can be."""
    return position_number(0, partition, 0)


def last_position(partition: int) -> int:
    """The greatest that a position of a partition can be."""
    return position_number(EPOCHS_MAX - 1, partition, OFFSETS_MAX - 1)


def event_of_row(row: Any) -> VersionEventInfo:
    """A row of the table, joined with the type of its collection and the digest of its version."""
    is_of_run = row.kind in RUN_KINDS
    return VersionEventInfo(
        id=f"{row.event}.{row.event_index}",
        kind=row.kind,
        subject=row.subject,
        type=None if is_of_run else row.type,
        version=row.version,
        before=row.before,
        detail=row.detail,
        digest=None if is_of_run else row.digest,
        author=row.author,
        message=row.message,
        time_us=row.time_us,
        position=row.position,
        index=row.record_index,
    )


def events_with_versions() -> "Select[Any]":
    """All rows, as `event_of_row` takes them."""
    event = VERSION_EVENTS.c
    of_version = and_(VERSIONS.c.collection == event.subject, VERSIONS.c.version == event.version)
    joined = VERSION_EVENTS.outerjoin(COLLECTIONS, COLLECTIONS.c.collection == event.subject)
    joined = joined.outerjoin(VERSIONS, of_version)
    return select(*event, COLLECTIONS.c.type, VERSIONS.c.digest).select_from(joined)


@compiled
def partitions_projected() -> Statement:
    return select(LOG_POSITIONS.c.partition).order_by(LOG_POSITIONS.c.partition)
