"""Rows about what the projector decided: the history of versions and runs, which subscribers follow."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row


@row(key=("position", "record_index"))
@dataclass(frozen=True, slots=True)
class VersionEventRow(ProjectionRow):
    """One thing that happened to a version, an alias, a shared draft or a run. Never changed, never deleted.

    Rows of a partition appear in the order of their keys, so whoever has read up to a cut has missed nothing before it.
    """

    position: int  # from which it counts: a parked event counts from where its dead letter was resolved
    record_index: int  # counts from 0 at one position
    kind: str  # of `headwater_schemas.version_events`
    subject: str  # the collection or run
    version: int | None
    before: int | None  # the version that an alias was on
    detail: str | None  # the alias, the draft, the run that logged or used the version, or a run's final state
    event: str  # the id of the event that was sent, the same in every replay
    event_index: int  # counts from 0 within that event
    author: str
    message: str | None
    time_us: int
