"""What versions and collections there are, and what is said about them.

`at` asks for the past: a position number (`positions.position_number`) in the partition of the collection. Facts are
then as they stood after the event at that position, and versions made later are not there.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

from headwater_schemas.names import parse_version
from headwater_schemas.paths import range_of_folder
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)

from headwater_consumer.asking import INTEGER_MAX, Statement, holds
from headwater_consumer.database import Database
from headwater_consumer.queries.answers import CollectionInfo, VersionInfo
from headwater_consumer.rows import (
    DELETED,
    DESCRIPTION,
    METADATA,
    RECALLED,
    TTL,
    Alias,
    Collection,
    ContestedPath,
    Tag,
    Version,
    VersionDigest,
    VersionFact,
    VersionUpdate,
)

VERSIONS, COLLECTIONS, FACTS = Version.table, Collection.table, VersionFact.table
_ALIAS, _TAG, _UPDATED = "alias", "tag", "updated"  # beside the fields of VersionFact


def resolve_version(database: Database, collection: str, selector: str, *, at: int | None = None) -> int | None:
    """The version that "v3" or an alias names; None when there is none, or it is deleted."""
    number, past = parse_version(selector), at is not None
    with database.asking() as connection:
        if number is None:
            row = _version_of_alias(past).first(connection, collection=collection, alias=selector, at=at)
        else:
            row = _live_version(past).first(connection, collection=collection, version=number, at=at)
    return None if row is None else int(row[0])


def version_info(database: Database, collection: str, version: int, *, at: int | None = None) -> VersionInfo | None:
    """A version, also a deleted one; None when there never was one."""
    past = at is not None
    with database.reading() as connection:
        row = _one_version(past).first(connection, collection=collection, version=version, at=at)
        infos = [] if row is None else _infos(connection, [row], at)
    return infos[0] if infos else None


def version_infos(
    database: Database, collection: str, *, after: int | None = None, limit: int = 100, newest_first: bool = True
) -> list[VersionInfo]:
    """The versions that are not deleted, at most `limit`; go on with `after` = the last one's number."""
    if after is None:
        after = INTEGER_MAX if newest_first else -1
    with database.reading() as connection:
        rows = _page_of_versions(newest_first).rows(connection, collection=collection, after=after, limit=limit)
        return _infos(connection, rows, None)


def count_versions(database: Database, collection: str, *, after: int) -> int:
    """How many versions that are not deleted `version_infos` lists after this one, the newest first."""
    with database.asking() as connection:
        return int(_older_count().first(connection, collection=collection, after=after)[0])


def version_with_digest(database: Database, collection: str, digest: str) -> int | None:
    """The live version of a collection that has this content."""
    with database.asking() as connection:
        row = _version_with_digest().first(connection, collection=collection, digest=digest)
    return None if row is None else row[0]


def project_has_digest(database: Database, project: str, digest: str) -> bool:
    """Whether any version of "entity/project" has or had this content, deleted ones included."""
    start, end = range_of_folder(project)
    with database.asking() as connection:
        return _version_in_project_with_digest().first(connection, digest=digest, start=start, end=end) is not None


def collections(
    database: Database,
    project: str | None,
    *,
    type: str | None = None,  # noqa: A002 - the word that users know
    after: str | None = None,
    limit: int = 100,
) -> list[CollectionInfo]:
    """The collections of "entity/project", or of all, by name and at most `limit`; go on with `after` = the last name.

    Those of which every version is deleted are left out. Cost: looks at all that is said about the versions of each
    collection on the page.
    """
    start, end = range_of_folder(project) if project is not None else ("", None)
    start = max(start, after or "")
    statement = _page_of_collections(end is not None, type is not None)
    with database.asking() as connection:
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
    with database.asking() as connection:
        count = _collection_count(type is not None).first(connection, project=project, type=type, after=after or "")
    return int(count[0])


def artifact_types(database: Database, project: str, *, after: str | None = None, limit: int = 100) -> list[str]:
    """The types of the collections of "entity/project" that have versions, by name and at most `limit`.

    Go on with `after` = the last one.
    """
    with database.asking() as connection:
        rows = _page_of_types().rows(connection, project=project, after=after or "", limit=limit)
    return [row[0] for row in rows]


def count_artifact_types(database: Database, project: str, *, after: str | None = None) -> int:
    """How many types `artifact_types` lists in all, or after the one named `after`."""
    with database.asking() as connection:
        return int(_type_count().first(connection, project=project, after=after or "")[0])


