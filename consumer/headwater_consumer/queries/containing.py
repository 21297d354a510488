"""Which versions contain some content, or reference it: from a digest or a URI back to the versions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from headwater_schemas.object_names import FILES, PACKS
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.conditions import is_deleted
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import PREFIX_LENGTH, prefix_of
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import ENTRIES, VERSION_LAYERS, VERSIONS
from headwater_consumer.rows import parse_chain

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

ENTRIES_PER_PAGE = 1000  # of one digest
VERSIONS_PER_PAGE = 1000
EVERYWHERE = "", "~"  # a range of names of projects: "~" is after all that they consist of

Occurrence = tuple[str, int, str]  # collection, version, path
_PathsOfLayers = Mapping[int, Sequence[str]]


def versions_containing(database: Database, digest: bytes, *, limit: int) -> list[Occurrence]:
    """(collection, version, path) of versions, deleted ones included, that contain this content; at most `limit`.

    As many as `limit` means that there may be more. Cost: the entries that have the digest, and the versions whose
    chains have one of their layers.
    """
    with database.snapshot() as connection:
        return list(islice(occurrences_of(connection, digest, EVERYWHERE), limit))


def occurrences_of(
    connection: Connection, digest: bytes, within: tuple[str, str], *, live: bool = False
) -> Iterator[Occurrence]:
    """As `versions_containing`, in the projects of a half-open range of names; `live`: without deleted versions.

    Cost: that of those projects alone, as an object is in the project of the entries that name it.
    """
    start, end = within
    for kind in (FILES, PACKS):
        names = f"{kind}/{start}", f"{kind}/{end}"
        yield from _occurrences(connection, _entries_with(connection, digest, *names), live=live)


def versions_referencing(database: Database, uri: str, *, limit: int) -> list[Occurrence]:
    """(collection, version, path) of versions, deleted ones included, with references to something below `uri`.

    At most `limit`; as many as that means that there may be more. Cost: the matching references, and the versions whose
    chains have one of their layers.
    """
    with database.snapshot() as connection:
        return list(islice(_occurrences(connection, _entries_below(connection, uri)), limit))


def _occurrences(
    connection: Connection, pages: Iterable[_PathsOfLayers], *, live: bool = False
) -> Iterator[Occurrence]:
    """The versions that contain entries, given by layer."""
    for paths_of_layers in pages:
        for layer, paths in sorted(paths_of_layers.items()):
            for collection, version, layers in _versions_of(connection, layer, live):
                above = parse_chain(layers)
                hidden = _named_by(connection, above[: above.index(layer)], paths)
                yield from [(collection, version, path) for path in paths if path not in hidden]


def _entries_below(connection: Connection, uri: str) -> Iterator[_PathsOfLayers]:
    """The references to something below a URI: paths by layer, one layer at a time."""
    below = _uri_range(uri)
    for (layer,) in _layers_referring().tuples(connection, **below):
        rows = _references_of_layer().tuples(connection, **below, layer=layer)
        yield {layer: [path for (path,) in rows]}


def _entries_with(connection: Connection, digest: bytes, start: str, end: str) -> Iterator[_PathsOfLayers]:
    """The entries with a digest in objects of a range of names, in pages: paths by layer."""
    after: tuple[Any, ...] = (start, -1, "")
    while True:
        name, layer, path = after
        rows = _rows_with().tuples(
            connection, digest=digest, name=name, end=end, layer=layer, path=path, limit=ENTRIES_PER_PAGE
        )
        paths_of_layers: dict[int, list[str]] = defaultdict(list)
        for _, layer, path in rows:
            paths_of_layers[layer].append(path)
        yield paths_of_layers
        if len(rows) < ENTRIES_PER_PAGE:
            return
        after = rows[-1]


def _versions_of(connection: Connection, layer: int, live: bool) -> Iterator[tuple[Any, ...]]:
    """(collection, version, layers) of every version that has a layer in its chain."""
    collection, version = "", -1
    while True:
        rows = _chains(live).tuples(
            connection, layer=layer, collection=collection, version=version, limit=VERSIONS_PER_PAGE
        )
        yield from rows
        if len(rows) < VERSIONS_PER_PAGE:
            return
        collection, version, _ = rows[-1]


def _named_by(connection: Connection, layers: Sequence[int], paths: Sequence[str]) -> set[str]:
    """Those of `paths` that one of `layers` names, and so hides in the layers below."""
    if not layers:
        return set()
    numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(layers))}
    named: set[str] = set()
    for start in range(0, len(paths), KEYS_PER_STATEMENT_MAX):
        chunk = padded(paths[start : start + KEYS_PER_STATEMENT_MAX])
        texts = {f"path_{i}": path for i, path in enumerate(chunk)}
        rows = _paths_among(len(numbers), len(chunk)).tuples(connection, **numbers, **texts)
        named.update(path for (path,) in rows)
    return named


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _rows_with() -> Statement:
    name, layer, path = ENTRIES.c.object_name, ENTRIES.c.layer, ENTRIES.c.path
    at = _parameters("name", "layer", "path")
    later = or_(
        name > at["name"],
        and_(name == at["name"], layer > at["layer"]),
        and_(name == at["name"], layer == at["layer"], path > at["path"]),
    )
    return (
        select(name, layer, path)
        # The first condition follows from the last, but an index can begin with it.
        .where(ENTRIES.c.digest == bindparam("digest"), name >= at["name"], name < bindparam("end"), later)
        .order_by(name, layer, path)
        .limit(bindparam("limit"))
    )


def _uri_range(uri: str) -> dict[str, str]:
    """What is below `uri`: the parameters of `_is_below`."""
    start, end = range_of_folder(uri)
    return {"start": start, "end": end, "first_prefix": start[:PREFIX_LENGTH], "last_prefix": end[:PREFIX_LENGTH]}


def _parameters(*names: str) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


def _is_below() -> "ColumnElement[bool]":
    prefix, at = prefix_of(ENTRIES.c.uri), _parameters(*_uri_range(""))
    # The index has prefixes alone, and the beginnings of texts are sorted as the texts are.
    in_index = and_(ENTRIES.c.uri.is_not(None), prefix >= at["first_prefix"], prefix <= at["last_prefix"])
    return and_(in_index, ENTRIES.c.uri >= at["start"], ENTRIES.c.uri < at["end"])


@compiled
def _layers_referring() -> Statement:
    return select(ENTRIES.c.layer).where(_is_below()).distinct().order_by(ENTRIES.c.layer)


@compiled
def _references_of_layer() -> Statement:
    of_layer = ENTRIES.c.layer == bindparam("layer")
    return select(ENTRIES.c.path).where(_is_below(), of_layer).distinct().order_by(ENTRIES.c.path)


@compiled
def _chains(live: bool) -> Statement:
    collection: Any = bindparam("collection")
    later = or_(
        VERSION_LAYERS.c.collection > collection,
        and_(VERSION_LAYERS.c.collection == collection, VERSION_LAYERS.c.version > bindparam("version")),
    )
    same = and_(VERSIONS.c.collection == VERSION_LAYERS.c.collection, VERSIONS.c.version == VERSION_LAYERS.c.version)
    conditions = [VERSION_LAYERS.c.layer == bindparam("layer"), later, *([~is_deleted()] if live else [])]
    return (
        select(VERSION_LAYERS.c.collection, VERSION_LAYERS.c.version, VERSIONS.c.layers)
        .select_from(VERSION_LAYERS.join(VERSIONS, same))
        .where(*conditions)
        .order_by(VERSION_LAYERS.c.collection, VERSION_LAYERS.c.version)
        .limit(bindparam("limit"))
    )


@compiled
def _paths_among(layers: int, paths: int) -> Statement:
    in_layers = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    return select(ENTRIES.c.path).where(in_layers, of_paths).distinct()
