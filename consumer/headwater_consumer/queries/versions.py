"""Versions, with their aliases, tags and attributes.

`at` selects a moment of the past: a position number (`positions.position_number`) in the collection's partition. Facts
are then as they were after the event at that position, and later versions do not exist.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from headwater_schemas.names import parse_version
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX, Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import Text, bindparam, cast, func, literal, select, union_all
from headwater_consumer.database.tables import (
    ALIASES,
    COLLECTIONS,
    CONTESTED_PATHS,
    TAGS,
    VERSION_ATTRIBUTES,
    VERSION_DIGESTS,
    VERSION_UPDATES,
    VERSIONS,
)
from headwater_consumer.queries.results import VersionInfo
from headwater_consumer.rows import DELETED, DESCRIPTION, METADATA, RECALLED, TTL, LayerChain, parse_chain

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

_ALIAS, _TAG, _UPDATED = "alias", "tag", "updated"  # kinds of facts, beside the fields of VersionAttributeRow


def resolve_version(database: Database, collection: str, selector: str, *, at: int | None = None) -> int | None:
    """The version that "v3" or an alias names; None when there is none, or it is deleted."""
    number, past = parse_version(selector), at is not None
    with database.autocommit() as connection:
        if number is None:
            row = _version_of_alias(past).first(connection, collection=collection, alias=selector, at=at)
        else:
            row = _live_version(past).first(connection, collection=collection, version=number, at=at)
    return None if row is None else int(row[0])


def version_info(database: Database, collection: str, version: int, *, at: int | None = None) -> VersionInfo | None:
    """A version, even if it is deleted; None when it never existed."""
    past = at is not None
    with database.snapshot() as connection:
        row = _one_version(past).first(connection, collection=collection, version=version, at=at)
        infos = [] if row is None else _infos(connection, [row], at)
    return infos[0] if infos else None


def version_infos(
    database: Database, collection: str, *, after: int | None = None, limit: int = 100, newest_first: bool = True
) -> list[VersionInfo]:
    """The live versions, at most `limit`; the next page: `after` = the last one's number."""
    if after is None:
        after = INTEGER_MAX if newest_first else -1
    with database.snapshot() as connection:
        rows = _page_of_versions(newest_first).rows(connection, collection=collection, after=after, limit=limit)
        return _infos(connection, rows, None)


def count_versions(database: Database, collection: str, *, after: int) -> int:
    """How many live versions `version_infos` lists after this one, the newest first."""
    with database.autocommit() as connection:
        return int(_older_count().first(connection, collection=collection, after=after)[0])


def version_with_digest(database: Database, collection: str, digest: str) -> int | None:
    """The live version of a collection that has this content."""
    with database.autocommit() as connection:
        row = _version_with_digest().first(connection, collection=collection, digest=digest)
    return None if row is None else row[0]


def layers_with_digest(database: Database, project: str, digest: str) -> LayerChain | None:
    """The layers of any version of "entity/project" that has this content, deleted ones included."""
    start, end = range_of_folder(project)
    with database.autocommit() as connection:
        row = _layers_in_project_with_digest().first(connection, digest=digest, start=start, end=end)
    return None if row is None else parse_chain(row[0])


def contested_paths(
    database: Database, collection: str, version: int, *, after: str | None = None, limit: int = 1000
) -> list[str]:
    """The paths that different writers of a version's draft wrote, in order and at most `limit`.

    The next page: `after` = the last one.
    """
    with database.autocommit() as connection:
        rows = _page_of_contested().rows(
            connection, collection=collection, version=version, after=after or "", limit=limit
        )
    return [row[0] for row in rows]


# --- results ----------------------------------------------------------------------------------------------------


def _infos(connection: Connection, rows: Sequence[Any], at: int | None) -> list[VersionInfo]:
    """Versions of one collection with their aliases, tags and attributes."""
    if not rows:
        return []
    numbers = [row.version for row in rows]
    facts: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    found = _facts(at is not None).rows(
        connection, collection=rows[0].collection, first=min(numbers), last=max(numbers), at=at
    )
    for (version, kind), of_kind in groupby(found, key=lambda fact: (fact[0], fact[1])):
        facts[version][kind] = tuple([fact[2] for fact in of_kind])
    return [_info(row, facts[row.version]) for row in rows]


