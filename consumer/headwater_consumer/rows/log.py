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
    record: bytes  # the hash of that record: another one there means that another history was put in place


@row(key=("partition", "session", "key"))
@dataclass(frozen=True, slots=True)
class SessionMarkRow(ProjectionRow):
    """The high-water mark of one writer under one key."""

    partition: int
    session: str
    key: str
    sequence: int  # the last one that was applied or rejected


@row(key=("partition",))
@dataclass(frozen=True, slots=True)
class RetiredSessionsRow(ProjectionRow):
    """Sessions that started before this may write no more to a partition."""

    partition: int
    before_ms: int  # milliseconds since 1970, UTC


@row(key=("broadcast", "partition"))
@dataclass(frozen=True, slots=True)
class BroadcastRow(ProjectionRow):
    """A partition has this event, which is written to every partition. Nothing acts on it before all of them have it.

    Ends when the session that sent it is retired.
    """

    broadcast: str
    partition: int
    session: str
    key: str
    sequence: int
    payload: bytes  # by which `maintain` writes it to the partitions that lack it


@row(key=("position",))
@dataclass(frozen=True, slots=True)
class RejectionRow(ProjectionRow):
    """An event that broke a rule, or that an operator skipped. Ends when its session is retired."""

    position: int
    partition: int
    key: str
    session: str
    sequence: int
    event: str  # its name; "" where it could not be decoded
    reason: str  # errors.Reason
    message: str
    time_us: int


@row(key=("position",))
@dataclass(frozen=True, slots=True)
class DeadLetterRow(ProjectionRow):
    """A record that a known schema could not decode. Ends when an operator resolves it."""

    position: int
    partition: int
    key: str
    payload: bytes
    headers: bytes  # see `headwater_schemas.header_block`
    session: str | None  # by its headers
    sequence: int | None
    error: str
    time_us: int
    append_us: int  # the same by the log's clock


@row(key=("partition", "key"))
@dataclass(frozen=True, slots=True)
class ParkedKeyRow(ProjectionRow):
    """A key whose later records in one partition wait behind a dead letter there. Ends when none waits any more."""

    partition: int
    key: str
    position: int  # of the dead letter


@row(key=("position",))
@dataclass(frozen=True, slots=True)
class ParkedRecordRow(ProjectionRow):
    """A record that waits behind a dead letter of its key. Ends when it is applied."""

    position: int
    partition: int
    key: str
    payload: bytes
    headers: bytes  # as of DeadLetterRow
    session: str | None
    sequence: int | None
    time_us: int
    append_us: int  # the same by the log's clock
