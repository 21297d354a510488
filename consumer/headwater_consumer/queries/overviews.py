"""What a list of collections shows of each: its newest version, its aliases, and when it last changed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from headwater_schemas.version_events import ARTIFACT_USED

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import (
    KEYS_PER_STATEMENT_MAX,
    Statement,
    compiled,
    padded,
)
from headwater_consumer.database.conditions import holds, is_newest
from headwater_consumer.database.sql import bindparam, func, select
from headwater_consumer.database.tables import ALIASES, COLLECTIONS, VERSION_EVENTS, VERSIONS

ALIASES_MAX = 8  # of one collection
RECENT_EVENTS = 32  # that are searched for the last change: uses are none, and those of others nobody may learn of


class Newest(NamedTuple):
    """The newest live version of a collection."""

    version: int
    entry_count: int
    size_bytes: int
    created_us: int


class CollectionOverview(NamedTuple):
    """One collection as a list shows it."""

    newest: Newest | None  # None: no version is live
    aliases: tuple[tuple[str, int], ...]  # (alias, version) by alias, at most ALIASES_MAX; those on deleted ones, too
    alias_count: int
    changed_us: int | None  # the last event but uses; None where the last RECENT_EVENTS are all uses


def collection_overviews(database: Database, collections: Sequence[str]) -> dict[str, CollectionOverview]:
    """The overview of each of these collections that exists. Cost: some forty index look-ups each, and its aliases."""
    found: dict[str, CollectionOverview] = {}
    for start in range(0, len(collections), KEYS_PER_STATEMENT_MAX):
        names = padded(collections[start : start + KEYS_PER_STATEMENT_MAX])
        values = {f"name_{i}": name for i, name in enumerate(names)}
        aliases: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        with database.snapshot() as connection:
            rows = _newest_and_changes(len(names)).rows(connection, **values, recent=RECENT_EVENTS)
            for collection, alias, version in _open_aliases(len(names)).tuples(connection, **values):
                aliases[collection].append((alias, version))
        for row in rows:
            newest = (
                None if row.version is None else Newest(row.version, row.entry_count, row.size_bytes, row.newest_us)
            )
            own = aliases[row.collection]
            found[row.collection] = CollectionOverview(newest, tuple(own[:ALIASES_MAX]), len(own), row.changed_us)
    return found


@compiled
def _newest_and_changes(count: int) -> Statement:
    recent = (
        select(VERSION_EVENTS.c.kind, VERSION_EVENTS.c.time_us)
        .where(VERSION_EVENTS.c.subject == COLLECTIONS.c.collection)
        .order_by(VERSION_EVENTS.c.position.desc(), VERSION_EVENTS.c.record_index.desc())
        .limit(bindparam("recent"))
        .correlate(COLLECTIONS)
        .subquery("recent")
    )
    changed = select(func.max(recent.c.time_us)).where(recent.c.kind != ARTIFACT_USED).scalar_subquery()
    columns = (
        VERSIONS.c.version,
        VERSIONS.c.entry_count,
        VERSIONS.c.size_bytes,
        VERSIONS.c.created_us.label("newest_us"),
    )
    return (
        select(COLLECTIONS.c.collection, *columns, changed.label("changed_us"))
        .select_from(COLLECTIONS.outerjoin(VERSIONS, is_newest()))
        .where(COLLECTIONS.c.collection.in_([bindparam(f"name_{i}") for i in range(count)]))
    )


@compiled
def _open_aliases(count: int) -> Statement:
    named = ALIASES.c.collection.in_([bindparam(f"name_{i}") for i in range(count)])
    found = select(ALIASES.c.collection, ALIASES.c.alias, ALIASES.c.version).where(named, holds(ALIASES))
    return found.order_by(ALIASES.c.collection, ALIASES.c.alias)
