"""How much space deleting versions would reclaim, and what depends on them.

Content becomes reclaimable when nothing names it any more: no other live version of the project, no open draft, and no
base of an open draft. Layers are shared from the bottom up: a chain with some layer has all layers below it too. So
layers that only the deleted versions have lie on top, and of those below, only content that all others hide can become
reclaimable.
"""

from collections.abc import Iterator, Sequence

from headwater_schemas.names import CollectionName
from headwater_schemas.object_names import FILES, PACKS
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.conditions import is_deleted
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import LargeBinary, and_, bindparam, exists, or_, select
from headwater_consumer.database.tables import (
    DRAFTS,
    ENTRIES,
    LAYERS,
    RUN_INPUTS,
    RUN_OUTPUTS,
    VERSION_LAYERS,
    VERSIONS,
)
from headwater_consumer.queries.entries import Columns, entries_at, pages, rows_of_layer
from headwater_consumer.queries.recorded_runs import EDGES_MAX
from headwater_consumer.rows import FILE_KINDS, LayerChain, parse_chain

ROWS_PER_PAGE = 5_000

Contents = dict[bytes, int]  # digest → size in bytes
Dependents = tuple[list[str], list[tuple[str, int]]]


def reclaimable_bytes(database: Database, collection: str, versions: Sequence[int]) -> int:
    """Bytes of the distinct contents that nothing in the project would name without these versions.

    Cost: the entries of the layers that no other live version has and, where the versions lie below others, the changes
    of the nearest of those; one to a few index look-ups for each.
    """
    holders = _Holders(collection, frozenset(versions))
    reclaimable: dict[bytes, int] = {}
    for version in dict.fromkeys(versions):
        for contents in _candidates(database, _live_chain(database, collection, version), holders):
            unknown = {digest: size for digest, size in contents.items() if digest not in reclaimable}
            with database.snapshot() as connection:
                reclaimable.update(holders.without_holders(connection, unknown))
    return sum(reclaimable.values())


def dependents(database: Database, collection: str, version: int, *, limit: int = EDGES_MAX) -> Dependents:
    """The runs that used a version, and the live versions that those runs logged; each by name, at most `limit`.

    As many as `limit` means that there may be more.
    """
    with database.snapshot() as connection:
        runs = _users().rows(connection, collection=collection, version=version, limit=limit)
        outputs = _outputs_of_users().rows(connection, collection=collection, version=version, limit=limit)
    return [run for (run,) in runs], [(row.collection, row.version) for row in outputs]


# --- candidates ---------------------------------------------------------------------------------------------------


def _candidates(database: Database, chain: LayerChain, holders: "_Holders") -> Iterator[Contents]:
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


# --- holders ------------------------------------------------------------------------------------------------------


class _Holders:
    """Everything in a project that remains, queried layer by layer."""

    def __init__(self, collection: str, deleted: frozenset[int]) -> None:
        self._collection = collection
        self._deleted = deleted
        project = CollectionName.parse(collection).namespace
        packs, files = (range_of_folder(f"{kind}/{project}") for kind in (PACKS, FILES))
        self._objects = {"packs": packs[0], "packs_end": packs[1], "files": files[0], "files_end": files[1]}
        self._chains: dict[int, list[LayerChain]] = {}  # layer → the remaining chains with it

    def chains_with(self, connection: Connection, layer: int) -> list[LayerChain]:
        """The remaining chains with `layer`, those with the fewest layers above it first."""
        if layer not in self._chains:
            remaining = {
                parse_chain(row.layers)
                for row in _versions_with().rows(connection, layer=layer)
                if row.collection != self._collection or row.version not in self._deleted
            }
            # A draft may restore what it hides of its base.
            remaining.update(parse_chain(row.layers) for row in _bases_with().rows(connection, layer=layer))
            if _open_layer().first(connection, layer=layer) is not None:
                remaining.add((layer,))
            self._chains[layer] = sorted(remaining, key=lambda chain: (chain.index(layer), chain))
        return self._chains[layer]

    def fewest_above(self, connection: Connection, layer: int) -> LayerChain:
        """The layers above `layer` of the remaining chain that changed the least there."""
        above = [chain[: chain.index(layer)] for chain in self.chains_with(connection, layer)]
        return min(above, key=lambda layers: (sum(_rows_in(connection, number) for number in layers), layers))

    def without_holders(self, connection: Connection, contents: Contents) -> Contents:
        """Those of `contents` that nothing that remains contains."""
        left, wanted = dict(contents), list(contents)
        for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
            chunk = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
            parameters = {f"digest_{i}": digest for i, digest in enumerate(chunk)}
            for digest, layer in _layers_with(len(chunk)).tuples(connection, **parameters, **self._objects):
                if digest in left and self._is_contained(connection, digest, layer):
                    del left[digest]
        return left

    def _is_contained(self, connection: Connection, digest: bytes, layer: int) -> bool:
        """Whether a remaining chain contains one of the layer's entries with this digest."""
        chains = self.chains_with(connection, layer)
        return any(_contains(connection, chain[: chain.index(layer)], digest, layer) for chain in chains)


