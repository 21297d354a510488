"""Rows about the store itself: condemned and relocated objects, settings of projects."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row

SETTINGS = "settings"  # ProjectFactRow.kind and name of a project's settings
RETENTION_POLICY = "retention"  # ProjectFactRow.kind of a retention policy; its name is the policy's


@row(key=("object_name", "partition"))
@dataclass(frozen=True, slots=True)
class CondemnedObjectRow(ProjectionRow):
    """An object that no later event of a partition may rely on, from the first event there that condemned it.

    Each partition decides by its own events, so that a replay decides the same in whatever order partitions come. An
    event that was parked is later where it was written later, whenever it is judged. Ends when every session that may
    have known the object is retired.
    """

    object_name: str
    partition: int
    position: int  # of that event
    broadcast: str
    condemned_ms: int  # by the clock of whoever condemned it: milliseconds since 1970, UTC


@row(key=("object_name", "object_offset", "length", "to_object_name", "to_object_offset"))
@dataclass(frozen=True, slots=True)
class RelocatedRangeRow(ProjectionRow):
    """A range of an object that was rewritten elsewhere. All partitions add such rows: a set, in no order."""

    object_name: str
    object_offset: int
    length: int
    to_object_name: str
    to_object_offset: int


@row(key=("partition", "project", "kind", "name"))
@dataclass(frozen=True, slots=True)
class ProjectFactRow(ProjectionRow):
    """Fact: a rule or setting of a project, as one partition knows it."""

    partition: int
    project: str
    kind: str  # "rule", "settings" or "retention"
    name: str
    value: str  # canonical JSON
    from_position: int
    to_position: int | None


@row(key=("projector",))
@dataclass(frozen=True, slots=True)
class ProjectorRow(ProjectionRow):
    """A process that keeps this database up to date, or did. Says nothing about the log; not part of the fingerprint.

    Ends some time after its last report.
    """

    projector: str  # "host, process ID" and random digits: one for each start of a projector
    reported_us: int  # by the database's clock
    is_running: bool  # as it said last; whether it still is, the age of the report tells


@row(key=("name",))
@dataclass(frozen=True, slots=True)
class MetaRow(ProjectionRow):
    """Describes this database rather than the log. Not part of the fingerprint."""

    name: str
    value: str
