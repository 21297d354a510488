"""What clients are told of failures of the stores, whose own messages name paths, addresses and objects.

The log of the server has those.
"""

import logging
from collections.abc import Mapping

from headwater_schemas.errors import (
    BlobCorrupt,
    BlobMissing,
    ContentError,
    DurabilityUnknown,
    FormatTooNew,
    FormatTooOld,
    HeadwaterError,
    StoreError,
    StoreFull,
    StoreGone,
    StoreMissing,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)

_OPERATOR = "Tell its operator; its log has more."
_TOLD: Mapping[type[HeadwaterError], str] = {
    BlobMissing: f"content that was recorded is missing from the server's store. {_OPERATOR}",
    BlobCorrupt: f"content in the server's store is damaged. {_OPERATOR}",
    ContentError: f"content in the server's store is not what was recorded. {_OPERATOR}",
    DurabilityUnknown: "the server's log did not confirm in time: it may be written or not. Send it again.",
    StoreReadOnly: f"the server's store cannot be written. {_OPERATOR}",
    StoreFull: "the server's store is full, and nothing was kept. Try again once there is space.",
    StoreGone: f"the server's store is not the one that it was. {_OPERATOR}",
    StoreMissing: f"the server's store is not there. {_OPERATOR}",
    StoreNotOurs: f"the server's store is not one of headwater. {_OPERATOR}",
    FormatTooNew: f"a newer release wrote the server's store. {_OPERATOR}",
    FormatTooOld: f"an earlier release wrote the server's store. {_OPERATOR}",
    StoreUnavailable: "the server's store does not answer, or has lost its last transactions. Try again in a moment.",
    StoreError: f"the server's store failed. {_OPERATOR}",
}

_log = logging.getLogger("headwater.server")


def told(error: HeadwaterError) -> str:
    """The message for clients: the error's own, unless it is of the stores, which is logged."""
    text = next((_TOLD[kind] for kind in type(error).__mro__ if kind in _TOLD), None)
    if text is None:
        return str(error)
    _log.warning("%s: %s", type(error).__name__, error)
    return text
