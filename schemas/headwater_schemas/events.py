"""The events: what happened, as frozen records. Names are past tense; the wire form of each is in `avsc/`.

An event's body says what happened; its `Origin` says who said so and where it stands in its writer's own order. Bodies
carry names, never row ids: an event must mean the same in every projection.

Changing one: add a field with a default here and a new `NAME.N.avsc` beside the old ones, which stay for ever.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from headwater_schemas import keys
from headwater_schemas.entries import NO_FILES, FileEntries, Reference

OWN_DRAFT = "own:"
SHARED_DRAFT = "shared:"


def own_draft(identity: str) -> str:
    """The id of a draft that one writer fills alone; `identity` is unique, such as a UUID."""
    return OWN_DRAFT + identity


WRITERS_MAX = 100_000  # that a commit can wait for


def shared_draft(distributed_id: str) -> str:
    """The id of the draft that all writers with this `distributed_id` fill together."""
    return SHARED_DRAFT + distributed_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote an event, and where it stands in that writer's order."""

    session: str  # one writer process's stay on the log: 32 hexadecimal digits
    sequence: int  # dense from 0 per (session, key)
    clock: datetime  # UTC, from the writer's clock; shown to people, never used for order
    who: str  # "user@host", or the authenticated name
    message: str | None = None  # why, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionEvent:
    """An event of one collection's order."""

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
    """An event of one run's order."""

    run: str  # "entity/project/ID"

    @property
    def key(self) -> str:
        return keys.run_key(self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEvent:
    """An event of one project's administration."""

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
    """A batch of entries joins a draft. At most ENTRIES_PER_EVENT_MAX, files and references together."""

    name: ClassVar[str] = "entry-added"
    files: FileEntries = NO_FILES
    references: tuple[Reference, ...] = ()
    # Who of a shared draft's writers says so, "entity/project/RUN": the same when it is tried again by another process,
    # and another one for each of the runs in one process. None: the session.
    writer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRemoved(DraftEvent):
    """Paths, and everything under folders, leave a draft."""

    name: ClassVar[str] = "entry-removed"
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    writer: str | None = None  # who of a shared draft's writers says so; see `EntryAdded`


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterDone(DraftEvent):
    """A writer of a shared draft has said all it will say."""

    name: ClassVar[str] = "writer-done"
    writer: str | None = None  # see `EntryAdded`


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCommitted(DraftEvent):
    """Seal a draft. A second commit of a sealed draft is the same version."""

    name: ClassVar[str] = "version-committed"
    description: str | None = None  # None: not given, so nothing is changed on content that is already there
    metadata: str | None = None  # canonical JSON object; None: not given
    aliases: tuple[str, ...] = ()  # besides "latest", which every commit moves
    tags: tuple[str, ...] = ()
    run: str | None = None  # "entity/project/ID" of the run that logged it
    ttl_seconds: int | None = None  # None: not given
    expected_digest: str | None = None  # what a single writer meant; None where several wrote
    writers: int | None = None  # seal only when so many writers are done; None seals now


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftDiscarded(DraftEvent):
    """An open draft is dropped with everything in it."""

    name: ClassVar[str] = "draft-discarded"
    untouched_since_us: int | None = None  # only if no event touched it after this append time; None: always


@dataclass(frozen=True, slots=True)
class ExpectedAlias:
    """Where an alias must be for a move to count."""

    version: int | None  # None: on no version


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMoved(CollectionEvent):
    """An alias points to a version, or to nothing."""

    name: ClassVar[str] = "alias-moved"
    alias: str
    version: int | None  # None takes it off
    expected: ExpectedAlias | None = None  # None: wherever it was


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactUsed(CollectionEvent):
    """A run consumed a version."""

    name: ClassVar[str] = "artifact-used"
    version: int
    run: str  # "entity/project/ID"
    requested: str  # as it was asked for: "digits:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDescribed(CollectionEvent):
    """What is said about a version changed: only the fields that are carried."""

    name: ClassVar[str] = "version-described"
    version: int
    description: str | None = None  # None: not carried; "" clears it
    metadata: str | None = None  # canonical JSON object that replaces all; None: not carried
    metadata_patch: str | None = None  # canonical JSON object laid over what is there (RFC 7396); None: not carried
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    ttl_seconds: int | None = None  # None: not carried; 0 removes it


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDeleted(CollectionEvent):
    """A version is gone. Its number is never given again."""

    name: ClassVar[str] = "version-deleted"
    version: int
    delete_aliases: bool = False  # False refuses while it holds any alias


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRestored(CollectionEvent):
    """A deleted version is back."""

    name: ClassVar[str] = "version-restored"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecalled(CollectionEvent):
    """A version is marked bad; it stays readable, with the reason shown."""

    name: ClassVar[str] = "version-recalled"
    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run began, or was taken up again."""

    name: ClassVar[str] = "run-started"
    job_type: str | None = None
    group: str | None = None
    display_name: str | None = None
    config: str = "{}"  # canonical JSON object
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    """A run ended."""

    name: ClassVar[str] = "run-finished"
    state: str  # "finished" or "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobsCondemned(ProjectEvent):
    """These objects will be deleted; from here on nothing may rely on them. Written to every partition."""

    name: ClassVar[str] = "blobs-condemned"
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A stretch of an object that now also is elsewhere."""

    object_name: str
    offset: int  # bytes
    length: int  # bytes
    to_object_name: str
    to_offset: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobsMoved(ProjectEvent):
    """Content was rewritten elsewhere; reads go there from here on. Written to every partition."""

    name: ClassVar[str] = "blobs-moved"
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterResolved:
    """An operator decided about an event that could not be decoded; what waited behind it goes on."""

    name: ClassVar[str] = "dead-letter-resolved"
    key: str  # of the parked collection, run or project
    partition: int
    offset: int
    decision: str  # "skip": go on without it; "retry": decode it again with this release


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged(ProjectEvent):
    """A rule has another meaning for later events. Written to every partition."""

    name: ClassVar[str] = "rules-changed"
    rule: str
    value: str  # canonical JSON object


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGranted(ProjectEvent):
    """Somebody may do something. Written to every partition."""

    name: ClassVar[str] = "access-granted"
    principal: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRevoked(ProjectEvent):
    """Somebody may not any more. Written to every partition."""

    name: ClassVar[str] = "access-revoked"
    principal: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(ProjectEvent):
    """A setting of the project changed, such as its digest algorithm. Written to every partition."""

    name: ClassVar[str] = "settings-changed"
    settings: str  # canonical JSON object laid over what is there (RFC 7396)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionAdded(ProjectEvent):
    """Somebody wants to be told of events. Never carries a secret, only the name of one."""

    name: ClassVar[str] = "subscription-added"
    subscription: str
    settings: str  # canonical JSON object: target, filter


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRemoved(ProjectEvent):
    """A subscription ends."""

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
    | VersionRecalled
    | RunStarted
    | RunFinished
    | BlobsCondemned
    | BlobsMoved
    | DeadLetterResolved
    | RulesChanged
    | AccessGranted
    | AccessRevoked
    | SettingsChanged
    | SubscriptionAdded
    | SubscriptionRemoved
)

EVENT_TYPES: tuple[type[Event], ...] = Event.__args__
RUN_STATES_FINAL = ("finished", "failed")
DEAD_LETTER_DECISIONS = ("skip", "retry")


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event as it stands on the log: who said it, and what."""

    origin: Origin
    event: Event

    @property
    def id(self) -> str:
        """The event's id, the same however often it is sent."""
        return keys.event_id(self.origin.session, self.event.key, self.origin.sequence)
