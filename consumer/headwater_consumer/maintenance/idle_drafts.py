"""Idle drafts: their writer died, or the commit never came."""

from collections.abc import Iterator

from headwater_producer.producer import Producer
from headwater_schemas.events import DraftDiscarded
from headwater_schemas.names import CollectionName

from headwater_consumer.database import Database
from headwater_consumer.queries import DraftInfo, draft_idle_days, open_drafts

DRAFTS_PER_PAGE = 1000
DISCARDED_MAX = 10_000  # at once, all of which wait in the producer's memory; the next run finds the rest
_US_PER_DAY = 86_400_000_000


def discard_idle_drafts(
    database: Database, producer: Producer, *, now_us: int, project: str | None = None
) -> list[DraftInfo]:
    """Send an event that discards each open draft that was idle for as long as its project allows.

    A draft that gets an event meanwhile stays open: the discarding event names the last one, and is rejected then. The
    caller confirms. `project`: "entity/project"; None for all. Raises: as `Producer.send`.
    """
    days_of: dict[str, int] = {}
    sent: list[DraftInfo] = []
    for draft in _open_drafts(database, project):
        of_project = CollectionName.parse(draft.collection).namespace
        if of_project not in days_of:
            days_of[of_project] = draft_idle_days(database, of_project)
        since_us = now_us - days_of[of_project] * _US_PER_DAY
        if draft.last_event_us > since_us:
            continue
        event = DraftDiscarded(collection=draft.collection, draft=draft.draft, last_event=draft.last_event)
        producer.send([event], message=f"idle for {days_of[of_project]} days")
        sent.append(draft)
        if len(sent) == DISCARDED_MAX:
            break
    return sent


def _open_drafts(database: Database, project: str | None) -> Iterator[DraftInfo]:
    after: tuple[str, str] | None = None
    while True:
        page = open_drafts(database, project, after=after, limit=DRAFTS_PER_PAGE)
        yield from page
        if len(page) < DRAFTS_PER_PAGE:
            return
        after = page[-1].collection, page[-1].draft
