"""What deleting versions would free, and what hangs on them.

A content becomes free when nothing names it any more: no other live version of the project, and no open draft or what
an open draft starts from. Layers are shared from the bottom up: who has a layer in its chain has all below it too. So
layers that only the leaving versions have lie on top, and of those below only what all others hide can become free.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from headwater_blobs.naming import FILES, PACKS
from headwater_schemas.paths import range_of_folder
from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, bindparam, exists, or_, select

from headwater_consumer.asking import Statement, holds
from headwater_consumer.bulk import KEYS_PER_STATEMENT_MAX, padded
from headwater_consumer.database import Database
from headwater_consumer.queries.entries import pages, rows_of_layer, shown_at
from headwater_consumer.queries.runs import EDGES_MAX
from headwater_consumer.rows import (
    DELETED,
    FILE,
    Draft,
    EntryRow,
    Layer,
    Output,
    Use,
    Version,
    VersionFact,
    VersionLayer,
)

ENTRIES, LAYERS, DRAFTS = EntryRow.table, Layer.table, Draft.table
VERSIONS, CHAINS, FACTS = Version.table, VersionLayer.table, VersionFact.table
USES, OUTPUTS = Use.table, Output.table

ROWS_PER_LOOK = 5_000
_COLUMNS = ("path", "kind", "digest", "size")

Chain = tuple[int, ...]  # layers, topmost first
Contents = dict[bytes, int]  # digest → size in bytes
Dependents = tuple[list[str], list[tuple[str, int]]]


def freed_by_deleting(database: Database, collection: str, versions: Sequence[int]) -> int:
    """Bytes of the distinct contents that nothing in the project would name any more without these versions.

    Cost: the entries of the layers that no other live version has, and where the versions lie below others, what the
    nearest of those changed; one to a few index look-ups for each.
    """
    holders = _Holders(collection, frozenset(versions))
    freed: dict[bytes, int] = {}
    for version in dict.fromkeys(versions):
        for contents in _perhaps_freed(database, _live_chain(database, collection, version), holders):
            unknown = {digest: size for digest, size in contents.items() if digest not in freed}
            with database.reading() as connection:
                freed.update(holders.without_holder(connection, unknown))
    return sum(freed.values())


def dependents(database: Database, collection: str, version: int, *, limit: int = EDGES_MAX) -> Dependents:
    """The runs that used a version, and the live versions that those runs logged; each by name, at most `limit`.

    As many as `limit` means that there may be more.
    """
    with database.reading() as connection:
        runs = _users().rows(connection, collection=collection, version=version, limit=limit)
        made = _made_by_users().rows(connection, collection=collection, version=version, limit=limit)
    return [run for (run,) in runs], [(row.collection, row.version) for row in made]


# --- what may become free -----------------------------------------------------------------------------------------


def _perhaps_freed(database: Database, chain: Chain, holders: "_Holders") -> Iterator[Contents]:
    """What a chain shows, in parts, of that which perhaps nobody else does."""
    with database.reading() as connection:
        own = next((i for i, layer in enumerate(chain) if holders.chains_with(connection, layer)), len(chain))
        nearest = holders.least_above(connection, chain[own]) if own < len(chain) else ()
    for rows in pages(database, chain[:own], _COLUMNS, "", None, ROWS_PER_LOOK):
        yield {digest: size for _, kind, digest, size in rows if kind == FILE}
    for layer in nearest:
        yield from _shown_where_named(database, chain, layer)


def _shown_where_named(database: Database, chain: Chain, layer: int) -> Iterator[Contents]:
    """What a chain shows at the paths that another chain's layer names."""
    after = ""
    while True:
        with database.reading() as connection:
            rows = rows_of_layer(_COLUMNS, False).tuples(connection, layer=layer, after=after, limit=ROWS_PER_LOOK)
            shown = shown_at(connection, chain, [row[0] for row in rows]) if rows else []
        yield {info.digest: info.size for info in shown if info.digest is not None and info.size is not None}
        if len(rows) < ROWS_PER_LOOK:
            return
        after = rows[-1][0]


def _live_chain(database: Database, collection: str, version: int) -> Chain:
    with database.asking() as connection:
        row = _live_layers().first(connection, collection=collection, version=version)
    return () if row is None else _layers(row.layers)


def _layers(text: str) -> Chain:
    return tuple([int(layer) for layer in text.split(",") if layer])


# --- who holds it -------------------------------------------------------------------------------------------------


