"""Every error that headwater raises on purpose.

    HeadwaterError
    ├── InvalidInput (also a ValueError)       what the caller gave can never work
    │   ├── InvalidName                        entity, project, collection, alias, tag, type, run or draft id
    │   ├── InvalidPath                        a path inside a version
    │   ├── InvalidMetadata                    not JSON, too large or too deep
    │   ├── InvalidFile                        a local file or folder that cannot be read
    │   ├── InvalidSettings                    a setting or its file
    │   └── NameTaken                          another process subscribes under the same name
    ├── NotFound (also a LookupError)          a version, run, entry or collection that was never recorded
    ├── EventRejected                          a rule refused a write; `.reason` says which
    ├── ContentError                           bytes are not what was recorded
    │   ├── BlobMissing
    │   ├── BlobCorrupt
    │   ├── FileChanged                        a file with deferred reading changed meanwhile
    │   ├── ReferenceChanged                   the target of a reference is not what was recorded
    │   └── Differences                        a folder differs from a version; lists every difference
    ├── UndecodableEvent                       bytes of a known schema that do not decode
    ├── UnknownSchema                          bytes of a schema this release does not know
    └── StoreError                             a log, database or blob store fails
        ├── StoreUnavailable                   missing, not answering, or full
        │   ├── StoreFull                      its disk is full
        │   ├── StoreGone                      something else is in its place, or nothing; it does not come back
        │   │   └── StoreMissing               nothing is there: not yet, or not any more
        │   └── StoreNotAnswering              a server is away, and may be back soon
        ├── StoreReadOnly
        │   └── NotFreed                       objects that may not be deleted; `.names` says which
        ├── StoreNotOurs                       something else than a headwater store
        ├── FormatTooNew                       written by a newer release
        ├── FormatTooOld                       written by an earlier release, and must be rebuilt
        └── DurabilityUnknown                  a write was not confirmed in time; it may or may not have happened

Every message can be shown to a user unchanged: it names the thing, the value found and the next step, and no secret.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

_PUBLIC_MODULE = "headwater.errors"  # shown with an error's name, and where users catch it
DIFFERENCES_SHOWN_MAX = 20  # of each kind, in a message for people; a version can have a million


class HeadwaterError(Exception):
    """Base of all errors that headwater raises on purpose. Each survives pickling, with its fields."""

    __module__ = _PUBLIC_MODULE

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ == __name__:
            cls.__module__ = _PUBLIC_MODULE

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class, as exceptions do by default: its arguments need not be those of the message.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[HeadwaterError], args: tuple[Any, ...], fields: dict[str, Any]) -> HeadwaterError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class InvalidInput(HeadwaterError, ValueError):
    """The input can never work; nothing was changed."""


class InvalidName(InvalidInput):
    """A name breaks the grammar in `names`."""


class InvalidPath(InvalidInput):
    """A path inside a version breaks the grammar in `paths`."""


class InvalidMetadata(InvalidInput):
    """Metadata or config that is not JSON, or exceeds the limits in `metadata`."""


class InvalidFile(InvalidInput):
    """A local file or folder that cannot be read: missing, without permission, a broken link, a device."""


class InvalidSettings(InvalidInput):
    """A setting, or the settings file, is invalid."""


class NameTaken(InvalidInput):
    """Another process subscribes under the same name, or the name was forgotten."""


class NotFound(HeadwaterError, LookupError):
    """Nothing was recorded under the requested name."""


class Reason(StrEnum):
    """Why the projector refused an event. The values are stored and are final."""

    SEQUENCE_GAP = "sequence-gap"
    INVALID = "invalid"
    TYPE_MISMATCH = "type-mismatch"
    BASE_MISMATCH = "base-mismatch"
    BASE_UNKNOWN = "base-unknown"
    DRAFT_UNKNOWN = "draft-unknown"
    DRAFT_SEALED = "draft-sealed"
    DRAFT_DISCARDED = "draft-discarded"
    DRAFT_TOUCHED = "draft-touched"
    PATH_UNKNOWN = "path-unknown"
    PATH_CONFLICT = "path-conflict"
    DIGEST_MISMATCH = "digest-mismatch"
    VERSION_UNKNOWN = "version-unknown"
    VERSION_DELETED = "version-deleted"
    VERSION_PURGED = "version-purged"
    VERSION_NOT_DELETED = "version-not-deleted"
    ALIAS_MOVED = "alias-moved"
    ALIAS_HELD = "alias-held"
    STATE_CHANGED = "state-changed"
    BLOB_CONDEMNED = "blob-condemned"
    NOT_PERMITTED = "not-permitted"
    LATEST_MOVED = "latest-moved"
    COMMIT_CONFLICT = "commit-conflict"
    ALGORITHM_CHOSEN = "algorithm-chosen"
    SESSION_RETIRED = "session-retired"
    SKIPPED = "skipped"


class EventRejected(HeadwaterError):
    """A rule refused a write. The rejection is recorded; nothing else changed."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class ContentError(HeadwaterError):
    """Bytes are missing, or are not the bytes that were recorded."""


