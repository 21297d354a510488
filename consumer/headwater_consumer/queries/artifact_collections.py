"""Collections, and the types of their artifacts."""

from typing import TYPE_CHECKING, Any

from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted, is_field
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import COLLECTIONS, VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.queries.results import CollectionInfo
from headwater_consumer.rows import DELETED

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select


def collections(
    database: Database,
    project: str | None,
    *,
    type: str | None = None,  # noqa: A002 - the word that users know
    after: str | None = None,
    limit: int = 100,
) -> list[CollectionInfo]:
    """The collections of "entity/project", or of all projects, by name and at most `limit`.

    The next page: `after` = the last name. Collections without a live version are left out. Cost: counts the deleted
    versions of each collection on the page.
    """
    start, end = range_of_folder(project) if project is not None else ("", None)
    start = max(start, after or "")
    statement = _page_of_collections(end is not None, type is not None)
    with database.autocommit() as connection:
        rows = statement.rows(connection, start=start, end=end, type=type, limit=limit)
    return [CollectionInfo(*row) for row in rows]


def count_collections(
    database: Database,
    project: str,
    *,
    type: str | None = None,  # noqa: A002
    after: str | None = None,
) -> int:
    """How many collections `collections` lists in all, or after the one named `after`."""
    with database.autocommit() as connection:
        count = _collection_count(type is not None).first(connection, project=project, type=type, after=after or "")
    return int(count[0])


def artifact_types(database: Database, project: str, *, after: str | None = None, limit: int = 100) -> list[str]:
    """The types of the collections of "entity/project" that have versions, by name and at most `limit`.

    The next page: `after` = the last one. Cost: some index look-ups for each, however many collections are of it.
    """
    with database.autocommit() as connection:
        rows = _page_of_types().rows(connection, project=project, after=after or "", limit=limit)
    return [row[0] for row in rows]


def count_artifact_types(database: Database, project: str, *, after: str | None = None) -> int:
    """How many types `artifact_types` lists in all, or after the one named `after`."""
    with database.autocommit() as connection:
        return int(_type_count().first(connection, project=project, after=after or "")[0])


def collection_info(database: Database, collection: str) -> CollectionInfo | None:
    """A collection, even if every version of it is deleted; None when nothing was ever committed to it."""
    with database.autocommit() as connection:
        row = _one_collection().first(connection, collection=collection)
    return None if row is None else CollectionInfo(*row)


# --- statements -------------------------------------------------------------------------------------------------


def _collections_with_counts() -> "Select[Any]":
    deleted = (
        select(func.count())
        .select_from(VERSION_ATTRIBUTES)
        .where(
            VERSION_ATTRIBUTES.c.collection == COLLECTIONS.c.collection,
            is_field(VERSION_ATTRIBUTES, DELETED),
            holds(VERSION_ATTRIBUTES),
        )  # numbers are dense, so that live versions need not be counted
    )
    live = COLLECTIONS.c.next_version - deleted.scalar_subquery()
    return select(COLLECTIONS.c.collection, COLLECTIONS.c.type, live, COLLECTIONS.c.created_us)


def has_live_version(collections: "FromClause" = COLLECTIONS) -> "ColumnElement[bool]":
    """A row of `collections` has a live version. Searches from the newest, which is rarely deleted."""
    newest = (
        select(VERSIONS.c.version)
        .where(
            VERSIONS.c.collection == collections.c.collection,
            ~is_deleted(),
        )
        .order_by(VERSIONS.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    return newest.is_not(None)


@compiled
def _page_of_collections(bounded: bool, of_type: bool) -> Statement:
    statement = _collections_with_counts().where(COLLECTIONS.c.collection > bindparam("start"), has_live_version())
    if bounded:
        statement = statement.where(COLLECTIONS.c.collection < bindparam("end"))
    if of_type:
        statement = statement.where(COLLECTIONS.c.type == bindparam("type"))
    return statement.order_by(COLLECTIONS.c.collection).limit(bindparam("limit"))


@compiled
def _collection_count(of_type: bool) -> Statement:
    statement = select(func.count()).where(
        COLLECTIONS.c.project == bindparam("project"), COLLECTIONS.c.collection > bindparam("after"), has_live_version()
    )
    return statement.where(COLLECTIONS.c.type == bindparam("type")) if of_type else statement


@compiled
def _page_of_types() -> Statement:
    """Each type is looked up after the one before; a project can have many collections of one."""
    table, following, of_type = COLLECTIONS, COLLECTIONS.alias("following"), COLLECTIONS.alias("of_type")
    first = select(func.min(table.c.type).label("type")).where(
        table.c.project == bindparam("project"), table.c.type > bindparam("after")
    )
    walk: Any = first.cte("walk", recursive=True)
    after_it = select(func.min(following.c.type)).where(
        following.c.project == bindparam("project"), following.c.type > walk.c.type
    )
    walk = walk.union_all(select(after_it.scalar_subquery()).where(walk.c.type.is_not(None)))
    one_of_it = select(of_type.c.collection).where(
        of_type.c.project == bindparam("project"), of_type.c.type == walk.c.type, has_live_version(of_type)
    )
    is_there = one_of_it.limit(1).correlate(walk).scalar_subquery().is_not(None)
    return select(walk.c.type).where(walk.c.type.is_not(None), is_there).limit(bindparam("limit"))


@compiled
def _type_count() -> Statement:
    return select(func.count(COLLECTIONS.c.type.distinct())).where(
        COLLECTIONS.c.project == bindparam("project"), COLLECTIONS.c.type > bindparam("after"), has_live_version()
    )


@compiled
def _one_collection() -> Statement:
    return _collections_with_counts().where(COLLECTIONS.c.collection == bindparam("collection"))
