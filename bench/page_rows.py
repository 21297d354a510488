"""Rows of a large projection for the page, as the projector writes them, but without a log: in minutes, not hours.

One collection has all the versions, each with metadata, a tag, a run while there are runs, and two version events;
there are as many collections of one version as there are runs. They stand beyond all that the log has.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice

from headwater_consumer import rows
from headwater_consumer.database import Database
from headwater_consumer.rows import METADATA
from headwater_consumer.rows.base import ProjectionRow
from headwater_schemas.lthash import STATE_BYTES
from headwater_schemas.positions import position_number
from headwater_schemas.version_events import ALIAS_MOVED, VERSION_COMMITTED

from bench.fabricated import FILE_BYTES, PROJECT

VERSIONS = f"{PROJECT}/versions"
FIRST = position_number(0, 0, 1 << 30)
FIRST_US = 1_700_000_000_000_000
STEP_US = 60_000_000
PROD_EACH = 1000  # versions, of which "prod" is moved to one
TAGS = 1000  # different ones
ROWS_AT_ONCE = 20_000
STATE = bytes(STATE_BYTES)


def fill(database: Database, versions: int, runs: int) -> None:
    """Write all of it."""
    for made in (_versions(versions, runs), _others(runs), _runs(versions, runs)):
        _write(database, made)


def _write(database: Database, made: Iterator[ProjectionRow]) -> None:
    while some := list(islice(made, ROWS_AT_ONCE)):
        by_type: dict[type[ProjectionRow], list[ProjectionRow]] = {}
        for row in some:
            by_type.setdefault(type(row), []).append(row)
        with database.transaction() as connection:
            for row_type, found in by_type.items():
                database.adapter.upsert_rows(connection, row_type, found)


def _versions(count: int, runs: int) -> Iterator[ProjectionRow]:
    yield rows.CollectionRow(VERSIONS, PROJECT, "dataset", count, FIRST, FIRST_US)
    for n in range(count):
        run = f"{PROJECT}/run-{n}" if n < runs else None
        yield from version_rows(VERSIONS, n, FIRST + n, run)
        later = FIRST + n + 1 if n + 1 < count else None
        yield rows.AliasRow(VERSIONS, "latest", n, FIRST + n, later)
        if n % PROD_EACH == 0:
            moved = FIRST + n + PROD_EACH if n + PROD_EACH < count else None
            yield rows.AliasRow(VERSIONS, "prod", n, FIRST + n, moved)
        yield rows.TagRow(VERSIONS, n, f"tag-{n % TAGS:04d}", FIRST + n, None)
        loss = f'{{"epoch":{n},"loss":{1 / (n % 97 + 1):.6f},"note":"of version {n}"}}'
        yield rows.VersionAttributeRow(VERSIONS, n, METADATA, loss, FIRST + n, None)
        yield from _events(VERSIONS, n, FIRST + n, run)


def _events(collection: str, version: int, position: int, run: str | None) -> Iterator[ProjectionRow]:
    event, time_us = f"{position:032x}", FIRST_US + version * STEP_US
    said = (event, 0, "bench@bench", None, time_us)
    yield rows.VersionEventRow(position, 0, VERSION_COMMITTED, collection, version, None, run, *said)
    before = version - 1 if version else None
    moved = (event, 1, "bench@bench", None, time_us)
    yield rows.VersionEventRow(position, 1, ALIAS_MOVED, collection, version, before, "latest", *moved)
    if collection == VERSIONS and version % PROD_EACH == 0:
        prod = (event, 2, "bench@bench", "it is better", time_us)
        yield rows.VersionEventRow(
            position, 2, ALIAS_MOVED, collection, version, max(0, version - PROD_EACH), "prod", *prod
        )


def version_rows(collection: str, version: int, position: int, run: str | None) -> Iterator[ProjectionRow]:
    digest = "lthash:" + hashlib.sha256(f"{collection}{version}".encode()).hexdigest()
    time_us = FIRST_US + version * STEP_US
    yield rows.VersionRow(
        collection, version, digest, STATE, 1, FILE_BYTES, str(position), None, f"own:{position}", run, 0, position,
        time_us, time_us, time_us, "bench@bench", None,
    )  # fmt: skip
    yield rows.VersionDigestRow(collection, digest, version)
    yield rows.VersionLayerRow(position, collection, version)
    yield rows.LayerRow(position, 1, 0)
    if run is not None:
        yield rows.RunOutputRow(collection, version, run, position)


def _others(count: int) -> Iterator[ProjectionRow]:
    """Collections of one version."""
    for n in range(count):
        name, position = f"{PROJECT}/old-{n:06d}", FIRST + (1 << 32) + n
        yield rows.CollectionRow(name, PROJECT, "model", 1, position, FIRST_US)
        yield from version_rows(name, 0, position, None)
        yield rows.AliasRow(name, "latest", 0, position, None)
        yield from _events(name, 0, position, None)


def _runs(versions: int, count: int) -> Iterator[ProjectionRow]:
    """Each used the last version, which the page of that counts up to its bound."""
    for n in range(count):
        run, position = f"{PROJECT}/run-{n}", FIRST + (1 << 33) + n
        time_us = FIRST_US + n * STEP_US
        yield rows.RunRow(run, PROJECT, "train", None, None, "[]", "bench@bench", time_us, time_us, position, None)
        yield rows.RunStateRow(run, "finished", time_us, position, None)
        yield rows.RunInputRow(VERSIONS, versions - 1, run, "versions:latest", "", position)
