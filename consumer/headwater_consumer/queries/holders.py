"""What remains in a project, and so needs content: live versions, open drafts, and the bases of open drafts.

To whom asks what can be collected, deleted versions remain as well, until they are purged.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from headwater_schemas.object_names import FILES, PACKS

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.conditions import is_deleted, is_object_of_project, is_purged, object_ranges
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import LargeBinary, and_, bindparam, exists, or_, select
from headwater_consumer.database.tables import DRAFTS, ENTRIES, LAYERS, VERSION_LAYERS, VERSIONS
from headwater_consumer.rows import LayerChain, parse_chain

if TYPE_CHECKING:
    from sqlalchemy import Select

ROWS_AT_ONCE = 5_000  # of the entries that have some contents: one content can be in every version
CHAINS_PER_PAGE = 100  # of the versions with a layer: a million can be made on one
LAYERS_KEPT_MAX = 1_000  # whose first page of chains is remembered

Contents = dict[bytes, int]  # digest → size in bytes
Version = tuple[str, int]  # its collection and number
_Page = list[tuple[str, int, LayerChain]]  # (collection, version, chain) of versions that count


class Holders:
    """Everything in a project that remains, queried layer by layer.

    `chains_with` and `fewest_above` have all versions with a layer in memory; `without_holders` has not.
    """

    def __init__(
        self, project: str, without: Collection[Version], *, restorable: bool = False, drafts: bool = True
    ) -> None:
        """`project`: "entity/project". `without`: versions that do not count. `restorable`: deleted ones that are not
        purged remain, too. `drafts`: whether open drafts and what they start from do.
        """
        self._drafts = drafts
        self._without = without
        self._restorable = restorable
        self._objects = object_ranges(project)
        self._chains: dict[int, list[LayerChain]] = {}  # layer → the remaining chains with it
        self._begun: dict[int, tuple[set[LayerChain], _Page]] = {}  # layer → those of drafts, and the first of versions

    def chains_with(self, connection: Connection, layer: int) -> list[LayerChain]:
        """The remaining chains with `layer`, those with the fewest layers above it first."""
        if layer not in self._chains:
            remaining = {
                parse_chain(row.layers)
                for row in _versions_with(self._restorable).rows(connection, layer=layer)
                if (row.collection, row.version) not in self._without
            }
            remaining |= self._chains_of_drafts(connection, layer)
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
            rows = _layers_with(len(chunk)).tuples(connection, **parameters, **self._objects, limit=ROWS_AT_ONCE)
            pairs = iter(rows) if len(rows) < ROWS_AT_ONCE else self._pairs(connection, dict.fromkeys(chunk), left)
            for digest, layer in pairs:
                if digest in left and self._is_contained(connection, digest, layer):
                    del left[digest]
        return left

    def _pairs(self, connection: Connection, digests: Iterable[bytes], left: Contents) -> Iterator[tuple[bytes, int]]:
        """As `_layers_with`, content by content and page by page, each as long as it is among those that are left."""
        for digest in digests:
            for layer in self._layers_of(connection, digest):
                yield digest, layer
                if digest not in left:
                    break

    def _layers_of(self, connection: Connection, digest: bytes) -> Iterator[int]:
        """The layers with a content, page by page."""
        for kind in (PACKS, FILES):
            name, layer = self._objects[kind], -1
            while True:
                values = {"digest": digest, "name": name, "layer": layer, "end": self._objects[f"{kind}_end"]}
                rows = _page_of_layers().tuples(connection, **values, limit=ROWS_AT_ONCE)
                yield from [found for _, found in rows]
                if len(rows) < ROWS_AT_ONCE:
                    break
                name, layer = rows[-1]

    def _is_contained(self, connection: Connection, digest: bytes, layer: int) -> bool:
        """Whether a remaining chain contains one of the layer's entries with this digest."""
        chains = self.remaining(connection, layer)
        return any(_contains(connection, chain[: chain.index(layer)], digest, layer) for chain in chains)

    def remaining(self, connection: Connection, layer: int) -> Iterator[LayerChain]:
        """As `chains_with`, in no order and page by page, the first of them from memory."""
        if layer in self._chains:
            yield from self._chains[layer]
            return
        if layer not in self._begun:
            if len(self._begun) >= LAYERS_KEPT_MAX:
                self._begun.clear()
            self._begun[layer] = (
                self._chains_of_drafts(connection, layer),
                self._page_of_chains(connection, layer, "", -1),
            )
        of_drafts, page = self._begun[layer]
        yield from of_drafts
        while True:
            for collection, version, chain in page:
                if (collection, version) not in self._without:
                    yield chain
            if len(page) < CHAINS_PER_PAGE:
                return
            page = self._page_of_chains(connection, layer, *page[-1][:2])

    def _chains_of_drafts(self, connection: Connection, layer: int) -> set[LayerChain]:
        """The chains with a layer from which open drafts start, and that of an open draft itself.

        A draft may restore what it hides of its base.
        """
        if not self._drafts:
            return set()
        found = {parse_chain(row.layers) for row in _bases_with().rows(connection, layer=layer)}
        return found | ({(layer,)} if _open_layer().first(connection, layer=layer) is not None else set())

    def _page_of_chains(self, connection: Connection, layer: int, collection: str, version: int) -> _Page:
        """The chains of the versions with a layer beyond that one."""
        rows = _page_of_versions_with(self._restorable).rows(
            connection, layer=layer, collection=collection, version=version, limit=CHAINS_PER_PAGE
        )
        return [(row.collection, row.version, parse_chain(row.layers)) for row in rows]


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
def _versions_with(restorable: bool) -> Statement:
    return _counting_versions_with(restorable)


