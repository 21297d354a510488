"""Idle drafts: their writer died, or the commit never came."""

from collections.abc import Iterator

from headwater_producer.producer import Producer
from headwater_runtime.days import US_PER_DAY
from headwater_schemas.events import DraftDiscarded
from headwater_schemas.names import CollectionName

from headwater_consumer.database import Database
from headwater_consumer.queries import DraftInfo, draft_idle_days, open_drafts

DRAFTS_PER_PAGE = 1000
DISCARDED_MAX = 10_000  # at once, all of which wait in the producer's memory; the next run finds the rest


def discard_idle_drafts(
    database: Database, producer: Producer, *, now_us: int, project: str | None = None
) -> list[DraftInfo]:
    """Send an event that discards each open draft that was idle for as long as its project allows.

    A draft that gets an event meanwhile stays open: the discarding event names the last one, and is rejected then. The
    caller confirms. `project`: "entity/project"; None for all. Raises: as `Producer.send`.
    """
    sent: list[DraftInfo] = []
    for draft, days in idle_drafts(database, now_us=now_us, project=project):
        event = DraftDiscarded(collection=draft.collection, draft=draft.draft, last_event=draft.last_event)
        producer.send([event], message=f"idle for {days} days")
        sent.append(draft)
    return sent


def idle_drafts(database: Database, *, now_us: int, project: str | None = None) -> Iterator[tuple[DraftInfo, int]]:
    """The open drafts that were idle for as long as their project allows, and how many days that is.

    At most DISCARDED_MAX.
    """
    days_of: dict[str, int] = {}
    found = 0
    for draft in _open_drafts(database, project):
        of_project = CollectionName.parse(draft.collection).namespace
        if of_project not in days_of:
            days_of[of_project] = draft_idle_days(database, of_project)
        if draft.last_event_us > now_us - days_of[of_project] * US_PER_DAY:
            continue
        yield draft, days_of[of_project]
        found += 1
        if found == DISCARDED_MAX:
            return


def _open_drafts(database: Database, project: str | None) -> Iterator[DraftInfo]:
    after: tuple[str, str] | None = None
    while True:
        page = open_drafts(database, project, after=after, limit=DRAFTS_PER_PAGE)
        yield from page
        if len(page) < DRAFTS_PER_PAGE:
            return
        after = page[-1].collection, page[-1].draft
