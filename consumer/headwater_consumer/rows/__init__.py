"""The rows of the projection as plain records; `database.tables` maps each to its table.

Two kinds of rows:

- *written once*, such as a version: never changed after they were put;
- *facts*, which can change: every change closes the open row (`to_position`) and opens another, so the present is the
  rows that are open and any moment of the past is a filter.

A position here is one number, `positions.position_number`; times are microseconds since 1970, UTC. No id is generated
by the database: a row means the same in every projection of the same log.
"""

from headwater_consumer.row_codes import EXECUTABLE, FILE, FILE_KINDS, REFERENCE, REMOVED, RUNNING
from headwater_consumer.rows.access import GrantRow, SubscriptionRow, TokenRow
from headwater_consumer.rows.administration import (
    RETENTION_POLICY,
    SETTINGS,
    CondemnedObjectRow,
    MetaRow,
    ProjectFactRow,
    ProjectorRow,
    RelocatedRangeRow,
)
from headwater_consumer.rows.base import ProjectionRow, changed
from headwater_consumer.rows.content import (
    DraftRow,
    DraftWriterRow,
    EntryRow,
    LayerRow,
    ObjectLayerRow,
)
from headwater_consumer.rows.file_rows import EntryTuple, FileRows
from headwater_consumer.rows.layer_chain import LayerChain, format_chain, parse_chain
from headwater_consumer.rows.log import (
    BroadcastRow,
    DeadLetterRow,
    LogPositionRow,
    ParkedKeyRow,
    ParkedRecordRow,
    RejectionRow,
    RetiredSessionsRow,
    SessionMarkRow,
)
from headwater_consumer.rows.runs import (
    CONFIG,
    SUMMARY,
    RunCaptureRow,
    RunHeartbeatRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
)
from headwater_consumer.rows.version_events import VersionEventRow
from headwater_consumer.rows.versions import (
    DELETED,
    DESCRIPTION,
    IMPORTED,
    METADATA,
    PURGED,
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
    "IMPORTED",
    "METADATA",
    "PURGED",
    "RECALLED",
    "REFERENCE",
    "REMOVED",
    "RETENTION_POLICY",
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
    "EntryTuple",
    "FileRows",
    "GrantRow",
    "LayerChain",
    "LayerRow",
    "LogPositionRow",
    "MetaRow",
    "ObjectLayerRow",
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
    "SubscriptionRow",
    "TagRow",
    "TokenRow",
    "VersionAttributeRow",
    "VersionDigestRow",
    "VersionEventRow",
    "VersionLayerRow",
    "VersionRow",
    "VersionUpdateRow",
    "changed",
    "format_chain",
    "parse_chain",
]
