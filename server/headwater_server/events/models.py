"""Version events as they are answered; `docs/events.md` describes each."""

from typing import Any

from headwater_schemas.version_events import VersionEvent
from pydantic import BaseModel, Field


class Event(BaseModel):
    """A CloudEvent 1.0."""

    specversion: str
    id: str = Field(description="The same however often the event is told.")
    source: str
    type: str = Field(examples=["headwater.version-committed.v1"])
    subject: str = Field(description="The collection or run; all events of one come in order.")
    time: str
    datacontenttype: str
    dataschema: str
    cursor: str = Field(description="Pass it as `after` to go on behind this event.")
    data: dict[str, Any] = Field(description="By the schema of the kind.")


class Events(BaseModel):
    """Some version events."""

    items: list[Event]
    cursor: str = Field(description="Pass it as `after` to go on; it may pass over events that were not asked for.")
    more: bool = Field(description="Whether there may be others to read already.")


def event_model(event: VersionEvent) -> Event:
    """An event as it is answered."""
    return Event(**event.to_json())
