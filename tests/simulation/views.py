"""What the projection shows, read the way users read it, and summed up anew from what is shown."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from headwater_consumer import queries
from headwater_consumer.database import Database, driver_connection
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.queries.results import EntryInfo, VersionInfo
from headwater_consumer.rows import (
    AliasRow,
    GrantRow,
    ProjectFactRow,
    RunCaptureRow,
    RunHeartbeatRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
    SubscriptionRow,
    TagRow,
    TokenRow,
    VersionAttributeRow,
)
from headwater_schemas import codec, lthash
from headwater_schemas.codec import decode as really_decode
from headwater_schemas.entries import BlobLocation, Reference, file_leaves, reference_leaf
from headwater_schemas.events import Stamped
from headwater_schemas.positions import BEFORE_FIRST, position_of

from tests.simulation.ledger import Content, Entry

FACTS = (
    AliasRow,
    TagRow,
    VersionAttributeRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
    RunHeartbeatRow,
    RunCaptureRow,
    ProjectFactRow,
    GrantRow,
    TokenRow,
    SubscriptionRow,
    RunInputRow,
    RunOutputRow,
)
DECODED_MAX = 1024  # a schedule has some fifty records


@dataclass(frozen=True, slots=True)
class Shown:
    """One version, as a reader saw it."""

    digest: str
    entries: dict[str, Entry]


def versions_of(database: Database, collection: str) -> list[VersionInfo]:
    """All versions of a collection, deleted ones included: numbers are dense."""
    found: list[VersionInfo] = []
    while (version := queries.version_info(database, collection, len(found))) is not None:
        found.append(version)
    return found


def entries_of(database: Database, version: VersionInfo) -> list[EntryInfo]:
    """What a version lists, with where it is."""
    return [entry for page in queries.all_entries(database, version.layers) for entry in page]


def listed(entries: Iterable[EntryInfo]) -> dict[str, Entry]:
    """What they say, by path."""
    return {entry.path: Entry(entry.digest, entry.size, entry.uri, entry.executable) for entry in entries}


def content_of(database: Database, version: VersionInfo) -> dict[str, Entry]:
    """What a version lists."""
    return listed(entries_of(database, version))


def place_of(entry: EntryInfo) -> tuple[BlobLocation, bytes]:
    """Where a file's bytes are, and their digest."""
    assert entry.digest is not None
    assert entry.object_name is not None
    assert entry.object_offset is not None
    assert entry.size is not None
    return BlobLocation(entry.object_name, entry.object_offset, entry.size), entry.digest


def digest_of(content: Content) -> str:
    """The digest of a set of entries, whatever order they came in."""
    leaves: list[bytes] = []
    for path, entry in content.items():
        if entry.digest is None:
            assert entry.uri is not None
            leaves.append(reference_leaf(Reference(path, entry.uri)))
        else:
            assert entry.size is not None
            leaves += file_leaves([path], [entry.digest], [entry.size], [0] if entry.executable else ())
    return lthash.sum_of(leaves, sum(entry.size or 0 for entry in content.values())).digest()


@lru_cache(maxsize=DECODED_MAX)
def decoded(payload: bytes) -> Stamped:
    """What a record says. The same few are asked about again and again. Raises: UndecodableEvent."""
    return really_decode(payload)


@contextmanager
def decoding_once() -> Iterator[None]:
    """Whatever reads a record again, such as a replay, is given what it was found to say before."""
    with patch.object(codec, "decode", decoded):
        yield


def facts_at(connection: Connection, cursor: dict[int, int]) -> set[tuple[Any, ...]]:
    """Every fact as it stood at `cursor`: what began later is left out, what ended later is still open."""

    def passed(number: int) -> bool:
        position = position_of(number)
        return position.offset <= cursor.get(position.partition, BEFORE_FIRST)

    found: set[tuple[Any, ...]] = set()
    for row_type in FACTS:
        for row in rows(connection, table_of(row_type).name):
            values = dict(zip(table_of(row_type).columns.keys(), row, strict=True))
            if passed(values["from_position"]):
                if (end := values.get("to_position")) is not None and not passed(end):
                    values["to_position"] = None
                found.add((table_of(row_type).name, *values.values()))
    return found


def rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table, in the order of its columns."""
    found: list[tuple[Any, ...]] = driver_connection(connection).execute(f"SELECT * FROM {table}").fetchall()
    return found