def _counting_versions_with(restorable: bool) -> "Select[Any]":
    same = and_(VERSIONS.c.collection == VERSION_LAYERS.c.collection, VERSIONS.c.version == VERSION_LAYERS.c.version)
    return (
        select(VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.layers)
        .select_from(VERSION_LAYERS.join(VERSIONS, same))
        .where(VERSION_LAYERS.c.layer == bindparam("layer"), ~(is_purged() if restorable else is_deleted()))
    )


@compiled
def _page_of_versions_with(restorable: bool) -> Statement:
    collection, version = VERSION_LAYERS.c.collection, VERSION_LAYERS.c.version
    beyond = or_(
        collection > bindparam("collection"),
        and_(collection == bindparam("collection"), version > bindparam("version")),
    )
    return _counting_versions_with(restorable).where(beyond).order_by(collection, version).limit(bindparam("limit"))


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
    """(digest, layer) of the entries with these digests whose bytes are the project's, so many of them."""
    of_digests = ENTRIES.c.digest.in_([bindparam(f"digest_{i}", type_=LargeBinary()) for i in range(digests)])
    of_project = is_object_of_project(ENTRIES.c.object_name)
    return select(ENTRIES.c.digest, ENTRIES.c.layer).where(of_digests, of_project).distinct().limit(bindparam("limit"))


@compiled
def _page_of_layers() -> Statement:
    """(object, layer) of the entries with a digest in objects of a range of names, beyond an object and layer."""
    name, layer = ENTRIES.c.object_name, ENTRIES.c.layer
    after: Any = bindparam("name")
    beyond = or_(name > after, and_(name == after, layer > bindparam("layer")))
    return (
        select(name, layer)
        # The first condition follows from the last, but an index can begin with it.
        .where(ENTRIES.c.digest == bindparam("digest"), name >= after, name < bindparam("end"), beyond)
        .distinct()
        .order_by(name, layer)
        .limit(bindparam("limit"))
    )


@compiled
def _unhidden(above: int) -> Statement:
    """One of a layer's entries with a digest that none of the layers above it hides."""
    over = ENTRIES.alias("over")
    in_above = over.c.layer.in_([bindparam(f"layer_{i}") for i in range(above)])
    hidden = exists().where(in_above, over.c.path == ENTRIES.c.path)
    of_digest = and_(ENTRIES.c.digest == bindparam("digest"), ENTRIES.c.layer == bindparam("layer"))
    return select(ENTRIES.c.path).where(of_digest, ~hidden).limit(1)