def _contains(connection: Connection, above: LayerChain, digest: bytes, layer: int) -> bool:
    if not above:
        return True
    numbers = {f"layer_{i}": number for i, number in enumerate(padded(above))}
    return _unhidden(len(numbers)).first(connection, digest=digest, layer=layer, **numbers) is not None


def _rows_in(connection: Connection, layer: int) -> int:
    row = _layer().first(connection, layer=layer)
    return int(row.row_count)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _live_layers() -> Statement:
    is_it = and_(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version"))
    return select(VERSIONS.c.layers).where(is_it, ~is_deleted())


@compiled
def _versions_with() -> Statement:
    same = and_(VERSIONS.c.collection == VERSION_LAYERS.c.collection, VERSIONS.c.version == VERSION_LAYERS.c.version)
    return (
        select(VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.layers)
        .select_from(VERSION_LAYERS.join(VERSIONS, same))
        .where(VERSION_LAYERS.c.layer == bindparam("layer"), ~is_deleted())
    )


@compiled
def _bases_with() -> Statement:
    same = and_(VERSIONS.c.collection == VERSION_LAYERS.c.collection, VERSIONS.c.version == VERSION_LAYERS.c.version)
    base = and_(DRAFTS.c.collection == VERSIONS.c.collection, DRAFTS.c.base == VERSIONS.c.version)
    return (
        select(VERSIONS.c.layers)
        .select_from(VERSION_LAYERS.join(VERSIONS, same).join(DRAFTS, base))
        .where(VERSION_LAYERS.c.layer == bindparam("layer"), DRAFTS.c.closed_position.is_(None))
        .distinct()
    )


@compiled
def _open_layer() -> Statement:
    is_it = and_(DRAFTS.c.layer == bindparam("layer"), DRAFTS.c.closed_position.is_(None))
    return select(DRAFTS.c.layer).where(is_it).limit(1)


@compiled
def _layer() -> Statement:
    return select(LAYERS.c.row_count).where(LAYERS.c.layer == bindparam("layer"))


@compiled
def _layers_with(digests: int) -> Statement:
    """(digest, layer) of the entries with these digests whose bytes are the project's."""
    of_digests = ENTRIES.c.digest.in_([bindparam(f"digest_{i}", type_=LargeBinary()) for i in range(digests)])
    name = ENTRIES.c.object_name
    of_project = or_(
        and_(name >= bindparam("packs"), name < bindparam("packs_end")),
        and_(name >= bindparam("files"), name < bindparam("files_end")),
    )
    return select(ENTRIES.c.digest, ENTRIES.c.layer).where(of_digests, of_project).distinct()


@compiled
def _unhidden(above: int) -> Statement:
    """One of a layer's entries with a digest that none of the layers above it hides."""
    over = ENTRIES.alias("over")
    in_above = over.c.layer.in_([bindparam(f"layer_{i}") for i in range(above)])
    hidden = exists().where(in_above, over.c.path == ENTRIES.c.path)
    of_digest = and_(ENTRIES.c.digest == bindparam("digest"), ENTRIES.c.layer == bindparam("layer"))
    return select(ENTRIES.c.path).where(of_digest, ~hidden).limit(1)


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
