"""Rows about the log: the cursor of each partition, the sequence of each writer, and events that were not applied."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row


@row(key=("partition",))
@dataclass(frozen=True, slots=True)
class LogPositionRow(ProjectionRow):
    """The cursor: the last record of a partition that this projection covers."""

    partition: int
    generation: str
    offset: int
    time_us: int  # the highest append time so far; later records count as not before it


@row(key=("partition", "session", "key"))
@dataclass(frozen=True, slots=True)
class SessionMarkRow(ProjectionRow):
    """The high-water mark of one writer under one key."""

    partition: int
    session: str
    key: str
    sequence: int  # the last one that was applied or rejected


@row(key=("partition", "offset"))
@dataclass(frozen=True, slots=True)
class RejectionRow(ProjectionRow):
    """An event that broke a rule."""

    partition: int
    offset: int
    key: str
    session: str
    sequence: int
    event: str  # its name
    reason: str  # errors.Reason
    message: str
    time_us: int


@row(key=("partition", "offset"))
@dataclass(frozen=True, slots=True)
class DeadLetterRow(ProjectionRow):
    """A record that a known schema could not decode."""

    partition: int
    offset: int
    key: str
    payload: bytes
    error: str
    time_us: int
    decision: str | None  # None while it is open
    resolved_position: int | None


@row(key=("partition", "key"))
@dataclass(frozen=True, slots=True)
class ParkedKeyRow(ProjectionRow):
    """A key whose later records in one partition wait behind a dead letter there."""

    partition: int
    key: str
    offset: int | None  # of the dead letter; None once the key is no longer parked


@row(key=("partition", "offset"))
@dataclass(frozen=True, slots=True)
class ParkedRecordRow(ProjectionRow):
    """A record that waits behind a dead letter of its key."""

    partition: int
    offset: int
    key: str
    payload: bytes
    time_us: int
    applied_position: int | None  # None while it waits


@row(key=("partition", "offset", "record_index"))
@dataclass(frozen=True, slots=True)
class OutboxRow(ProjectionRow):
    """A notification for subscribers, in log order."""

    partition: int
    offset: int
    record_index: int  # counts from 0 within one record of the log
    kind: str
    subject: str  # the collection or run
    body: str  # canonical JSON
    time_us: int
