"""Which versions hold a content: from a digest back to the versions that show it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from headwater_blobs.naming import project_of
from headwater_schemas.paths import range_of_folder
from sqlalchemy import Connection, and_, bindparam, or_, select

from headwater_consumer.database import Database
from headwater_consumer.queries.asking import KEYS_PER_STATEMENT_MAX, Statement, padded
from headwater_consumer.rows import EntryRow, Version

ENTRIES_PER_LOOK = 1000  # of one digest, looked at in one go
VERSIONS_PER_LOOK = 1000

ENTRIES, VERSIONS = EntryRow.table, Version.table
Held = tuple[str, int, str]  # collection, version, path
_PathsOfLayers = Mapping[int, Sequence[str]]


def versions_holding(database: Database, digest: bytes, *, limit: int) -> list[Held]:
    """(collection, version, path) of versions, deleted ones included, that hold this content; at most `limit`.

    As many as `limit` means that there may be more. Cost: the entries that have the digest, and the names of the layers
    of all versions in their projects, because a layer does not know which versions it is part of.
    """
    found: list[Held] = []
    with database.reading() as connection:
        for project, paths in _entries_with(connection, digest):
            for collection, version, layers in _versions_of(connection, project):
                chain = [int(layer) for layer in layers.split(",") if layer]
                for depth, layer in enumerate(chain):
                    hidden = _named_by(connection, chain[:depth], paths.get(layer, ()))
                    found += [(collection, version, path) for path in paths.get(layer, ()) if path not in hidden]
                if len(found) >= limit:
                    return found[:limit]
    return found


def _entries_with(connection: Connection, digest: bytes) -> Iterator[tuple[str, _PathsOfLayers]]:
    """The entries with a digest, some at a time: a project, and paths by layer."""
    after: tuple[Any, ...] = ("", -1, "")
    while True:
        name, layer, path = after
        rows = _rows_with().tuples(connection, digest=digest, name=name, layer=layer, path=path, limit=ENTRIES_PER_LOOK)
        projects: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name, layer, path in rows:
            projects[project_of(name)][layer].append(path)
        yield from sorted(projects.items())
        if len(rows) < ENTRIES_PER_LOOK:
            return
        after = rows[-1]


def _versions_of(connection: Connection, project: str) -> Iterator[tuple[Any, ...]]:
    """(collection, version, layers) of every version in a project."""
    collection, end = range_of_folder(project)
    version = -1
    while True:
        rows = _chains().tuples(connection, collection=collection, version=version, end=end, limit=VERSIONS_PER_LOOK)
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
        VERSIONS.c.collection > collection,
        and_(VERSIONS.c.collection == collection, VERSIONS.c.version > bindparam("version")),
    )
    return Statement(
        select(VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.layers)
        .where(VERSIONS.c.collection >= collection, VERSIONS.c.collection < bindparam("end"), later)
        .order_by(VERSIONS.c.collection, VERSIONS.c.version)
        .limit(bindparam("limit"))
    )


@cache
def _paths_among(layers: int, paths: int) -> Statement:
    in_layers = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    return Statement(select(ENTRIES.c.path).where(in_layers, of_paths).distinct())
