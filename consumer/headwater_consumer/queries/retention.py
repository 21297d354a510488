"""Retention: the policies of a project with who set them, and what they need to know of versions."""

from headwater_schemas import metadata
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX, Statement, compiled
from headwater_consumer.database.conditions import holds, is_field, was_restored
from headwater_consumer.database.sql import and_, bindparam, func, or_, select
from headwater_consumer.database.tables import PROJECT_FACTS, VERSION_ATTRIBUTES, VERSION_UPDATES
from headwater_consumer.queries.results import PolicyInfo, Restoration
from headwater_consumer.rows import RETENTION_POLICY, TTL


def retention_policies(
    database: Database, project: str, *, after: str | None = None, limit: int = 1000
) -> list[PolicyInfo]:
    """What was said last of each policy of "entity/project", by name and at most `limit`; removed ones included.

    The next page: `after` = the last name.
    """
    with database.autocommit() as connection:
        rows = _policies().rows(connection, project=project, kind=RETENTION_POLICY, after=after or "", limit=limit)
    return [_info_of(row.name, row.value, row.from_position) for row in rows]


def retention_changes(
    database: Database, project: str, *, before: int | None = None, limit: int = 100
) -> list[PolicyInfo]:
    """All that was ever said of the policies of "entity/project", newest first and at most `limit`.

    The next page: `before` = the position of the last one.
    """
    values = {"project": project, "kind": RETENTION_POLICY, "limit": limit}
    with database.autocommit() as connection:
        rows = _changes().rows(connection, before=INTEGER_MAX if before is None else before, **values)
    return [_info_of(row.name, row.value, row.from_position) for row in rows]


def collections_with_ttl(database: Database, project: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
    """The collections of "entity/project" of which a version has a time to live, by name and at most `limit`.

    The next page: `after` = the last one. Cost: the attributes of all versions on the page, deleted ones too.
    """
    start, end = range_of_folder(project)
    with database.autocommit() as connection:
        rows = _collections_with_ttl().tuples(connection, after=max(start, after or ""), end=end, limit=limit)
    return [name for (name,) in rows]


def restorations(database: Database, collection: str, *, first: int, last: int) -> list[Restoration]:
    """Which of the versions `first` to `last` were deleted and brought back, by number."""
    with database.autocommit() as connection:
        rows = _restorations().tuples(connection, collection=collection, first=first, last=last)
    return [Restoration(*row) for row in rows]


def _info_of(name: str, value: str, position: int) -> PolicyInfo:
    said = metadata.decode(value)
    rules = None if said["rules"] is None else metadata.encode(said["rules"])
    return PolicyInfo(name, rules, said["author"], said["message"], said["time_us"], position)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _policies() -> Statement:
    fact = PROJECT_FACTS.c
    of_project = (fact.project == bindparam("project"), fact.kind == bindparam("kind"))
    statement = select(fact.name, fact.value, fact.from_position)
    statement = statement.where(*of_project, fact.name > bindparam("after"), holds(PROJECT_FACTS))
    return statement.order_by(fact.name).limit(bindparam("limit"))


@compiled
def _changes() -> Statement:
    """One event can set several policies."""
    fact = PROJECT_FACTS.c
    of_project = (fact.project == bindparam("project"), fact.kind == bindparam("kind"))
    statement = select(fact.name, fact.value, fact.from_position)
    statement = statement.where(*of_project, fact.from_position < bindparam("before"))
    return statement.order_by(fact.from_position.desc(), fact.name).limit(bindparam("limit"))


@compiled
def _collections_with_ttl() -> Statement:
    attribute = VERSION_ATTRIBUTES.c
    in_project = (attribute.collection > bindparam("after"), attribute.collection < bindparam("end"))
    is_ttl = (is_field(VERSION_ATTRIBUTES, TTL), holds(VERSION_ATTRIBUTES))
    found = select(attribute.collection).where(*in_project, *is_ttl).distinct()
    return found.order_by(attribute.collection).limit(bindparam("limit"))


@compiled
def _restorations() -> Statement:
    """A restoration is an update of the version, and what holds from there on says when it was."""
    attribute, update = VERSION_ATTRIBUTES.c, VERSION_UPDATES.c
    same = and_(
        update.collection == attribute.collection,
        update.version == attribute.version,
        update.from_position <= attribute.to_position,
        or_(update.to_position.is_(None), update.to_position > attribute.to_position),
    )
    of_range = (
        attribute.collection == bindparam("collection"),
        attribute.version.between(bindparam("first"), bindparam("last")),
    )
    return (
        select(attribute.version, func.count(), func.max(update.time_us))
        .select_from(VERSION_ATTRIBUTES.join(VERSION_UPDATES, same))
        .where(*of_range, was_restored())
        .group_by(attribute.version)
        .order_by(attribute.version)
    )
