"""Objects that became unneeded because versions were purged, found by what changed and not by looking at everything.

Layers are shared from the bottom up, see `reclaimable`. So content that only purged versions had is in their own
layers, on top, or where the layers of the nearest chain that remains hide it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from headwater_schemas.names import CollectionName
from headwater_schemas.object_names import project_of

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.names_at_once import found_among, is_one_of, names_at_once
from headwater_consumer.database.sql import and_, bindparam, func, select
from headwater_consumer.database.tables import OBJECT_LAYERS, VERSION_LAYERS, VERSIONS
from headwater_consumer.queries.blob_locations import any_relocated, relocated_objects
from headwater_consumer.queries.entries import Columns, entries_at, rows_of_layer
from headwater_consumer.queries.holders import Holders, Version
from headwater_consumer.queries.needed_objects import moved_into, needed_objects, successors
from headwater_consumer.queries.object_moves import sources
from headwater_consumer.rows import LayerChain, parse_chain

ROWS_PER_PAGE = 4_096
OBJECTS_AT_ONCE = 128  # that are looked at together
SEEN_MAX = 100_000  # objects that are not looked at twice, as far as they are remembered; bounds memory


class Examined(NamedTuple):
    """Objects, by what needs them."""

    free: list[str]  # nothing
    held: list[str]  # an open draft, and no version
    used: list[str]  # a version: some of what they hold, at least


def examined_objects(
    database: Database,
    versions: Iterable[Version],
    names: Iterable[str] = (),
    *,
    without: frozenset[Version] = frozenset(),
) -> Iterator[Examined]:
    """What needs `names`, and the objects of content that possibly only these versions needed; in parts.

    `versions` are purged, or `without` which to ask. Cost: what their own layers name; where they lie below others,
    the changes of the nearest of those; and what `needed_objects` costs.
    """
    seen: set[str] = set()
    given = ((project_of(name), {name}) for name in names)
    for project, found in _in_parts(chain(given, _candidates(database, versions, without))):
        if len(seen) > SEEN_MAX:
            seen.clear()
        new = successors(database, found) - seen
        seen |= new
        left = new - needed_objects(database, new, Holders(project, without, restorable=True, drafts=False))
        held = needed_objects(database, left, Holders(project, without, restorable=True))
        yield Examined(sorted(left - held), sorted(held), sorted(new - left))


def collections_of(database: Database, names: Iterable[str]) -> dict[str, str]:
    """Object → the collection whose content it has, the first by name of several; left out where no version has any."""
    with database.snapshot() as connection:
        found = _collections_among(connection, names)
        for name in moved_into(connection, sorted(set(names))):  # few: the content of a pack that was rewritten
            origins = _collections_among(connection, sources(connection, [name]))
            if origins:
                found[name] = min(origins.values())
    return found


def _collections_among(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for count, values in names_at_once(names):
        for name, collection in _collections_of_objects(count).tuples(connection, **values):
            if collection is not None:
                found[name] = min(collection, found.get(name, collection))
    return found


def rewritten_objects(database: Database, names: Iterable[str]) -> set[str]:
    """Those of the objects of which content was rewritten elsewhere."""
    with database.autocommit() as connection:
        return found_among(connection, relocated_objects, names) if any_relocated().tuples(connection) else set()


# --- candidates ---------------------------------------------------------------------------------------------------


def _in_parts(found: Iterable[tuple[str, set[str]]]) -> Iterator[tuple[str, set[str]]]:
    """(project, objects), with so many objects that looking at them together pays, or as they came."""
    waiting: dict[str, set[str]] = {}
    for project, names in found:
        of_project = waiting.setdefault(project, set())
        of_project |= names
        if len(of_project) >= OBJECTS_AT_ONCE:
            yield project, waiting.pop(project)
    yield from waiting.items()


def _candidates(
    database: Database, versions: Iterable[Version], without: frozenset[Version]
) -> Iterator[tuple[str, set[str]]]:
    for collection, version in versions:
        project = CollectionName.parse(collection).namespace
        for names in _of_version(
            database, collection, version, Holders(project, without, restorable=True, drafts=False)
        ):
            yield project, names


def _of_version(database: Database, collection: str, version: int, holders: Holders) -> Iterator[set[str]]:
    with database.snapshot() as connection:
        row = _layers_of().first(connection, collection=collection, version=version)
        layers = () if row is None else parse_chain(row.layers)
        own = next((i for i, layer in enumerate(layers) if holders.chains_with(connection, layer)), len(layers))
        nearest = holders.fewest_above(connection, layers[own]) if own < len(layers) else ()
        if own:
            numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(layers[:own]))}
            yield {name for (name,) in _objects_of_layers(len(numbers)).tuples(connection, **numbers)}
    for layer in nearest:
        yield from _where_named(database, layers, layer)


def _where_named(database: Database, layers: LayerChain, layer: int) -> Iterator[set[str]]:
    """The objects of a chain's content at the paths that a layer of another chain names."""
    after = ""
    while True:
        with database.snapshot() as connection:
            rows = rows_of_layer(Columns.NAMED, False).tuples(connection, layer=layer, after=after, limit=ROWS_PER_PAGE)
            found = entries_at(connection, layers, [row[0] for row in rows]) if rows else []
        yield {info.object_name for info in found if info.object_name is not None}
        if len(rows) < ROWS_PER_PAGE:
            return
        after = rows[-1][0]


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _layers_of() -> Statement:
    is_it = and_(VERSIONS.c.collection == bindparam("collection"), VERSIONS.c.version == bindparam("version"))
    return select(VERSIONS.c.layers).where(is_it)


@compiled
def _objects_of_layers(layers: int) -> Statement:
    columns = OBJECT_LAYERS.c
    in_layers = columns.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    return select(columns.object_name).where(in_layers).distinct()


@compiled
def _collections_of_objects(names: int) -> Statement:
    """(object, the first collection by name with a version that has a layer) for each layer that names it, if any."""
    name, layer = OBJECT_LAYERS.c.object_name, OBJECT_LAYERS.c.layer
    first = select(func.min(VERSION_LAYERS.c.collection)).where(VERSION_LAYERS.c.layer == layer).scalar_subquery()
    return select(name, first).where(is_one_of(name, names)).distinct()