class BlobMissing(ContentError):
    """An object that a version names is not in the blob store."""


class BlobCorrupt(ContentError):
    """An object's bytes do not have the digest or the size that was recorded."""


class FileChanged(ContentError):
    """A file added with `policy="immutable"` had changed when it was read."""


class ReferenceChanged(ContentError):
    """The target of a reference is not what was recorded: other content, another object version, or nothing."""


class Differences(ContentError):
    """A folder differs from a version. The message names the first paths of each kind; the lists contain all."""

    def __init__(
        self, root: str, missing: list[str], changed: list[str], extra: list[str], executable: Sequence[str] = ()
    ) -> None:
        """`executable`: paths whose content is the same, but which are executable on one side only."""
        kinds = (
            ("missing", missing),
            ("changed", changed),
            ("not in the version", extra),
            ("differently executable", executable),
        )
        listed = "; ".join(f"{len(paths):,} {kind}: {_first(paths)}" for kind, paths in kinds if paths)
        super().__init__(
            f"{root!r} differs from the version: {listed}. `download` restores missing and changed files and "
            "executable bits, `checkout` also removes files that are not in the version."
        )
        self.missing = missing
        self.changed = changed
        self.extra = extra
        self.executable = list(executable)


def _first(paths: Sequence[str]) -> str:
    shown = ", ".join(map(repr, paths[:DIFFERENCES_SHOWN_MAX]))
    return f"{shown}, …" if len(paths) > DIFFERENCES_SHOWN_MAX else shown


class UndecodableEvent(HeadwaterError):
    """A known schema cannot decode these bytes, or they exceed a bound."""


class UnknownSchema(HeadwaterError):
    """The bytes name a schema that this release does not ship; a newer release wrote them."""


class StoreError(HeadwaterError):
    """A log, a database or a blob store failed."""


class StoreUnavailable(StoreError):
    """The store is missing, does not respond, or is full."""


class StoreFull(StoreUnavailable):
    """Its disk is full: the same works once there is space."""


class StoreGone(StoreUnavailable):
    """What was used is not there any more, or something else is in its place. It does not come back by itself."""


class StoreMissing(StoreGone):
    """There is no store: nothing was logged yet, or it was removed or replaced while it was open."""

    @classmethod
    def removed(cls, what: str) -> "StoreMissing":
        """For what is gone though it was open."""
        return cls(
            f"{what} is not there any more: the store was removed or replaced while it was open, or its disk is not "
            "mounted. `headwater.init` and `headwater.Api` open what is there now."
        )


class StoreNotAnswering(StoreUnavailable):
    """A server does not answer: it is being started, is too busy, or cannot be reached. The same may work soon."""


class StoreReadOnly(StoreError):
    """The store can be read but not written."""


class NotFreed(StoreReadOnly):
    """Objects whose bytes are still there, as this process may not delete them. Others that were given are deleted."""

    def __init__(self, message: str, *, names: Iterable[str]) -> None:
        super().__init__(message)
        self.names = frozenset(names)


class StoreNotOurs(StoreError):
    """Something other than a headwater store was found; it was not changed."""


class FormatTooNew(StoreError):
    """A newer release wrote this store."""


class FormatTooOld(StoreError):
    """An earlier release wrote this projection; it can be rebuilt from the log."""


class DurabilityUnknown(StoreError):
    """A write was not confirmed in time. It may still have happened; sending it again is safe."""
