"""How much room each version took: what it added to its collection and its project, and who still needs that.

Content is stored once in a project. So each content is counted where it came first: for the version whose layer is the
first in the collection that has it, and once more, for the project, where no other collection had it before. Sums over
versions are therefore what a collection, or a project, takes up.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headwater_schemas.names import CollectionName
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import is_deleted, is_object_of_project, is_purged, object_ranges
from headwater_consumer.database.sql import and_, bindparam, exists, or_, select
from headwater_consumer.database.tables import COLLECTIONS, ENTRIES, VERSION_LAYERS, VERSIONS
from headwater_consumer.queries.holders import Holders
from headwater_consumer.queries.results import KeptUsage
from headwater_consumer.rows import parse_chain

VERSIONS_PER_PAGE = 200  # what is learned of the holders of their content is kept for so many
ROWS_PER_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class AddedBytes:
    """Bytes of contents that nothing had before."""

    needed: int  # a live version or an open draft of the project has them now, or the base of an open draft
    reclaimable: int  # only deleted versions have them


NOTHING_ADDED = AddedBytes(0, 0)


@dataclass(frozen=True, slots=True)
class VersionUsage:
    """One version, also if it is deleted, and what it added."""

    version: int
    deleted: bool
    purged: bool  # deleted for good: nothing restores it
    files: int  # references included
    size_bytes: int  # of all its files, whoever has them too, and of what it references
    created_us: int
    to_collection: AddedBytes  # of contents that no earlier layer of the collection has
    to_project: AddedBytes  # of those, of contents that no earlier layer of the project has


def numbered_collections(
    database: Database, project: str, *, after: str | None = None, limit: int = 100
) -> list[tuple[str, int]]:
    """The collections of "entity/project", each with how many versions it ever had; by name, at most `limit`.

    Those of which every version is deleted are among them: their content still takes room. The next page: `after` =
    the last one's name.
    """
    start, end = range_of_folder(project)
    with database.autocommit() as connection:
        rows = _collections().tuples(connection, after=max(start, after or ""), end=end, limit=limit)
    return [(name, count) for name, count in rows]


def kept_usage(
    database: Database,  # noqa: ARG001 - which keeps none
    project: str,  # noqa: ARG001
    *,
    collection: str | None = None,  # noqa: ARG001
    limit: int = 1,  # noqa: ARG001
) -> KeptUsage | None:
    """What a project, or one of its collections, took up when that was last counted; None where none is kept.

    A projection keeps none: a server answers this by its operational tables, see `maintenance.usage_sums`.
    """
    return None


def version_usages(database: Database, collection: str, *, after: int = -1, limit: int = 100) -> list[VersionUsage]:
    """What each version added, deleted ones included; by number, at most `limit`.

    The next page: `after` = the last one's number. Contents that only open drafts have belong to no version yet.
    Cost: the rows of the versions' own layers, each with one or two index look-ups; for each content that came with a
    deleted version some more, as for `reclaimable_bytes`. Memory: a page of rows, and the
    first pages of the chains that have a layer with contents of deleted versions, see `holders`.
    """
    found: list[VersionUsage] = []
    for usage in usages(database, collection, after=after):
        if usage is not None:
            found.append(usage)
            if len(found) >= limit:
                break
    return found


def usages(database: Database, collection: str, *, after: int = -1) -> Iterator[VersionUsage | None]:
    """As `version_usages`, without an end: None after each step within a version, so that one can stop in time."""
    while True:
        with database.snapshot() as connection:
            rows = _versions().rows(connection, collection=collection, after=after, limit=VERSIONS_PER_PAGE)
        project = CollectionName.parse(collection).namespace
        holders, restorable = Holders(project, ()), Holders(project, (), restorable=True)
        for row in rows:
            yield from _usage(database, collection, row, holders, restorable if row.purged else None)
        if len(rows) < VERSIONS_PER_PAGE:
            return
        after = rows[-1].version


def usages_within(
    database: Database, collection: str, *, seconds_max: float, after: int = -1
) -> tuple[list[VersionUsage], bool]:
    """As `version_usages`, as many as are found in time; and whether those are all."""
    deadline = time.monotonic() + seconds_max
    found: list[VersionUsage] = []
    for usage in usages(database, collection, after=after):
        if usage is not None:
            found.append(usage)
        if time.monotonic() > deadline:
            return found, False
    return found, True


def _usage(
    database: Database, collection: str, row: Any, holders: Holders, restorable: Holders | None
) -> Iterator[VersionUsage | None]:
    chain, base = parse_chain(row.layers), parse_chain(row.base_layers or "")
    to_collection, to_project = NOTHING_ADDED, NOTHING_ADDED
    if chain and chain[0] not in base:  # a version that differs from its base has one layer of its own, on top
        for added, first in _added(database, collection, chain[0], holders, restorable, needed=not row.deleted):
            to_collection, to_project = _sum(to_collection, added), _sum(to_project, first)
            yield None
    yield VersionUsage(
        row.version,
        bool(row.deleted),
        bool(row.purged),
        row.entry_count,
        row.size_bytes,
        row.created_us,
        to_collection,
        to_project,
    )


def _added(
    database: Database, collection: str, layer: int, holders: Holders, restorable: Holders | None, *, needed: bool
) -> Iterator[tuple[AddedBytes, AddedBytes]]:
    """What a layer adds to the collection and to the project, in parts.

    `restorable`: it is of a purged version, whose content is given up but for what these hold. `needed`: it is the top
    of a live version.
    """
    objects, after = object_ranges(CollectionName.parse(collection).namespace), ""
    while True:
        with database.snapshot() as connection:
            rows = _new_contents().rows(
                connection, layer=layer, after=after, collection=collection, limit=ROWS_PER_PAGE, **objects
            )
            new = {bytes(row.digest): row.size for row in rows if row.digest is not None and not row.in_collection}
            free = {} if needed else holders.without_holders(connection, new)
            for digest in () if restorable is None else restorable.without_holders(connection, free):
                del new[digest], free[digest]
        first = {bytes(row.digest) for row in rows if row.digest is not None and not row.in_project}
        yield _bytes_of(new, free), _bytes_of({one: new[one] for one in new if one in first}, free)
        if len(rows) < ROWS_PER_PAGE:
            return
        after = rows[-1].path


def _bytes_of(contents: dict[bytes, int], free: dict[bytes, int]) -> AddedBytes:
    reclaimable = sum(size for digest, size in contents.items() if digest in free)
    return AddedBytes(sum(contents.values()) - reclaimable, reclaimable)


def _sum(one: AddedBytes, other: AddedBytes) -> AddedBytes:
    return AddedBytes(one.needed + other.needed, one.reclaimable + other.reclaimable)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _collections() -> Statement:
    name = COLLECTIONS.c.collection
    within = name > bindparam("after"), name < bindparam("end")
    return select(name, COLLECTIONS.c.next_version).where(*within).order_by(name).limit(bindparam("limit"))


@compiled
def _versions() -> Statement:
    base = VERSIONS.alias("base")
    same = and_(base.c.collection == VERSIONS.c.collection, base.c.version == VERSIONS.c.base)
    columns = [VERSIONS.c[name] for name in ("version", "entry_count", "size_bytes", "created_us", "layers")]
    return (
        select(*columns, base.c.layers.label("base_layers"), is_deleted().label("deleted"), is_purged().label("purged"))
        .select_from(VERSIONS.outerjoin(base, same))
        .where(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version > bindparam("after"))
        .order_by(VERSIONS.c.version)
        .limit(bindparam("limit"))
    )


@compiled
def _new_contents() -> Statement:
    """A page of a layer's rows by path, each with whether an earlier row of the collection, or the project, has it."""
    in_collection = _is_earlier(VERSION_LAYERS.c.collection == bindparam("collection"))
    columns = ENTRIES.c.path, ENTRIES.c.digest, ENTRIES.c.size
    return (
        select(*columns, in_collection.label("in_collection"), _is_earlier().label("in_project"))
        .where(ENTRIES.c.layer == bindparam("layer"), ENTRIES.c.path > bindparam("after"))
        .order_by(ENTRIES.c.path, ENTRIES.c.ordinal)
        .limit(bindparam("limit"))
    )


def _is_earlier(*of_version: Any) -> Any:
    """Whether the content of a row of `entries` is in an earlier one of a version, in the same project."""
    earlier = ENTRIES.alias("earlier")
    before = or_(
        earlier.c.layer < ENTRIES.c.layer,
        and_(earlier.c.layer == ENTRIES.c.layer, earlier.c.path < ENTRIES.c.path),
    )
    sealed = exists().where(VERSION_LAYERS.c.layer == earlier.c.layer, *of_version)
    of_project = is_object_of_project(earlier.c.object_name)
    return exists().where(earlier.c.digest == ENTRIES.c.digest, of_project, before, sealed)