def contested_paths(
    database: Database, collection: str, version: int, *, after: str | None = None, limit: int = 1000
) -> list[str]:
    """The paths that different writers of a version's draft wrote, in order and at most `limit`.

    Go on with `after` = the last one.
    """
    with database.asking() as connection:
        rows = _page_of_contested().rows(
            connection, collection=collection, version=version, after=after or "", limit=limit
        )
    return [row[0] for row in rows]


def collection_info(database: Database, collection: str) -> CollectionInfo | None:
    """A collection, also one of which every version is deleted; None when nothing was ever committed to it."""
    with database.asking() as connection:
        row = _one_collection().first(connection, collection=collection)
    return None if row is None else CollectionInfo(*row)


# --- putting it together ----------------------------------------------------------------------------------------


def _infos(connection: Connection, rows: Sequence[Any], at: int | None) -> list[VersionInfo]:
    """Versions of one collection with all that is said about them."""
    if not rows:
        return []
    numbers = [row.version for row in rows]
    said: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    facts = _facts(at is not None).rows(
        connection, collection=rows[0].collection, first=min(numbers), last=max(numbers), at=at
    )
    for (version, kind), of_kind in groupby(facts, key=lambda fact: (fact[0], fact[1])):
        said[version][kind] = tuple([fact[2] for fact in of_kind])
    return [_info(row, said[row.version]) for row in rows]


def _info(row: Any, said: dict[str, tuple[str, ...]]) -> VersionInfo:
    ttl = said.get(TTL)
    return VersionInfo(
        collection=row.collection,
        type=row.type,
        version=row.version,
        digest=row.digest,
        sum_state=bytes(row.sum_state),
        entry_count=row.entry_count,
        size_bytes=row.size_bytes,
        layers=tuple([int(layer) for layer in row.layers.split(",")]) if row.layers else (),
        base=row.base,
        run=row.run,
        contested=row.contested,
        draft=row.draft,
        created_us=row.created_us,
        updated_us=int(said[_UPDATED][0]) if _UPDATED in said else row.created_us,
        who=row.who,
        message=row.message,
        aliases=said.get(_ALIAS, ()),
        tags=said.get(_TAG, ()),
        description=said.get(DESCRIPTION, (None,))[0],
        metadata=said.get(METADATA, ("{}",))[0],
        ttl_seconds=int(ttl[0]) if ttl else None,
        deleted=DELETED in said,
        recalled=said.get(RECALLED, (None,))[0],
    )


# --- statements -------------------------------------------------------------------------------------------------


def _is_deleted(collection: ColumnElement[str], version: ColumnElement[int], past: bool) -> ColumnElement[bool]:
    return exists().where(
        FACTS.c.collection == collection, FACTS.c.version == version, FACTS.c.field == DELETED, holds(FACTS, past)
    )


@cache
def _version_of_alias(past: bool) -> Statement:
    aliases = Alias.table
    return Statement(
        select(aliases.c.version).where(
            aliases.c.collection == bindparam("collection"),
            aliases.c.alias == bindparam("alias"),
            holds(aliases, past),
            ~_is_deleted(aliases.c.collection, aliases.c.version, past),
        )
    )


@cache
def _live_version(past: bool) -> Statement:
    statement = select(VERSIONS.c.version).where(
        VERSIONS.c.collection == bindparam("collection"),
        VERSIONS.c.version == bindparam("version"),
        ~_is_deleted(VERSIONS.c.collection, VERSIONS.c.version, past),
    )
    return Statement(statement.where(VERSIONS.c.position <= bindparam("at")) if past else statement)


def _versions_with_type() -> Select[Any]:
    joined = VERSIONS.join(COLLECTIONS, COLLECTIONS.c.collection == VERSIONS.c.collection)
    return select(VERSIONS, COLLECTIONS.c.type).select_from(joined)


@cache
def _one_version(past: bool) -> Statement:
    statement = _versions_with_type().where(
        VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version")
    )
    return Statement(statement.where(VERSIONS.c.position <= bindparam("at")) if past else statement)


@cache
def _page_of_versions(newest_first: bool) -> Statement:
    after: Any = bindparam("after")
    return Statement(
        _versions_with_type()
        .where(
            VERSIONS.c.collection == bindparam("collection"),
            VERSIONS.c.version < after if newest_first else VERSIONS.c.version > after,
            ~_is_deleted(VERSIONS.c.collection, VERSIONS.c.version, past=False),
        )
        .order_by(VERSIONS.c.version.desc() if newest_first else VERSIONS.c.version)
        .limit(bindparam("limit"))
    )


