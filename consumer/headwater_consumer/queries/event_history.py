"""The history of one collection, version or run: its version events, newest first."""

from headwater_schemas.event_cursors import Reached
from headwater_schemas.version_events import VERSION_DELETED, VERSION_RECALLED

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX, Statement, compiled
from headwater_consumer.database.conditions import holds, is_field
from headwater_consumer.database.sql import and_, bindparam, literal_column, or_, select
from headwater_consumer.database.tables import VERSION_ATTRIBUTES, VERSION_EVENTS
from headwater_consumer.queries.event_rows import event_of_row, events_with_versions
from headwater_consumer.queries.results import VersionEventInfo
from headwater_consumer.rows import DELETED, RECALLED

_AFTER_ALL = (INTEGER_MAX, INTEGER_MAX)


def history_of(
    database: Database, subject: str, *, version: int | None = None, before: Reached | None = None, limit: int = 100
) -> list[VersionEventInfo]:
    """What happened to a collection or run, newest first; only what one version took part in, where that is given.

    An alias that left the version is part of that. The next page: `before` = the last one's position and index.
    Cost: a look-up of each event that is returned; of one version, of each event of its collection.
    """
    position, index = before or _AFTER_ALL
    with database.snapshot() as connection:
        rows = _before(version is not None).rows(
            connection, subject=subject, position=position, index=index, version=version, limit=limit
        )
    return list(map(event_of_row, rows))


def ending_of(database: Database, collection: str, version: int) -> VersionEventInfo | None:
    """By what a version is deleted, or else recalled: who did that, when and why; None where it is neither."""
    with database.snapshot() as connection:
        rows = _endings().rows(connection, collection=collection, version=version)
    found = {row.kind: event_of_row(row) for row in rows}
    return found.get(VERSION_DELETED) or found.get(VERSION_RECALLED)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _before(of_version: bool) -> Statement:
    event = VERSION_EVENTS.c
    at = event.position == bindparam("position")
    is_before = or_(event.position < bindparam("position"), and_(at, event.record_index < bindparam("index")))
    found = events_with_versions().where(event.subject == bindparam("subject"), is_before)
    if of_version:
        found = found.where(or_(event.version == bindparam("version"), event.before == bindparam("version")))
    return found.order_by(event.position.desc(), event.record_index.desc()).limit(bindparam("limit"))


@compiled
def _endings() -> Statement:
    """A fact that still holds leads to the event that made it."""
    event, fact = VERSION_EVENTS.c, VERSION_ATTRIBUTES.c
    positions = select(fact.from_position).where(
        fact.collection == bindparam("collection"),
        fact.version == bindparam("version"),
        or_(is_field(VERSION_ATTRIBUTES, DELETED), is_field(VERSION_ATTRIBUTES, RECALLED)),
        holds(VERSION_ATTRIBUTES),
    )
    is_ending = or_(
        event.kind == literal_column(f"'{VERSION_DELETED}'"), event.kind == literal_column(f"'{VERSION_RECALLED}'")
    )
    is_it = and_(event.subject == bindparam("collection"), event.version == bindparam("version"), is_ending)
    return events_with_versions().where(event.position.in_(positions), is_it)
