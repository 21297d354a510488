"""Which objects are needed, and which of their bytes: the question that collecting asks before it deletes anything.

An object is needed while something that remains contains content that is in it now. What remains are versions that are
not purged, open drafts, and the versions that those start from. What content is in an object are the entries that name
it and were not rewritten elsewhere, and those of other objects that were rewritten into it. An entry is told apart by
where it is, never by its digest alone: the same content can be in several objects.

Each answer is of one snapshot of the database: layers merge, and between two of them an entry could be in neither.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from headwater_schemas.entries import BlobLocation

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.names_at_once import found_among, is_one_of, names_at_once
from headwater_consumer.database.sql import bindparam, or_, select
from headwater_consumer.database.tables import ENTRIES, OBJECT_LAYERS, RELOCATED_RANGES
from headwater_consumer.queries import object_moves
from headwater_consumer.queries.blob_locations import current_locations
from headwater_consumer.queries.holders import Holders
from headwater_consumer.rows import LayerChain

OBJECTS_AT_ONCE = 128  # of which the entries are looked through together; bounds what is remembered of them
ROWS_PER_PAGE = 4_096
LAYER_PATHS_MAX = 50_000  # that are looked for in the layers above at once

Range = tuple[int, int]  # offset and size in an object


class _Row(NamedTuple):
    path: str
    digest: bytes
    place: BlobLocation  # where it is now


def needed_objects(database: Database, names: Collection[str], holders: Holders) -> set[str]:
    """Those of the objects that something needs. Cost: see `needed_ranges`; as a rule the first page of entries."""
    needed: set[str] = set()
    for rows in _needed_rows(database, names, holders, lambda place: place.object_name in needed):
        needed.update(row.place.object_name for row in rows)
        if len(needed) == len(set(names)):
            break
    return needed


def needed_ranges(database: Database, names: Collection[str], holders: Holders) -> dict[str, dict[Range, bytes]]:
    """Object → the ranges of it that something needs, each with its digest in the stored form.

    Cost: reads the layers that name an object, once for OBJECTS_AT_ONCE of them; each entry found that others can hide
    costs an index look-up for each layer above, until a chain shows it.
    """
    found: dict[str, dict[Range, bytes]] = {name: {} for name in names}

    def is_known(place: BlobLocation) -> bool:
        return (place.offset, place.size) in found[place.object_name]

    for rows in _needed_rows(database, names, holders, is_known):
        for row in rows:
            found[row.place.object_name][row.place.offset, row.place.size] = row.digest
    return found


def unnamed_objects(database: Database, names: Collection[str]) -> set[str]:
    """Those of the objects that no entry names and that nothing was rewritten to."""
    with database.snapshot() as connection:
        named = found_among(connection, _named_objects, names) | moved_into(connection, names)
    return set(names) - named


def successors(database: Database, names: Collection[str]) -> set[str]:
    """The objects, and all that content of them was rewritten to."""
    with database.snapshot() as connection:
        return object_moves.successors(connection, names)


def moves_before(database: Database, name: str) -> int:
    """How often content that is in an object was rewritten before, at most."""
    with database.snapshot() as connection:
        return object_moves.moves_before(connection, name)


def moved_into(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of the objects that content was rewritten to."""
    return found_among(connection, _moved_into, names)


def _needed_rows(
    database: Database, names: Collection[str], holders: Holders, is_known: Callable[[BlobLocation], bool]
) -> Iterator[list[_Row]]:
    """The entries of content that is in the objects now and needed, in parts, without what `is_known` by then."""
    wanted = sorted(set(names))
    for start in range(0, len(wanted), OBJECTS_AT_ONCE):
        some = set(wanted[start : start + OBJECTS_AT_ONCE])
        with database.snapshot() as connection:
            named = object_moves.sources(connection, some)
            for layer, of_layer in sorted(_layers_naming(connection, named).items()):
                if next(holders.remaining(connection, layer), None) is None:
                    continue
                for rows in _rows_in(connection, layer, of_layer):
                    left = [row for row in rows if row.place.object_name in some and not is_known(row.place)]
                    yield from _shown(database, connection, holders, layer, left)


def _shown(
    database: Database, connection: Connection, holders: Holders, layer: int, rows: list[_Row]
) -> Iterator[list[_Row]]:
    """Those of a layer's rows that a chain which remains shows: no layer above names the same path."""
    tried: set[LayerChain] = set()
    for chain in holders.remaining(connection, layer) if rows else ():
        above = chain[: chain.index(layer)]
        if above in tried:
            continue
        tried.add(above)
        hidden = _paths_in(database, connection, above, [row.path for row in rows])
        yield [row for row in rows if row.path not in hidden]
        rows = [row for row in rows if row.path in hidden]
        if not rows:
            return


def _paths_in(database: Database, connection: Connection, layers: LayerChain, paths: Sequence[str]) -> set[str]:
    """Those of the paths that one of the layers names, also to remove them."""
    found: set[str] = set()
    step = max(1, LAYER_PATHS_MAX // len(layers)) if layers else len(paths)
    for start in range(0, len(paths), step) if layers else ():
        keys = [(layer, path) for layer in layers for path in paths[start : start + step]]
        found.update(row[1] for row in database.adapter.load_entries(connection, keys))
    return found


def _rows_in(connection: Connection, layer: int, names: Collection[str]) -> Iterator[list[_Row]]:
    """A layer's rows of content in these objects, page by page."""
    for count, values in names_at_once(names):
        path, ordinal = "", -1
        while True:
            page = _rows_of_objects(count).tuples(
                connection, layer=layer, path=path, ordinal=ordinal, limit=ROWS_PER_PAGE, **values
            )
            places = current_locations(connection, [BlobLocation(*row[3:]) for row in page])
            yield [_Row(row[0], row[2], place) for row, place in zip(page, places, strict=True)]
            if len(page) < ROWS_PER_PAGE:
                break
            path, ordinal = page[-1][:2]


def _layers_naming(connection: Connection, names: Collection[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for count, values in names_at_once(names):
        for layer, name in _layers_of_objects(count).tuples(connection, **values):
            if name not in found[layer]:
                found[layer].append(name)
    return found


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _rows_of_objects(names: int) -> Statement:
    """(path, ordinal, digest, object, offset, size) of a layer's rows that name one of the objects, by path."""
    columns = ENTRIES.c
    path: Any = bindparam("path")
    # That of an open draft can have several rows for a path. The first condition follows from the other, but the key
    # can begin with it.
    beyond = columns.path >= path, or_(columns.path > path, columns.ordinal > bindparam("ordinal"))
    return (
        select(
            columns.path,
            columns.ordinal,
            columns.digest,
            columns.object_name,
            columns.object_offset,
            columns.size,
        )
        .where(columns.layer == bindparam("layer"), *beyond, is_one_of(columns.object_name, names))
        .order_by(columns.path, columns.ordinal)
        .limit(bindparam("limit"))
    )


@compiled
def _layers_of_objects(names: int) -> Statement:
    columns = OBJECT_LAYERS.c
    return select(columns.layer, columns.object_name).where(is_one_of(columns.object_name, names))


@compiled
def _named_objects(names: int) -> Statement:
    name = OBJECT_LAYERS.c.object_name
    return select(name).where(is_one_of(name, names)).distinct()


@compiled
def _moved_into(names: int) -> Statement:
    name = RELOCATED_RANGES.c.to_object_name
    return select(name).where(is_one_of(name, names)).distinct()
