"""Histories that are on the log before anybody projects them. For measured processes."""

from collections.abc import Iterator
from uuid import uuid4

from headwater_eventlog.port import EventLog
from headwater_producer.batches import file_events
from headwater_schemas.events import DraftOpened, Event, VersionCommitted, own_draft
from headwater_schemas.keys import collection_key

from bench.fabricated import PROJECT, files, opened_servers, record, version_events
from bench.harness import Result

COLLECTIONS = 96  # at the most: three of each of a topic's usual partitions
EVENTS_PER_VERSION = 3  # of a version of one entry


def record_versions(versions: int) -> Result:
    """Versions of one entry each, the collections taking turns."""
    with opened_servers() as (stores, producer):
        names = _names(stores.log)
        events = (
            event
            for n in range(versions)
            for event in version_events(names[n % len(names)], uuid4().hex, [files([n])], run=f"{PROJECT}/run")
        )
        return {"records": record(producer, events)}


def record_entries(events: int, per_version: int) -> Result:
    """Versions that grew entry by entry, an event each; `events` in all."""
    with opened_servers() as (stores, producer):
        return {"records": record(producer, grown_entries(stores.log, events, per_version))}


def record_one_version(entries: int) -> Result:
    """All in one commit."""
    with opened_servers() as (_, producer):
        numbered = [files(range(entries))]
        return {"records": record(producer, version_events(f"{PROJECT}/large", uuid4().hex, numbered))}


def grown_entries(log: EventLog, events: int, per_version: int) -> Iterator[Event]:
    """Versions that grew entry by entry, an event each; on all partitions of `log`, and `events` in all."""
    names, versions = _names(log), max(1, events // per_version)
    for n in range(versions):
        yield from _grown(names[n % len(names)], events // versions - 2, n * per_version)


def _grown(collection: str, entries: int, first: int) -> Iterator[Event]:
    draft = own_draft(uuid4().hex)
    yield DraftOpened(collection=collection, draft=draft, type="dataset", base=None)
    for n in range(first, first + max(1, entries)):
        yield from file_events(collection, draft, files([n]))
    yield VersionCommitted(collection=collection, draft=draft)


def _names(log: EventLog) -> list[str]:
    """Collections that lie evenly on all partitions; neighbours on different ones."""
    each = max(1, COLLECTIONS // log.partitions)
    found: list[list[str]] = [[] for _ in range(log.partitions)]
    n = 0
    while any(len(names) < each for names in found):
        name = f"{PROJECT}/grown-{n}"
        names = found[log.partition_of(collection_key(name))]
        if len(names) < each:
            names.append(name)
        n += 1
    return [names[i] for i in range(each) for names in found]
