"""A version event as a record of Kafka: CloudEvents in structured mode."""

import json
from collections.abc import Sequence
from typing import Any

from headwater_consumer.queries.results import VersionEventInfo, VersionEventPage
from headwater_eventlog.kafka.event_topic import OutgoingRecord
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.headers import Headers
from headwater_schemas.version_events import CONTENT_TYPE

HEADERS: Headers = (("content-type", f"{CONTENT_TYPE}; charset=utf-8".encode()),)


def records_of(page: VersionEventPage) -> Sequence[OutgoingRecord]:
    """The events of a page, in its order."""
    return [_record(event, cursor) for event, cursor in page.cursors()]


def sequence_of(event: VersionEventInfo) -> str:
    """Text that is greater than that of every event before it in its partition, and the same whenever it is told."""
    return f"{event.position:019d}-{event.index:010d}"


def _record(event: VersionEventInfo, cursor: EventCursor) -> OutgoingRecord:
    content: dict[str, Any] = {**event.told(cursor).to_json(), "sequence": sequence_of(event)}
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return OutgoingRecord(event.partition, event.subject.encode(), payload, HEADERS)
