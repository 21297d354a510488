"""Search: collections by a part of their name, and versions by tag, by a value of their metadata and by digest.

Each search looks at a range of collections, within bounds: of rows, of findings and of time.
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import COLLECTIONS, TAGS, VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.queries.artifact_collections import has_live_version
from headwater_consumer.queries.containing import EVERYWHERE, occurrences_of
from headwater_consumer.rows import METADATA

FOUND_MAX = 10_000  # by one search; nobody reads more
SEARCH_S_MAX = 3.0  # then it ends with what it found
ROWS_AT_ONCE = 2_000  # of those that no index chooses


class Finding(NamedTuple):
    """A collection, a version of it, or a path in that."""

    collection: str
    version: int | None
    path: str | None


class Findings(NamedTuple):
    """What a search found."""

    found: list[Finding]
    complete: bool  # everything was looked at


def search_names(database: Database, scope: str | None, text: str, *, seconds_max: float = SEARCH_S_MAX) -> Findings:
    """The collections with live versions whose name contains `text`, in either case, by name.

    `scope`, here and below: an entity or "entity/project"; None: everywhere. Cost: the names in it.
    """
    wanted = text.lower()

    def found() -> Iterator[Finding | None]:
        for row in rows_in_scope(database, _names(), scope):
            hit = wanted in row.collection.rpartition("/")[2].lower()
            yield Finding(row.collection, None, None) if hit else None

    return _bounded(found(), seconds_max)


def search_tags(database: Database, scope: str | None, tag: str) -> Findings:
    """The live versions that have a tag, by collection and number."""
    return _bounded(
        Finding(row.collection, row.version, None) for row in rows_in_scope(database, _tagged(), scope, tag=tag)
    )


def search_metadata(database: Database, scope: str | None, key: str, value: str) -> Findings:
    """The live versions whose metadata has this value at its top: as text, or as JSON. Cost: the metadata in the scope.

    Order: as `search_tags`.
    """
    wanted: list[Any] = [value]
    with suppress(ValueError):
        wanted.append(json.loads(value))

    def found() -> Iterator[Finding | None]:
        named = f"{json.dumps(key, ensure_ascii=False)}:"
        for row in rows_in_scope(database, with_metadata(), scope, field=METADATA):
            hit = named in row.value and _is_among(json.loads(row.value).get(key), wanted)
            yield Finding(row.collection, row.version, None) if hit else None

    return _bounded(found())


def search_version_digest(database: Database, scope: str | None, digest: str) -> Findings:
    """The live versions with this content, by collection and number."""
    rows = rows_in_scope(database, _with_digest(), scope, digest=digest)
    return _bounded(Finding(row.collection, row.version, None) for row in rows)


def search_content(
    database: Database, scope: str | None, digest: bytes, *, seconds_max: float = SEARCH_S_MAX
) -> Findings:
    """The live versions with an entry that has this content, each with its path, in no order that means anything."""

    def found() -> Iterator[Finding]:
        with database.snapshot() as connection:
            for one in occurrences_of(connection, digest, _range(scope), live=True):
                yield Finding(*one)

    return _bounded(found(), seconds_max)


def _bounded(found: Iterator[Finding | None], seconds_max: float = SEARCH_S_MAX) -> Findings:
    """None: a row that was looked at in vain."""
    deadline = time.monotonic() + seconds_max
    hits: list[Finding] = []
    for one in found:
        if len(hits) == FOUND_MAX or time.monotonic() > deadline:
            return Findings(hits, False)
        if one is not None:
            hits.append(one)
    return Findings(hits, True)


def _is_among(value: Any, wanted: list[Any]) -> bool:
    """Of the same type too: true is not 1 here."""
    return any(type(value) is type(one) and value == one for one in wanted)


def _range(scope: str | None) -> tuple[str, str]:
    return EVERYWHERE if scope is None else range_of_folder(scope)


def rows_in_scope(database: Database, statement: Any, scope: str | None, **values: object) -> Iterator[Any]:
    """The rows of a statement of collections and versions in order, by pages, each from a snapshot of its own.

    Its parameters: those after `collection` and `version` and before the collection `end`, at most `limit`.
    """
    start, end = _range(scope)
    after: tuple[str, int] = (start, -1)
    while True:
        with database.autocommit() as connection:
            collection, version = after
            rows = statement.rows(
                connection, collection=collection, version=version, end=end, limit=ROWS_AT_ONCE, **values
            )
        yield from rows
        if len(rows) < ROWS_AT_ONCE:
            return
        after = rows[-1].collection, rows[-1].version


# --- statements -------------------------------------------------------------------------------------------------


def in_range(table: Any) -> Any:
    """Behind a version, before the end of a range of collections. An index can begin with the first condition."""
    collection: Any = bindparam("collection")
    later = or_(
        table.c.collection > collection,
        and_(table.c.collection == collection, table.c.version > bindparam("version")),
    )
    return and_(table.c.collection >= collection, table.c.collection < bindparam("end"), later)


def in_order(statement: Any, table: Any) -> Statement:
    ordered: Statement = statement.order_by(table.c.collection, table.c.version).limit(bindparam("limit"))
    return ordered


@compiled
def _names() -> Statement:
    version: Any = bindparam("version")  # the names of collections alone are a key
    within = COLLECTIONS.c.collection > bindparam("collection"), COLLECTIONS.c.collection < bindparam("end")
    found = select(COLLECTIONS.c.collection, version.label("version")).where(*within, has_live_version())
    return found.order_by(COLLECTIONS.c.collection).limit(bindparam("limit"))


@compiled
def _tagged() -> Statement:
    is_it = TAGS.c.tag == bindparam("tag"), holds(TAGS), in_range(TAGS), ~is_deleted(TAGS)
    return in_order(select(TAGS.c.collection, TAGS.c.version).where(*is_it), TAGS)


@compiled
def with_metadata() -> Statement:
    table: Any = VERSION_ATTRIBUTES.alias("given")  # whether a version is deleted is in the same table
    is_it = table.c.field == bindparam("field"), holds(table), in_range(table), ~is_deleted(table)
    return in_order(select(table.c.collection, table.c.version, table.c.value).where(*is_it), table)


@compiled
def _with_digest() -> Statement:
    is_it = VERSIONS.c.digest == bindparam("digest"), in_range(VERSIONS), ~is_deleted()
    return in_order(select(VERSIONS.c.collection, VERSIONS.c.version).where(*is_it), VERSIONS)