def _info(row: Any, facts: dict[str, tuple[str, ...]]) -> VersionInfo:
    ttl = facts.get(TTL)
    return VersionInfo(
        collection=row.collection,
        type=row.type,
        version=row.version,
        digest=row.digest,
        sum_state=bytes(row.sum_state),
        entry_count=row.entry_count,
        size_bytes=row.size_bytes,
        layers=parse_chain(row.layers),
        base=row.base,
        run=row.run,
        contested_count=row.contested_count,
        draft=row.draft,
        created_us=row.created_us,
        append_us=row.append_us,
        updated_us=int(facts[_UPDATED][0]) if _UPDATED in facts else row.created_us,
        author=row.author,
        message=row.message,
        aliases=facts.get(_ALIAS, ()),
        tags=facts.get(_TAG, ()),
        description=facts.get(DESCRIPTION, (None,))[0],
        metadata=facts.get(METADATA, ("{}",))[0],
        ttl_seconds=int(ttl[0]) if ttl else None,
        deleted=DELETED in facts,
        recalled=facts.get(RECALLED, (None,))[0],
    )


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _version_of_alias(past: bool) -> Statement:
    return select(ALIASES.c.version).where(
        ALIASES.c.collection == bindparam("collection"),
        ALIASES.c.alias == bindparam("alias"),
        holds(ALIASES, past=past),
        ~is_deleted(ALIASES, past=past),
    )


@compiled
def _live_version(past: bool) -> Statement:
    statement = select(VERSIONS.c.version).where(
        VERSIONS.c.collection == bindparam("collection"),
        VERSIONS.c.version == bindparam("version"),
        ~is_deleted(past=past),
    )
    return statement.where(VERSIONS.c.position <= bindparam("at")) if past else statement


def _versions_with_type() -> "Select[Any]":
    joined = VERSIONS.join(COLLECTIONS, COLLECTIONS.c.collection == VERSIONS.c.collection)
    return select(VERSIONS, COLLECTIONS.c.type).select_from(joined)


@compiled
def _one_version(past: bool) -> Statement:
    statement = _versions_with_type().where(
        VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version")
    )
    return statement.where(VERSIONS.c.position <= bindparam("at")) if past else statement


@compiled
def _page_of_versions(newest_first: bool) -> Statement:
    after: Any = bindparam("after")
    return (
        _versions_with_type()
        .where(
            VERSIONS.c.collection == bindparam("collection"),
            VERSIONS.c.version < after if newest_first else VERSIONS.c.version > after,
            ~is_deleted(),
        )
        .order_by(VERSIONS.c.version.desc() if newest_first else VERSIONS.c.version)
        .limit(bindparam("limit"))
    )


@compiled
def _older_count() -> Statement:
    after: Any = bindparam("after")
    return select(func.count()).where(
        VERSIONS.c.collection == bindparam("collection"),
        VERSIONS.c.version < after,
        ~is_deleted(),
    )


@compiled
def _facts(past: bool) -> Statement:
    """(version, kind, value) of all facts about the versions of a range, by version, kind and value."""

    def facts_of(table: Any, kind: "ColumnElement[str]", value: "ColumnElement[str]") -> "Select[Any]":
        return select(table.c.version, kind.label("kind"), value.label("value")).where(
            table.c.collection == bindparam("collection"),
            table.c.version.between(bindparam("first"), bindparam("last")),
            holds(table, past=past),
        )

    return union_all(
        facts_of(ALIASES, literal(_ALIAS), ALIASES.c.alias),
        facts_of(TAGS, literal(_TAG), TAGS.c.tag),
        facts_of(VERSION_ATTRIBUTES, VERSION_ATTRIBUTES.c.field, VERSION_ATTRIBUTES.c.value),
        facts_of(VERSION_UPDATES, literal(_UPDATED), cast(VERSION_UPDATES.c.time_us, Text())),
    ).order_by("version", "kind", "value")


@compiled
def _version_with_digest() -> Statement:
    return select(VERSION_DIGESTS.c.version).where(
        VERSION_DIGESTS.c.collection == bindparam("collection"), VERSION_DIGESTS.c.digest == bindparam("digest")
    )


@compiled
def _layers_in_project_with_digest() -> Statement:
    return (
        select(VERSIONS.c.layers)
        .where(
            VERSIONS.c.digest == bindparam("digest"),
            VERSIONS.c.collection >= bindparam("start"),
            VERSIONS.c.collection < bindparam("end"),
        )
        .limit(1)
    )


@compiled
def _page_of_contested() -> Statement:
    return (
        select(CONTESTED_PATHS.c.path)
        .where(
            CONTESTED_PATHS.c.collection == bindparam("collection"),
            CONTESTED_PATHS.c.version == bindparam("version"),
            CONTESTED_PATHS.c.path > bindparam("after"),
        )
        .order_by(CONTESTED_PATHS.c.path)
        .limit(bindparam("limit"))
    )
