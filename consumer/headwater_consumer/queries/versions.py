"""Versions, with their aliases, tags and attributes.

`at` selects a moment of the past: a position number (`positions.position_number`) in the collection's partition. Facts
are then as they were after the event at that position, and later versions do not exist.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headwater_schemas.names import parse_version
from headwater_schemas.paths import range_of_folder
from headwater_schemas.positions import position_of
from headwater_schemas.provenance import origins_of

from headwater_consumer.database import Database
from headwater_consumer.database.branches import in_one_statement
from headwater_consumer.database.compiled_statements import INTEGER_MAX, Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import Text, bindparam, cast, func, literal_column, select, type_coerce
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
from headwater_consumer.rows import (
    DELETED,
    DESCRIPTION,
    IMPORTED,
    METADATA,
    PURGED,
    RECALLED,
    TTL,
    LayerChain,
    parse_chain,
)

_ALIAS, _TAG, _UPDATED = "alias", "tag", "updated"  # fields of versions, beside those of VersionAttributeRow
_VERSION = "version"  # the branch of a statement that has a version's own row
if TYPE_CHECKING:
    from sqlalchemy import Select

VersionFacts = Mapping[str, Sequence[str]]  # field → values


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
    values = {"collection": collection, "version": version, "first": version, "last": version, "at": at}
    with database.autocommit() as connection:
        return _one_of(_one_version(at is not None).rows(connection, **values))


def version_named(database: Database, collection: str, selector: str) -> VersionInfo | None:
    """The version that "v3" or an alias names; None when there is none, or it is deleted."""
    number = parse_version(selector)
    if number is not None:
        info = version_info(database, collection, number)
        return None if info is None or info.deleted else info
    with database.autocommit() as connection:
        return _one_of(_version_of_alias_with_facts().rows(connection, collection=collection, alias=selector))


def version_infos(
    database: Database, collection: str, *, after: int | None = None, limit: int = 100, newest_first: bool = True
) -> list[VersionInfo]:
    """The live versions, at most `limit`; the next page: `after` = the last one's number."""
    if after is None:
        after = INTEGER_MAX if newest_first else -1
    with database.snapshot() as connection:
        rows = _page_of_versions(newest_first).rows(connection, collection=collection, after=after, limit=limit)
        return _infos(connection, rows)


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


def epoch_of_version(database: Database, collection: str, version: int) -> int:
    """The epoch of the event that committed a version, which exists."""
    with database.autocommit() as connection:
        row = _position_of_version().first(connection, collection=collection, version=version)
    return position_of(row[0]).epoch


def imported_origins(database: Database, collection: str) -> dict[tuple[str, str], int]:
    """(store, version there) → the version here, of all that were imported, deleted ones included."""
    with database.snapshot() as connection:
        rows = _origins().tuples(connection, collection=collection, field=IMPORTED)
    return {(one.store, one.version): version for version, text in rows for one in origins_of(text)}


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


def _one_of(rows: Sequence[Any]) -> VersionInfo | None:
    """The version of a statement that has one with its facts."""
    facts = facts_by_version([row for row in rows if row.kind != _VERSION])
    found = (info_of(row, facts[row.collection, row.version]) for row in rows if row.kind == _VERSION)
    return next(found, None)


def _infos(connection: Connection, rows: Sequence[Any]) -> list[VersionInfo]:
    """Versions of one collection with their aliases, tags and attributes."""
    if not rows:
        return []
    collection, numbers = rows[0].collection, [row.version for row in rows]
    found = _facts().rows(connection, collection=collection, first=min(numbers), last=max(numbers))
    facts = facts_by_version(found)
    return [info_of(row, facts[collection, row.version]) for row in rows]


def facts_by_version(rows: Iterable[Any]) -> Mapping[tuple[str, int], VersionFacts]:
    """(collection, version) → kind → values, from rows of the branches of `facts_of`."""
    found: defaultdict[tuple[str, int], defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.collection, row.version][row.field].append(row.value)
    return found


