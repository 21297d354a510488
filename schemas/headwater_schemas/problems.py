"""Errors between a server and its clients: the word that stands for each, so that a client raises the same error.

The form is RFC 9457: a JSON object with `status`, `reason` (one of these words, or one that the interface says of a
route), `detail`, which is the whole message for people, and more.
"""

from collections.abc import Mapping

from headwater_schemas.errors import (
    BlobCorrupt,
    BlobMissing,
    ContentError,
    DurabilityUnknown,
    EventRejected,
    FormatTooNew,
    FormatTooOld,
    HeadwaterError,
    InvalidFile,
    InvalidInput,
    InvalidMetadata,
    InvalidName,
    InvalidPath,
    InvalidSettings,
    NameTaken,
    NotFound,
    Reason,
    StoreError,
    StoreFull,
    StoreGone,
    StoreMissing,
    StoreNotAnswering,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)

MEDIA_TYPE = "application/problem+json"
FAULT = "fault"  # of a server itself: its log tells more
UNAUTHENTICATED = "unauthenticated"  # no token, or one that does not count
FORBIDDEN = "forbidden"  # known, and without the right

_WORDS: Mapping[type[HeadwaterError], str] = {
    NotFound: "not-found",
    InvalidInput: "invalid",
    InvalidName: "invalid-name",
    InvalidPath: "invalid-path",
    InvalidMetadata: "invalid-metadata",
    InvalidFile: "invalid-file",
    InvalidSettings: "invalid-settings",
    NameTaken: "name-taken",
    DurabilityUnknown: "unknown",
    StoreReadOnly: "read-only",
    StoreUnavailable: "store-unavailable",
    StoreFull: "store-full",
    StoreGone: "store-gone",
    StoreMissing: "store-missing",
    StoreNotAnswering: "store-not-answering",
    StoreNotOurs: "store-not-ours",
    FormatTooNew: "format-too-new",
    FormatTooOld: "format-too-old",
    StoreError: "store-failed",
    BlobMissing: "content-lost",
    BlobCorrupt: "content-corrupt",
    ContentError: "content-error",
}
_ERRORS = {word: kind for kind, word in _WORDS.items()}
_REASONS = {reason.value: reason for reason in Reason}


def word_of(error: HeadwaterError) -> str:
    """The word for an error: that of its class, or of the nearest one above it that has any."""
    if isinstance(error, EventRejected):
        return error.reason.value
    return next((_WORDS[kind] for kind in type(error).__mro__ if kind in _WORDS), FAULT)


def error_of(word: str, message: str) -> HeadwaterError | None:
    """The error that a word stands for; None for a word that is of the interface alone."""
    if word in _ERRORS:
        return _ERRORS[word](message)
    if word in _REASONS:
        return EventRejected(message, reason=_REASONS[word])
    return EventRejected(message, reason=Reason.NOT_PERMITTED) if word == FORBIDDEN else None
