"""Which versions hold a content: from a digest back to the versions that show it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select

from headwater_consumer.asking import Statement
from headwater_consumer.bulk import KEYS_PER_STATEMENT_MAX, padded
from headwater_consumer.database import Database
from headwater_consumer.rows import EntryRow, Version, VersionLayer

ENTRIES_PER_LOOK = 1000  # of one digest, looked at in one go
VERSIONS_PER_LOOK = 1000

ENTRIES, VERSIONS, CHAINS = EntryRow.table, Version.table, VersionLayer.table
Held = tuple[str, int, str]  # collection, version, path
_PathsOfLayers = Mapping[int, Sequence[str]]


def versions_holding(database: Database, digest: bytes, *, limit: int) -> list[Held]:
    """(collection, version, path) of versions, deleted ones included, that hold this content; at most `limit`.

    As many as `limit` means that there may be more. Cost: the entries that have the digest, and the versions whose
    chains have a layer of theirs.
    """
    found: list[Held] = []
    with database.reading() as connection:
        for paths_of_layers in _entries_with(connection, digest):
            for layer, paths in sorted(paths_of_layers.items()):
                for collection, version, layers in _versions_of(connection, layer):
                    above = [int(number) for number in layers.split(",")]
                    hidden = _named_by(connection, above[: above.index(layer)], paths)
                    found += [(collection, version, path) for path in paths if path not in hidden]
                    if len(found) >= limit:
                        return found[:limit]
    return found


def _entries_with(connection: Connection, digest: bytes) -> Iterator[_PathsOfLayers]:
    """The entries with a digest, some at a time: paths by layer."""
    after: tuple[Any, ...] = ("", -1, "")
    while True:
        name, layer, path = after
        rows = _rows_with().tuples(connection, digest=digest, name=name, layer=layer, path=path, limit=ENTRIES_PER_LOOK)
        paths_of_layers: dict[int, list[str]] = defaultdict(list)
        for _, layer, path in rows:
            paths_of_layers[layer].append(path)
        yield paths_of_layers
        if len(rows) < ENTRIES_PER_LOOK:
            return
        after = rows[-1]


def _versions_of(connection: Connection, layer: int) -> Iterator[tuple[Any, ...]]:
    """(collection, version, layers) of every version that has a layer in its chain."""
    collection, version = "", -1
    while True:
        rows = _chains().tuples(
            connection, layer=layer, collection=collection, version=version, limit=VERSIONS_PER_LOOK
        )
        yield from rows
        if len(rows) < VERSIONS_PER_LOOK:
            return
        collection, version, _ = rows[-1]


def _named_by(connection: Connection, layers: Sequence[int], paths: Sequence[str]) -> set[str]:
    """Those of `paths` that one of `layers` names: what lies below is not seen there."""
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


@cache
def _rows_with() -> Statement:
    name, layer, path = ENTRIES.c.object_name, ENTRIES.c.layer, ENTRIES.c.path
    at: Any = {key: bindparam(key) for key in ("name", "layer", "path")}
    later = or_(
        name > at["name"],
        and_(name == at["name"], layer > at["layer"]),
        and_(name == at["name"], layer == at["layer"], path > at["path"]),
    )
    return Statement(
        select(name, layer, path)
        # The first condition says no more than the last, but an index can begin with it.
        .where(ENTRIES.c.digest == bindparam("digest"), name >= at["name"], later)
        .order_by(name, layer, path)
        .limit(bindparam("limit"))
    )


@cache
def _chains() -> Statement:
    collection: Any = bindparam("collection")
    later = or_(
        CHAINS.c.collection > collection,
        and_(CHAINS.c.collection == collection, CHAINS.c.version > bindparam("version")),
    )
    same = and_(VERSIONS.c.collection == CHAINS.c.collection, VERSIONS.c.version == CHAINS.c.version)
    return Statement(
        select(CHAINS.c.collection, CHAINS.c.version, VERSIONS.c.layers)
        .select_from(CHAINS.join(VERSIONS, same))
        .where(CHAINS.c.layer == bindparam("layer"), later)
        .order_by(CHAINS.c.collection, CHAINS.c.version)
        .limit(bindparam("limit"))
    )


@cache
def _paths_among(layers: int, paths: int) -> Statement:
    in_layers = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    return Statement(select(ENTRIES.c.path).where(in_layers, of_paths).distinct())
