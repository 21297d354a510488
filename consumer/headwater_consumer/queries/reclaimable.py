"""How much space deleting versions would reclaim, and what depends on them.

Content becomes reclaimable when nothing names it any more: no other live version of the project, no open draft, and no
base of an open draft. Layers are shared from the bottom up: a chain with some layer has all layers below it too. So
layers that only the deleted versions have lie on top, and of those below, only content that all others hide can become
reclaimable.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from headwater_schemas.names import CollectionName

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import is_deleted
from headwater_consumer.database.sql import and_, bindparam, select
from headwater_consumer.database.tables import (
    RUN_INPUTS,
    RUN_OUTPUTS,
    VERSIONS,
)
from headwater_consumer.queries.entries import Columns, entries_at, pages, rows_of_layer
from headwater_consumer.queries.holders import Contents, Holders
from headwater_consumer.queries.recorded_runs import EDGES_MAX
from headwater_consumer.rows import FILE_KINDS, LayerChain, parse_chain

ROWS_PER_PAGE = 5_000

Dependents = tuple[list[str], list[tuple[str, int]]]


class OwnBytes(NamedTuple):
    """How much of what a version has is its own."""

    size_bytes: int
    complete: bool  # if not, it is at least so much


def reclaimable_bytes(database: Database, collection: str, versions: Sequence[int]) -> int:
    """Bytes of the distinct contents that nothing in the project would name without these versions.

    Cost: the entries of the layers that no other live version has and, where the versions lie below others, the changes
    of the nearest of those; one to a few index look-ups for each.
    """
    holders = _others(collection, versions)
    reclaimable: Contents = {}
    for version in dict.fromkeys(versions):
        for _ in _gathering(database, collection, version, holders, reclaimable):
            pass
    return sum(reclaimable.values())


def own_bytes(database: Database, collection: str, version: int, *, seconds_max: float) -> OwnBytes:
    """The bytes that nothing in the project would name without this version, as far as that is found in time.

    Cost: as `reclaimable_bytes`; about `seconds_max` at most.
    """
    deadline = time.monotonic() + seconds_max
    own: Contents = {}
    for _ in _gathering(database, collection, version, _others(collection, (version,)), own):
        if time.monotonic() > deadline:
            return OwnBytes(sum(own.values()), False)
    return OwnBytes(sum(own.values()), True)


def dependents(database: Database, collection: str, version: int, *, limit: int = EDGES_MAX) -> Dependents:
    """The runs that used a version, and the live versions that those runs logged; each by name, at most `limit`.

    As many as `limit` means that there may be more.
    """
    with database.snapshot() as connection:
        runs = _users().rows(connection, collection=collection, version=version, limit=limit)
        outputs = _outputs_of_users().rows(connection, collection=collection, version=version, limit=limit)
    return [run for (run,) in runs], [(row.collection, row.version) for row in outputs]


def _gathering(database: Database, collection: str, version: int, holders: Holders, found: Contents) -> Iterator[None]:
    """Add the contents of a version that nothing that remains has to `found`, some with each step."""
    for contents in _candidates(database, _live_chain(database, collection, version), holders):
        unknown = {digest: size for digest, size in contents.items() if digest not in found}
        with database.snapshot() as connection:
            found.update(holders.without_holders(connection, unknown))
        yield


def _others(collection: str, versions: Iterable[int]) -> Holders:
    return Holders(CollectionName.parse(collection).namespace, {(collection, version) for version in versions})


# --- candidates ---------------------------------------------------------------------------------------------------


def _candidates(database: Database, chain: LayerChain, holders: Holders) -> Iterator[Contents]:
    """The contents of a chain, in parts, that possibly nothing else contains."""
    with database.snapshot() as connection:
        own = next((i for i, layer in enumerate(chain) if holders.chains_with(connection, layer)), len(chain))
        nearest = holders.fewest_above(connection, chain[own]) if own < len(chain) else ()
    for rows in pages(database, chain[:own], Columns.SIZED, "", None, ROWS_PER_PAGE):
        yield {digest: size for _, kind, digest, size in rows if kind in FILE_KINDS}
    for layer in nearest:
        yield from _contents_where_named(database, chain, layer)


def _contents_where_named(database: Database, chain: LayerChain, layer: int) -> Iterator[Contents]:
    """The contents of a chain at the paths that a layer of another chain names."""
    after = ""
    while True:
        with database.snapshot() as connection:
            rows = rows_of_layer(Columns.SIZED, False).tuples(connection, layer=layer, after=after, limit=ROWS_PER_PAGE)
            found = entries_at(connection, chain, [row[0] for row in rows]) if rows else []
        yield {info.digest: info.size for info in found if info.digest is not None and info.size is not None}
        if len(rows) < ROWS_PER_PAGE:
            return
        after = rows[-1][0]


def _live_chain(database: Database, collection: str, version: int) -> LayerChain:
    with database.autocommit() as connection:
        row = _live_layers().first(connection, collection=collection, version=version)
    return () if row is None else parse_chain(row.layers)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _live_layers() -> Statement:
    is_it = and_(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version"))
    return select(VERSIONS.c.layers).where(is_it, ~is_deleted())


@compiled
def _users() -> Statement:
    return (
        select(RUN_INPUTS.c.run)
        .where(RUN_INPUTS.c.collection == bindparam("collection"), RUN_INPUTS.c.version == bindparam("version"))
        .distinct()
        .order_by(RUN_INPUTS.c.run)
        .limit(bindparam("limit"))
    )


@compiled
def _outputs_of_users() -> Statement:
    same = and_(VERSIONS.c.collection == RUN_OUTPUTS.c.collection, VERSIONS.c.version == RUN_OUTPUTS.c.version)
    is_it = and_(RUN_INPUTS.c.collection == bindparam("collection"), RUN_INPUTS.c.version == bindparam("version"))
    return (
        select(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .select_from(RUN_INPUTS.join(RUN_OUTPUTS, RUN_OUTPUTS.c.run == RUN_INPUTS.c.run).join(VERSIONS, same))
        .where(is_it, ~is_deleted())
        .distinct()
        .order_by(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .limit(bindparam("limit"))
    )
