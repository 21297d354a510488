"""Every error that headwater raises on purpose; see `headwater_schemas.errors` for the whole tree.

What only the SDK can meet is defined here: `ReferenceChanged` and `Differences`, both ContentErrors.
"""

from headwater_schemas.errors import (
    BlobCorrupt as BlobCorrupt,
)
from headwater_schemas.errors import (
    BlobMissing as BlobMissing,
)
from headwater_schemas.errors import (
    ContentError as ContentError,
)
from headwater_schemas.errors import (
    Differences as Differences,
)
from headwater_schemas.errors import (
    DurabilityUnknown as DurabilityUnknown,
)
from headwater_schemas.errors import (
    EventRejected as EventRejected,
)
from headwater_schemas.errors import (
    FileChanged as FileChanged,
)
from headwater_schemas.errors import (
    FormatTooNew as FormatTooNew,
)
from headwater_schemas.errors import (
    FormatTooOld as FormatTooOld,
)
from headwater_schemas.errors import (
    HeadwaterError as HeadwaterError,
)
from headwater_schemas.errors import (
    InvalidFile as InvalidFile,
)
from headwater_schemas.errors import (
    InvalidInput as InvalidInput,
)
from headwater_schemas.errors import (
    InvalidMetadata as InvalidMetadata,
)
from headwater_schemas.errors import (
    InvalidName as InvalidName,
)
from headwater_schemas.errors import (
    InvalidPath as InvalidPath,
)
from headwater_schemas.errors import (
    InvalidSettings as InvalidSettings,
)
from headwater_schemas.errors import (
    NotFound as NotFound,
)
from headwater_schemas.errors import (
    Reason as Reason,
)
from headwater_schemas.errors import (
    ReferenceChanged as ReferenceChanged,
)
from headwater_schemas.errors import (
    StoreError as StoreError,
)
from headwater_schemas.errors import (
    StoreNotOurs as StoreNotOurs,
)
from headwater_schemas.errors import (
    StoreReadOnly as StoreReadOnly,
)
from headwater_schemas.errors import (
    StoreUnavailable as StoreUnavailable,
)
from headwater_schemas.errors import (
    UndecodableEvent as UndecodableEvent,
)
from headwater_schemas.errors import (
    UnknownSchema as UnknownSchema,
)

__all__ = [
    "BlobCorrupt",
    "BlobMissing",
    "ContentError",
    "Differences",
    "DurabilityUnknown",
    "EventRejected",
    "FileChanged",
    "FormatTooNew",
    "FormatTooOld",
    "HeadwaterError",
    "InvalidFile",
    "InvalidInput",
    "InvalidMetadata",
    "InvalidName",
    "InvalidPath",
    "InvalidSettings",
    "NotFound",
    "Reason",
    "ReferenceChanged",
    "StoreError",
    "StoreNotOurs",
    "StoreReadOnly",
    "StoreUnavailable",
    "UndecodableEvent",
    "UnknownSchema",
]