def info_of(row: Any, facts: VersionFacts) -> VersionInfo:
    """A version, from its row with `columns_of_version` and its facts."""
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
        aliases=tuple(sorted(facts.get(_ALIAS, ()))),
        tags=tuple(sorted(facts.get(_TAG, ()))),
        description=facts.get(DESCRIPTION, (None,))[0],
        metadata=facts.get(METADATA, ("{}",))[0],
        ttl_seconds=int(ttl[0]) if ttl else None,
        deleted=DELETED in facts,
        purged=PURGED in facts,
        recalled=facts.get(RECALLED, (None,))[0],
        imported=origins_of(facts[IMPORTED][0]) if IMPORTED in facts else (),
    )


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _version_of_alias(past: bool) -> Statement:
    return _target_of_alias(past)


def _target_of_alias(past: bool) -> "Select[Any]":
    return select(ALIASES.c.version).where(
        ALIASES.c.collection == bindparam("collection"),
        ALIASES.c.alias == bindparam("alias"),
        holds(ALIASES, past=past),
        ~is_deleted(ALIASES, past=past),
    )


@compiled
def _version_of_alias_with_facts() -> Statement:
    """The row of the version that an alias names, and those of its facts."""

    def of_target(table: Any, statement: "Select[Any]") -> "Select[Any]":
        target = _target_of_alias(False).correlate(None).scalar_subquery()  # though facts are of the same tables
        return statement.where(table.c.collection == bindparam("collection"), table.c.version == target)

    facts = {kind: of_target(table, statement) for kind, (table, statement) in facts_of().items()}
    return in_one_statement({_VERSION: of_target(VERSIONS, _versions_with_type()), **facts})


@compiled
def _live_version(past: bool) -> Statement:
    statement = select(VERSIONS.c.version).where(
        VERSIONS.c.collection == bindparam("collection"),
        VERSIONS.c.version == bindparam("version"),
        ~is_deleted(past=past),
    )
    return statement.where(VERSIONS.c.position <= bindparam("at")) if past else statement


def columns_of_version() -> list[Any]:
    """Of a version and its collection: what a VersionInfo has that never changes."""
    return [*[column for column in VERSIONS.c if column.name not in ("position", "clock_us")], COLLECTIONS.c.type]


def _versions_with_type() -> "Select[Any]":
    joined = VERSIONS.join(COLLECTIONS, COLLECTIONS.c.collection == VERSIONS.c.collection)
    return select(*columns_of_version()).select_from(joined)


@compiled
def _one_version(past: bool) -> Statement:
    """The row of a version, and those of its facts."""
    version = _versions_with_type().where(
        VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version")
    )
    if past:
        version = version.where(VERSIONS.c.position <= bindparam("at"))
    return in_one_statement({_VERSION: version, **_facts_in_range(past)})


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
def _facts() -> Statement:
    """All facts about the versions of a range."""
    return in_one_statement(_facts_in_range(False))


def _facts_in_range(past: bool) -> "dict[str, Select[Any]]":
    return {
        kind: facts.where(
            table.c.collection == bindparam("collection"),
            table.c.version.between(bindparam("first"), bindparam("last")),
        )
        for kind, (table, facts) in facts_of(past=past).items()
    }


def facts_of(*, past: bool = False) -> "dict[str, tuple[Any, Select[Any]]]":
    """The facts about versions, each with the table that it is of: (collection, version, field, value)."""
    sources: list[tuple[Any, Any, Any]] = [
        (ALIASES, literal_column(f"'{_ALIAS}'"), ALIASES.c.alias),
        (TAGS, literal_column(f"'{_TAG}'"), TAGS.c.tag),
        (VERSION_ATTRIBUTES, VERSION_ATTRIBUTES.c.field, VERSION_ATTRIBUTES.c.value),
        (VERSION_UPDATES, literal_column(f"'{_UPDATED}'"), cast(VERSION_UPDATES.c.time_us, Text())),
    ]
    facts = {}
    for table, field, value in sources:
        texts = type_coerce(field, Text()).label("field"), type_coerce(value, Text()).label("value")
        facts[table.name] = table, select(table.c.collection, table.c.version, *texts).where(holds(table, past=past))
    return facts


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
def _position_of_version() -> Statement:
    return select(VERSIONS.c.position).where(
        VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version")
    )


@compiled
def _origins() -> Statement:
    given = VERSION_ATTRIBUTES
    return (
        select(given.c.version, given.c.value)
        .where(given.c.collection == bindparam("collection"), given.c.field == bindparam("field"), holds(given))
        .order_by(given.c.version)
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
