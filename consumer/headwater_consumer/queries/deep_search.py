"""Search that no index helps: values of metadata, and names of files. It ends in time with what it found."""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import is_newest
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import COLLECTIONS, VERSIONS
from headwater_consumer.queries.entries import Columns, entries_at, rows_of_layer
from headwater_consumer.queries.searching import Finding, Findings, rows_in_scope, with_metadata
from headwater_consumer.rows import METADATA, LayerChain, parse_chain

PATHS_AT_ONCE = 5000
VALUE_LENGTH_MAX = 200  # characters of a value that are told
KEYS_PER_VERSION_MAX = 3  # of one version that are told


class MetadataFinding(NamedTuple):
    """A value in the metadata of a version."""

    collection: str
    version: int
    key: str  # "outer.inner"
    value: str  # as JSON, cut after VALUE_LENGTH_MAX


class MetadataFindings(NamedTuple):
    """What a search found."""

    found: list[MetadataFinding]
    complete: bool  # everything was looked at


def search_metadata_text(
    database: Database, scope: str | None, text: str, *, limit: int, seconds_max: float
) -> MetadataFindings:
    """The live versions with a key or value in their metadata that contains `text`, in either case, by collection.

    `scope`: see `searching`. Cost: the metadata in it, as far as that is read in about `seconds_max`.
    """
    deadline, wanted = time.monotonic() + seconds_max, text.lower()
    found: list[MetadataFinding] = []
    for row in rows_in_scope(database, with_metadata(), scope, field=METADATA):
        if wanted in row.value.lower():
            hits = [hit for hit in _leaves(json.loads(row.value)) if any(wanted in part.lower() for part in hit)]
            found += [MetadataFinding(row.collection, row.version, *hit) for hit in hits[:KEYS_PER_VERSION_MAX]]
        if len(found) >= limit or time.monotonic() > deadline:
            return MetadataFindings(found[:limit], False)
    return MetadataFindings(found, True)


def search_file_names(database: Database, scope: str | None, text: str, *, limit: int, seconds_max: float) -> Findings:
    """The paths that contain `text`, in either case, in the newest live version of each collection, by its name.

    Cost: the entries of those versions, as far as they are read in about `seconds_max`.
    """
    deadline, wanted = time.monotonic() + seconds_max, text.lower()
    found: list[Finding] = []
    for row in rows_in_scope(database, _newest_versions(), scope):
        for paths in _paths(database, parse_chain(row.layers), wanted):
            found += [Finding(row.collection, row.version, path) for path in paths]
            if len(found) >= limit or time.monotonic() > deadline:
                return Findings(found[:limit], False)
    return Findings(found, True)


def _paths(database: Database, chain: LayerChain, wanted: str) -> Iterator[list[str]]:
    """The paths of a chain that contain the text, in parts; each part is some rows that were looked at."""
    statement = rows_of_layer(Columns.NAMED, False)
    for depth, layer in enumerate(chain):
        after = ""
        while True:
            with database.snapshot() as connection:
                rows = statement.tuples(connection, layer=layer, after=after, limit=PATHS_AT_ONCE)
                hits = [path for path, _ in rows if wanted in path.lower()]
                yield _still_there(connection, chain, depth, hits) if hits else []
            if len(rows) < PATHS_AT_ONCE:
                break
            after = rows[-1][0]


def _still_there(connection: Any, chain: LayerChain, depth: int, paths: list[str]) -> list[str]:
    """Those at which the chain has an entry, and which no layer above names: each is found once."""
    above = {info.path for info in entries_at(connection, chain[:depth], paths)} if depth else set()
    there = {info.path for info in entries_at(connection, chain, paths)}
    return [path for path in paths if path in there and path not in above]


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, value as JSON) of everything in an object that is no object itself."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _leaves(one, f"{key}.{name}" if key else name)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield key, text[:VALUE_LENGTH_MAX]


@compiled
def _newest_versions() -> Statement:
    within = COLLECTIONS.c.collection > bindparam("collection"), COLLECTIONS.c.collection < bindparam("end")
    found = select(VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.layers)
    # The names of collections alone are a key.
    found = found.select_from(COLLECTIONS.join(VERSIONS, is_newest())).where(*within)
    return found.order_by(COLLECTIONS.c.collection).limit(bindparam("limit"))
