"""The events, as frozen records. Names are past tense; the wire form of each is in `avsc/`.

An event's body describes what happened; its `Origin` has the author and the event's number in its writer's order.
Bodies contain names, never row ids: an event must mean the same in every projection.

To change one, add a field with a default here and a new `NAME.N.avsc` beside the old ones, which stay for ever; its
fingerprint goes into `fingerprints`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from headwater_schemas import keys
from headwater_schemas.captures import Capture as Capture
from headwater_schemas.entries import NO_FILES, FileEntries, Reference

OWN_DRAFT = "own:"
SHARED_DRAFT = "shared:"


def own_draft(identity: str) -> str:
    """The id of a draft with one writer; `identity` is unique, such as a UUID."""
    return OWN_DRAFT + identity


def shared_draft(distributed_id: str) -> str:
    """The id of the draft that all writers with this `distributed_id` share."""
    return SHARED_DRAFT + distributed_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The author of an event, and its number in the writer's order."""

    session: str  # of one writer process, see `keys.new_session`
    sequence: int  # dense from 0 per (session, key)
    clock: datetime  # UTC, from the writer's clock; shown to people, never used for order
    author: str  # "user@host", or the authenticated name
    message: str | None = None  # why, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionEvent:
    """An event of one collection."""

    collection: str  # "entity/project/name"

    @property
    def key(self) -> str:
        return keys.collection_key(self.collection)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftEvent(CollectionEvent):
    """An event about an open version."""

    draft: str  # see `own_draft` and `shared_draft`


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """An event of one run."""

    run: str  # "entity/project/ID"

    @property
    def key(self) -> str:
        return keys.run_key(self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEvent:
    """An event about a whole project."""

    project: str  # "entity/project"

    @property
    def key(self) -> str:
        return keys.project_key(self.project)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOpened(DraftEvent):
    """A version begins. A second opening of a shared draft with the same base and type changes nothing."""

    name: ClassVar[str] = "draft-opened"
    type: str
    base: int | None = None  # the version whose entries the draft starts with; None starts empty


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAdded(DraftEvent):
    """A batch of entries is added to a draft. At most ENTRIES_PER_EVENT_MAX, files and references together."""

    name: ClassVar[str] = "entry-added"
    files: FileEntries = NO_FILES
    references: tuple[Reference, ...] = ()
    # Which of a shared draft's writers, "entity/project/RUN": the same when another process tries again, and
    # a different one for each run in one process. None: the session.
    writer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRemoved(DraftEvent):
    """Paths, and everything under folders, are removed from a draft."""

    name: ClassVar[str] = "entry-removed"
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    writer: str | None = None  # see `EntryAdded`


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterDone(DraftEvent):
    """A writer of a shared draft will not add or remove anything more."""

    name: ClassVar[str] = "writer-done"
    writer: str | None = None  # see `EntryAdded`


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """The version that an alias must point to for an event to count."""

    version: int | None  # None: to no version


@dataclass(frozen=True, slots=True)
class Transaction:
    """Reserved: several commits that count together or not at all."""

    id: str  # UUID: 32 hexadecimal digits, lower case
    members: int


@dataclass(frozen=True, slots=True)
class Imported:
    """Where a version was committed first, if that was in another store. See `provenance`."""

    store: str  # generation of its log
    version: str  # "entity/project/name:vN"
    author: str
    time: datetime  # UTC


# Rights of a commit whose content a version already has.
EDIT_EXISTING = "edit-existing"  # it may change all attributes and aliases of that version
MOVE_ALIASES = "move-aliases"  # it may move its aliases to that version


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCommitted(DraftEvent):
    """Seal a draft. A second commit of a sealed draft is the same version."""

    name: ClassVar[str] = "version-committed"
    description: str | None = None  # None: not given, so that a version with the same content keeps its own
    metadata: str | None = None  # canonical JSON object; None: not given
    aliases: tuple[str, ...] = ()  # besides "latest", which every commit moves
    tags: tuple[str, ...] = ()
    run: str | None = None  # "entity/project/ID" of the run that logged it
    ttl_seconds: int | None = None  # None: not given
    expected_digest: str | None = None  # of the content that a single writer sent; None for several writers
    writers: int | None = None  # seal when so many writers are done; None seals now
    expect_latest: ExpectedVersion | None = None  # seal only while "latest" is this version; None: any
    rights: tuple[str, ...] | None = None  # what the author may do, see EDIT_EXISTING; None: everything
    transaction: Transaction | None = None  # reserved
    imported: Imported | None = None  # None: it was not imported


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftDiscarded(DraftEvent):
    """An open draft is deleted with its entries."""

    name: ClassVar[str] = "draft-discarded"
    last_event: str | None = None  # only if this is the id of the last event about it; None: always


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMoved(CollectionEvent):
    """An alias points to another version, or to none."""

    name: ClassVar[str] = "alias-moved"
    alias: str
    version: int | None  # None removes it
    expected: ExpectedVersion | None = None  # None: any


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactUsed(CollectionEvent):
    """A run consumed a version."""

    name: ClassVar[str] = "artifact-used"
    version: int
    run: str  # "entity/project/ID"
    requested: str  # the requested reference: "digits:latest"
    use_as: str | None = None  # its purpose in the run: "training data"; None: not given


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDescribed(CollectionEvent):
    """Version attributes changed: only the fields that are set."""

    name: ClassVar[str] = "version-described"
    version: int
    description: str | None = None  # None: not set; "" clears it
    metadata: str | None = None  # canonical JSON object that replaces all; None: not set
    metadata_patch: str | None = None  # canonical JSON object merged into the metadata (RFC 7396); None: not set
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    ttl_seconds: int | None = None  # None: not set; 0 removes it


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedOn:
    """The state on which a version's deletion was decided, as far as it relied on that; refused where it changed."""

    aliases: tuple[str, ...] = ()  # all that it had: another one keeps it
    times_restored: int = 0  # whoever restored it once more keeps it
    unused: bool = False  # True: no run had used it
    ttl_seconds: int | None = None  # None: not relied on
    newer: int | None = None  # so many newer versions are live, at least; None: not relied on


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDeleted(CollectionEvent):
    """A version is deleted. Its number is never reused."""

    name: ClassVar[str] = "version-deleted"
    version: int
    delete_aliases: bool = False  # False: refused while it has any alias
    decided_on: DecidedOn | None = None  # None: whatever state it is in


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRestored(CollectionEvent):
    """A deleted version is restored."""

    name: ClassVar[str] = "version-restored"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPurged(CollectionEvent):
    """A deleted version is gone for good: its content may be collected. Refused unless that deletion still holds."""

    name: ClassVar[str] = "version-purged"
    version: int
    epoch: int  # of the position from which it is deleted, see `positions`
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecalled(CollectionEvent):
    """A version is marked as bad; it stays readable, and shows the reason."""

    name: ClassVar[str] = "version-recalled"
    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run started, or was resumed."""

    name: ClassVar[str] = "run-started"
    job_type: str | None = None
    group: str | None = None
    display_name: str | None = None
    config: str = "{}"  # canonical JSON object
    tags: tuple[str, ...] = ()
    heartbeat_seconds: int | None = None  # as of `RunHeartbeat`; None: the writer sends none


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdated(RunEvent):
    """What is known about a run changed: only the fields that are set."""

    name: ClassVar[str] = "run-updated"
    config_set: str | None = None  # canonical JSON object: values by name, which replace those of the same name
    config_removed: tuple[str, ...] = ()  # names; at most RUN_VALUES_REMOVED_MAX
    summary_set: str | None = None  # as `config_set`
    summary_removed: tuple[str, ...] = ()
    capture: Capture | None = None  # replaces what an earlier one said


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeartbeat(RunEvent):
    """A run is still open."""

    name: ClassVar[str] = "run-heartbeat"
    heartbeat_seconds: int  # from when this is appended until the next is due; at most HEARTBEAT_SECONDS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    """A run ended."""

    name: ClassVar[str] = "run-finished"
    state: str  # one of RUN_STATES_FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectBroadcast:
    """An event about a project that is written to every partition."""

    project: str  # "entity/project"
    broadcast: str  # UUID, the same in every partition: 32 hexadecimal digits, lower case

    @property
    def key(self) -> str:
        return keys.broadcast_key(self.project)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobsCondemned(ProjectBroadcast):
    """These objects will be deleted; no later event may rely on them."""

    name: ClassVar[str] = "blobs-condemned"
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A range of an object that was copied to another object."""

    object_name: str
    offset: int  # bytes
    length: int  # bytes
    to_object_name: str
    to_offset: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobsMoved(ProjectEvent):
    """Content was copied to other objects, which later reads use."""

    name: ClassVar[str] = "blobs-moved"
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterResolved:
    """An operator decided about an event that could not be decoded; the events parked behind it are applied."""

    name: ClassVar[str] = "dead-letter-resolved"
    key: str  # of the parked collection, run or project
    epoch: int
    partition: int
    offset: int
    decision: str  # "skip": continue without it; "retry": decode it again with this release


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged(ProjectBroadcast):
    """A rule changed for later events."""

    name: ClassVar[str] = "rules-changed"
    rule: str
    value: str  # canonical JSON object


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsRetired:
    """Sessions that started earlier may write no more, and what was kept about them is deleted. Written to every
    partition."""

    name: ClassVar[str] = "sessions-retired"
    broadcast: str  # see `ProjectBroadcast`
    before_ms: int  # sessions that started before this are retired: milliseconds since 1970, UTC

    @property
    def key(self) -> str:
        return keys.broadcast_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeEvent:
    """An event about access to an entity, with all its projects, or to one project."""

    scope: str  # "entity" or "entity/project"

    @property
    def key(self) -> str:
        return keys.scope_key(self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGranted(ScopeEvent):
    """A principal has a role in a scope from here on, and no other one there."""

    name: ClassVar[str] = "access-granted"
    principal: str  # "issuer|subject"
    role: str  # one of access.ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRevoked(ScopeEvent):
    """A principal has no role in a scope any more, unless its entity gives it one."""

    name: ClassVar[str] = "access-revoked"
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreated(ScopeEvent):
    """There is a token for a principal, which gives its roles within a scope. Contains no secret, only its hash."""

    name: ClassVar[str] = "token-created"
    token: str  # SHA-256 of its text: 64 hexadecimal digits
    principal: str  # of the issuer access.OWN_ISSUER
    expires_ms: int | None = None  # milliseconds since 1970, UTC; None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(ScopeEvent):
    """A token is valid no more."""

    name: ClassVar[str] = "token-revoked"
    token: str  # see `TokenCreated`


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(ProjectEvent):
    """Settings of the project changed, such as its digest algorithm."""

    name: ClassVar[str] = "settings-changed"
    settings: str  # canonical JSON object merged into the settings (RFC 7396)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionAdded(ScopeEvent):
    """A webhook has these settings from here on. Contains no secret."""

    name: ClassVar[str] = "subscription-added"
    subscription: str  # its id
    settings: str  # canonical JSON object, see `webhooks.WebhookSettings`


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRemoved(ScopeEvent):
    """A webhook was removed."""

    name: ClassVar[str] = "subscription-removed"
    subscription: str


Event = (
    DraftOpened
    | EntryAdded
    | EntryRemoved
    | WriterDone
    | VersionCommitted
    | DraftDiscarded
    | AliasMoved
    | ArtifactUsed
    | VersionDescribed
    | VersionDeleted
    | VersionRestored
    | VersionPurged
    | VersionRecalled
    | RunStarted
    | RunUpdated
    | RunHeartbeat
    | RunFinished
    | BlobsCondemned
    | BlobsMoved
    | DeadLetterResolved
    | RulesChanged
    | SessionsRetired
    | AccessGranted
    | AccessRevoked
    | TokenCreated
    | TokenRevoked
    | SettingsChanged
    | SubscriptionAdded
    | SubscriptionRemoved
)

EVENT_TYPES: tuple[type[Event], ...] = Event.__args__
BroadcastEvent = BlobsCondemned | SessionsRetired | RulesChanged  # written to every partition
KILLED = "killed"
RUN_STATES_FINAL = ("finished", "failed", KILLED)
DIRTY = ("yes", "no", "unknown")  # the last where git took too long
DEAD_LETTER_DECISIONS = ("skip", "retry")


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its origin, as it is written to the log."""

    origin: Origin
    event: Event

    @property
    def id(self) -> str:
        """The event's id, which is the same every time it is sent."""
        return keys.event_id(self.origin.session, self.event.key, self.origin.sequence)