@cache
def _older_count() -> Statement:
    after: Any = bindparam("after")
    return Statement(
        select(func.count()).where(
            VERSIONS.c.collection == bindparam("collection"),
            VERSIONS.c.version < after,
            ~_is_deleted(VERSIONS.c.collection, VERSIONS.c.version, past=False),
        )
    )


@cache
def _facts(past: bool) -> Statement:
    """(version, kind, value) of all that is said about the versions of a range, by version, kind and value."""

    def said(table: Any, kind: ColumnElement[str], value: ColumnElement[str]) -> Select[Any]:
        return select(table.c.version, kind.label("kind"), value.label("value")).where(
            table.c.collection == bindparam("collection"),
            table.c.version.between(bindparam("first"), bindparam("last")),
            holds(table, past),
        )

    aliases, tags, updates = Alias.table, Tag.table, VersionUpdate.table
    return Statement(
        union_all(
            said(aliases, literal(_ALIAS), aliases.c.alias),
            said(tags, literal(_TAG), tags.c.tag),
            said(FACTS, FACTS.c.field, FACTS.c.value),
            said(updates, literal(_UPDATED), cast(updates.c.time_us, Text)),
        ).order_by("version", "kind", "value")
    )


@cache
def _version_with_digest() -> Statement:
    table = VersionDigest.table
    return Statement(
        select(table.c.version).where(
            table.c.collection == bindparam("collection"), table.c.digest == bindparam("digest")
        )
    )


@cache
def _version_in_project_with_digest() -> Statement:
    return Statement(
        select(VERSIONS.c.version)
        .where(
            VERSIONS.c.digest == bindparam("digest"),
            VERSIONS.c.collection >= bindparam("start"),
            VERSIONS.c.collection < bindparam("end"),
        )
        .limit(1)
    )


def _collections_with_counts() -> Select[Any]:
    deleted = (
        select(func.count())
        .select_from(FACTS)
        .where(
            FACTS.c.collection == COLLECTIONS.c.collection, FACTS.c.field == DELETED, holds(FACTS, past=False)
        )  # numbers are dense, so that what is not deleted need not be counted
    )
    live = COLLECTIONS.c.next_version - deleted.scalar_subquery()
    return select(COLLECTIONS.c.collection, COLLECTIONS.c.type, live, COLLECTIONS.c.created_us)


def _has_versions() -> ColumnElement[bool]:
    """Of a collection: not all of its versions are deleted. Looks from the newest on, which seldom is."""
    newest = (
        select(VERSIONS.c.version)
        .where(
            VERSIONS.c.collection == COLLECTIONS.c.collection,
            ~_is_deleted(VERSIONS.c.collection, VERSIONS.c.version, past=False),
        )
        .order_by(VERSIONS.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    return newest.is_not(None)


@cache
def _page_of_collections(bounded: bool, of_type: bool) -> Statement:
    statement = _collections_with_counts().where(COLLECTIONS.c.collection > bindparam("start"), _has_versions())
    if bounded:
        statement = statement.where(COLLECTIONS.c.collection < bindparam("end"))
    if of_type:
        statement = statement.where(COLLECTIONS.c.type == bindparam("type"))
    return Statement(statement.order_by(COLLECTIONS.c.collection).limit(bindparam("limit")))


@cache
def _collection_count(of_type: bool) -> Statement:
    statement = select(func.count()).where(
        COLLECTIONS.c.project == bindparam("project"), COLLECTIONS.c.collection > bindparam("after"), _has_versions()
    )
    return Statement(statement.where(COLLECTIONS.c.type == bindparam("type")) if of_type else statement)


@cache
def _page_of_types() -> Statement:
    return Statement(
        select(COLLECTIONS.c.type)
        .where(COLLECTIONS.c.project == bindparam("project"), COLLECTIONS.c.type > bindparam("after"), _has_versions())
        .distinct()
        .order_by(COLLECTIONS.c.type)
        .limit(bindparam("limit"))
    )


@cache
def _type_count() -> Statement:
    return Statement(
        select(func.count(COLLECTIONS.c.type.distinct())).where(
            COLLECTIONS.c.project == bindparam("project"), COLLECTIONS.c.type > bindparam("after"), _has_versions()
        )
    )


@cache
def _page_of_contested() -> Statement:
    table = ContestedPath.table
    return Statement(
        select(table.c.path)
        .where(
            table.c.collection == bindparam("collection"),
            table.c.version == bindparam("version"),
            table.c.path > bindparam("after"),
        )
        .order_by(table.c.path)
        .limit(bindparam("limit"))
    )


@cache
def _one_collection() -> Statement:
    return Statement(_collections_with_counts().where(COLLECTIONS.c.collection == bindparam("collection")))
