"""Whether version events are relayed to Kafka, by whom, and how far: what operators are told."""

import time
from collections.abc import Iterator
from contextlib import closing

from headwater_consumer.database import Database
from headwater_consumer.operational.leases import holder_of
from headwater_consumer.operational.relay_positions import LEASE, relayed_topics
from headwater_consumer.queries.event_pages import version_events
from headwater_runtime.durations import format_seconds
from headwater_schemas.diagnostics import Diagnostic
from headwater_schemas.errors import StoreMissing
from headwater_schemas.event_cursors import EventCursor

from headwater_stores.config.settings import Settings
from headwater_stores.operational import open_operational

BEHIND_S_MAX = 60.0  # a relay that is further behind is not well
_US = 1_000_000


def diagnose_relays(settings: Settings, database: Database) -> Iterator[Diagnostic]:
    """What is known of each topic that was written to; nothing where nobody ever relayed. Raises: StoreError."""
    try:
        operational = open_operational(settings, create=False)
    except StoreMissing:
        return
    with closing(operational):
        holder = holder_of(operational, LEASE)
        topics = relayed_topics(operational)
    if holder is not None and not topics:
        yield Diagnostic(True, f"{holder} relays, and has written no event yet.")
    for topic, cursor in topics.items():
        behind_s = _behind_s(database, EventCursor.decode(cursor))
        state = "has all version events" if behind_s is None else f"is {format_seconds(behind_s)} behind"
        found = f"topic {topic!r} {state}, at {cursor}."
        if holder is None:
            yield Diagnostic(False, f"nobody relays: {found} Start `headwater relay`.")
        else:
            yield Diagnostic(behind_s is None or behind_s <= BEHIND_S_MAX, f"{holder} relays: {found}")


def _behind_s(database: Database, cursor: EventCursor) -> float | None:
    """The age of the oldest event that is not in the topic, by this machine's clock; None where all are."""
    waiting = version_events(database, cursor, limit=1).events
    return max(0.0, time.time() - min(event.time_us for event in waiting) / _US) if waiting else None