class _Holders:
    """Everything in a project that stays, asked for layer by layer."""

    def __init__(self, collection: str, leaving: frozenset[int]) -> None:
        self._collection = collection
        self._leaving = leaving
        project = collection.rpartition("/")[0]
        packs, files = (range_of_folder(f"{kind}/{project}") for kind in (PACKS, FILES))
        self._objects = {"packs": packs[0], "packs_end": packs[1], "files": files[0], "files_end": files[1]}
        self._chains: dict[int, list[Chain]] = {}  # layer → the chains with it that stay

    def chains_with(self, connection: Connection, layer: int) -> list[Chain]:
        """The chains with `layer` of what stays, those with the least layers above it first."""
        if layer not in self._chains:
            staying = {
                _layers(row.layers)
                for row in _versions_with().rows(connection, layer=layer)
                if row.collection != self._collection or row.version not in self._leaving
            }
            # What a draft hides of its base it may take back.
            staying.update(_layers(row.layers) for row in _bases_with().rows(connection, layer=layer))
            if _open_layer().first(connection, layer=layer) is not None:
                staying.add((layer,))
            self._chains[layer] = sorted(staying, key=lambda chain: (chain.index(layer), chain))
        return self._chains[layer]

    def least_above(self, connection: Connection, layer: int) -> Chain:
        """The layers above `layer` of the chain that stays and changed the least there."""
        above = [chain[: chain.index(layer)] for chain in self.chains_with(connection, layer)]
        return min(above, key=lambda layers: (sum(_rows_in(connection, number) for number in layers), layers))

    def without_holder(self, connection: Connection, contents: Contents) -> Contents:
        """Those of `contents` that nothing holds which stays."""
        left, wanted = dict(contents), list(contents)
        for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
            chunk = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
            parameters = {f"digest_{i}": digest for i, digest in enumerate(chunk)}
            for digest, layer in _layers_with(len(chunk)).tuples(connection, **parameters, **self._objects):
                if digest in left and self._is_shown(connection, digest, layer):
                    del left[digest]
        return left

    def _is_shown(self, connection: Connection, digest: bytes, layer: int) -> bool:
        """Whether something that stays shows one of a layer's entries with this digest."""
        chains = self.chains_with(connection, layer)
        return any(_shows(connection, chain[: chain.index(layer)], digest, layer) for chain in chains)


def _shows(connection: Connection, above: Chain, digest: bytes, layer: int) -> bool:
    if not above:
        return True
    numbers = {f"layer_{i}": number for i, number in enumerate(padded(above))}
    return _unhidden(len(numbers)).first(connection, digest=digest, layer=layer, **numbers) is not None


def _rows_in(connection: Connection, layer: int) -> int:
    row = _layer().first(connection, layer=layer)
    return int(row.rows)


# --- statements -------------------------------------------------------------------------------------------------


def _is_live() -> ColumnElement[bool]:
    return ~exists().where(
        FACTS.c.collection == VERSIONS.c.collection,
        FACTS.c.version == VERSIONS.c.version,
        FACTS.c.field == DELETED,
        holds(FACTS, past=False),
    )


@cache
def _live_layers() -> Statement:
    is_it = and_(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version"))
    return Statement(select(VERSIONS.c.layers).where(is_it, _is_live()))


@cache
def _versions_with() -> Statement:
    same = and_(VERSIONS.c.collection == CHAINS.c.collection, VERSIONS.c.version == CHAINS.c.version)
    return Statement(
        select(VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.layers)
        .select_from(CHAINS.join(VERSIONS, same))
        .where(CHAINS.c.layer == bindparam("layer"), _is_live())
    )


@cache
def _bases_with() -> Statement:
    same = and_(VERSIONS.c.collection == CHAINS.c.collection, VERSIONS.c.version == CHAINS.c.version)
    base = and_(DRAFTS.c.collection == VERSIONS.c.collection, DRAFTS.c.base == VERSIONS.c.version)
    return Statement(
        select(VERSIONS.c.layers)
        .select_from(CHAINS.join(VERSIONS, same).join(DRAFTS, base))
        .where(CHAINS.c.layer == bindparam("layer"), DRAFTS.c.closed_position.is_(None))
        .distinct()
    )


@cache
def _open_layer() -> Statement:
    is_it = and_(DRAFTS.c.layer == bindparam("layer"), DRAFTS.c.closed_position.is_(None))
    return Statement(select(DRAFTS.c.layer).where(is_it).limit(1))


@cache
def _layer() -> Statement:
    return Statement(select(LAYERS.c.rows).where(LAYERS.c.layer == bindparam("layer")))


@cache
def _layers_with(digests: int) -> Statement:
    """(digest, layer) of the entries with these digests whose bytes are the project's."""
    of_digests = ENTRIES.c.digest.in_([bindparam(f"digest_{i}", type_=LargeBinary) for i in range(digests)])
    name = ENTRIES.c.object_name
    of_project = or_(
        and_(name >= bindparam("packs"), name < bindparam("packs_end")),
        and_(name >= bindparam("files"), name < bindparam("files_end")),
    )
    return Statement(select(ENTRIES.c.digest, ENTRIES.c.layer).where(of_digests, of_project).distinct())


@cache
def _unhidden(above: int) -> Statement:
    """One of a layer's entries with a digest that none of the layers above it hides."""
    over = ENTRIES.alias("over")
    in_above = over.c.layer.in_([bindparam(f"layer_{i}") for i in range(above)])
    hidden = exists().where(in_above, over.c.path == ENTRIES.c.path)
    of_digest = and_(ENTRIES.c.digest == bindparam("digest"), ENTRIES.c.layer == bindparam("layer"))
    return Statement(select(ENTRIES.c.path).where(of_digest, ~hidden).limit(1))


@cache
def _users() -> Statement:
    return Statement(
        select(USES.c.run)
        .where(USES.c.collection == bindparam("collection"), USES.c.version == bindparam("version"))
        .distinct()
        .order_by(USES.c.run)
        .limit(bindparam("limit"))
    )


@cache
def _made_by_users() -> Statement:
    same = and_(VERSIONS.c.collection == OUTPUTS.c.collection, VERSIONS.c.version == OUTPUTS.c.version)
    is_it = and_(USES.c.collection == bindparam("collection"), USES.c.version == bindparam("version"))
    return Statement(
        select(OUTPUTS.c.collection, OUTPUTS.c.version)
        .select_from(USES.join(OUTPUTS, OUTPUTS.c.run == USES.c.run).join(VERSIONS, same))
        .where(is_it, _is_live())
        .distinct()
        .order_by(OUTPUTS.c.collection, OUTPUTS.c.version)
        .limit(bindparam("limit"))
    )
