"""The rows of the projection as plain records; `database.tables` maps each to its table.

Two kinds of rows:

- *written once*, such as a version: never changed after they were put;
- *facts*, which can change: every change closes the open row (`to_position`) and opens another, so the present is the
  rows that are open and any moment of the past is a filter.

A position here is one number, `positions.position_number`; times are microseconds since 1970, UTC. No id is generated
by the database: a row means the same in every projection of the same log.
"""

from headwater_consumer.rows.administration import (
    SETTINGS,
    CondemnedObjectRow,
    MetaRow,
    ProjectFactRow,
    ProjectorRow,
    RelocatedRangeRow,
)
from headwater_consumer.rows.base import ProjectionRow, changed
from headwater_consumer.rows.content import (
    EXECUTABLE,
    FILE,
    FILE_KINDS,
    REFERENCE,
    REMOVED,
    DraftRow,
    DraftWriterRow,
    EntryRow,
    LayerRow,
)
from headwater_consumer.rows.layer_chain import LayerChain, format_chain, parse_chain
from headwater_consumer.rows.log import (
    BroadcastRow,
    DeadLetterRow,
    LogPositionRow,
    OutboxRow,
    ParkedKeyRow,
    ParkedRecordRow,
    RejectionRow,
    RetiredSessionsRow,
    SessionMarkRow,
)
from headwater_consumer.rows.runs import (
    CONFIG,
    RUNNING,
    SUMMARY,
    RunCaptureRow,
    RunHeartbeatRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
)
from headwater_consumer.rows.versions import (
    DELETED,
    DESCRIPTION,
    METADATA,
    RECALLED,
    TTL,
    AliasRow,
    CollectionRow,
    ContestedPathRow,
    TagRow,
    VersionAttributeRow,
    VersionDigestRow,
    VersionLayerRow,
    VersionRow,
    VersionUpdateRow,
)

__all__ = [
    "CONFIG",
    "DELETED",
    "DESCRIPTION",
    "EXECUTABLE",
    "FILE",
    "FILE_KINDS",
    "METADATA",
    "RECALLED",
    "REFERENCE",
    "REMOVED",
    "RUNNING",
    "SETTINGS",
    "SUMMARY",
    "TTL",
    "AliasRow",
    "BroadcastRow",
    "CollectionRow",
    "CondemnedObjectRow",
    "ContestedPathRow",
    "DeadLetterRow",
    "DraftRow",
    "DraftWriterRow",
    "EntryRow",
    "LayerChain",
    "LayerRow",
    "LogPositionRow",
    "MetaRow",
    "OutboxRow",
    "ParkedKeyRow",
    "ParkedRecordRow",
    "ProjectFactRow",
    "ProjectionRow",
    "ProjectorRow",
    "RejectionRow",
    "RelocatedRangeRow",
    "RetiredSessionsRow",
    "RunCaptureRow",
    "RunHeartbeatRow",
    "RunInputRow",
    "RunOutputRow",
    "RunRow",
    "RunStateRow",
    "RunValuesRow",
    "SessionMarkRow",
    "TagRow",
    "VersionAttributeRow",
    "VersionDigestRow",
    "VersionLayerRow",
    "VersionRow",
    "VersionUpdateRow",
    "changed",
    "format_chain",
    "parse_chain",
]
