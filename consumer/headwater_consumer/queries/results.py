"""The results of queries: frozen records. Times are microseconds since 1970, UTC."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from headwater_schemas.access import token_id
from headwater_schemas.captures import Capture
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import Position, position_of
from headwater_schemas.provenance import Provenance
from headwater_schemas.version_events import ALIAS_MOVED, ARTIFACT_USED, DETAILS, RUN_KINDS, VersionEvent, time_of

from headwater_consumer.row_codes import EXECUTABLE, RUNNING

CRASHED = "crashed"  # a run whose heartbeat is long overdue: never recorded, see `RunInfo.state_at`


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version, with its aliases, tags and attributes at the selected moment."""

    collection: str
    type: str
    version: int
    digest: str
    sum_state: bytes  # the LtHash state, for computing the digest of a successor
    entry_count: int
    size_bytes: int
    layers: tuple[int, ...]  # topmost first
    base: int | None
    run: str | None  # the first run that logged it
    draft: str  # what it was sealed from, see `events.own_draft` and `events.shared_draft`
    contested_count: int  # paths that different writers of its draft wrote
    created_us: int
    append_us: int  # the same by the log's clock, which may go back
    updated_us: int  # when an alias, a tag or an attribute of it last changed
    author: str
    message: str | None
    aliases: tuple[str, ...]  # by name
    tags: tuple[str, ...]  # by name
    description: str | None
    metadata: str  # canonical JSON, "{}" when there is none
    ttl_seconds: int | None
    deleted: bool
    purged: bool  # deleted for good: it cannot be restored, and its content may be gone
    recalled: str | None  # the reason
    imported: tuple[Provenance, ...] = ()  # where it comes from, the first import first

    @property
    def state(self) -> str:
        """Whether it is "committed", "deleted" or "purged"."""
        return "purged" if self.purged else "deleted" if self.deleted else "committed"


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """One artifact name."""

    collection: str
    type: str
    versions: int  # live ones
    created_us: int


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """One project. Counting stops at `projects.COUNTED_MAX`."""

    project: str  # "entity/project"
    artifacts: int  # that have live versions
    runs: int


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """What somebody said about one retention policy of a project."""

    name: str  # of a collection in the project, or with `*` and `?` of several
    rules: str | None  # canonical JSON, see `headwater_schemas.retention`; None: it was removed
    author: str
    message: str | None
    since_us: int
    position: int


@dataclass(frozen=True, slots=True)
class Restoration:
    """A version was deleted and brought back."""

    version: int
    times: int
    last_us: int


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """A draft: open, sealed or discarded."""

    collection: str
    draft: str  # see `events.own_draft` and `events.shared_draft`
    type: str
    base: int | None
    layer: int
    row_count: int  # added entries and removals, duplicates included; 0 once its layer is gone
    writers: int  # how many sent any
    writers_done: int  # how many declared that they are done
    waiting_for: int | None  # how many writers its commit waits for; None: no commit waits
    last_event: str  # id of the last event about it
    last_event_us: int  # when the last event about it was appended
    version: int | None  # what it was sealed as
    discarded: bool


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One execution: what its last start said, and what became known since."""

    run: str
    job_type: str | None
    group: str | None
    display_name: str | None
    config: str  # canonical JSON object
    summary: str  # canonical JSON object
    tags: tuple[str, ...]
    state: str  # "running", "finished", "failed" or "killed", as recorded: see `state_at`
    author: str
    started_us: int  # the last start
    started_position: int  # of the last start
    finished_us: int | None  # None while it runs
    heartbeat_us: int | None  # its last sign of life, by the log's clock; None: its writer gives none
    heartbeat_due_us: int | None  # when the next is due
    capture: Capture | None  # what it executes, without its environment; None: not captured, or not yet

    def state_at(self, now_us: int) -> str:
        """The state at a time, in microseconds since 1970: "crashed" for a run whose heartbeat is long overdue.

        That is, by as much again as lies between two. Such a run goes on running if it is heard of again.
        """
        return state_at(self.state, self.heartbeat_us, self.heartbeat_due_us, now_us)


def state_at(state: str, heartbeat_us: int | None, heartbeat_due_us: int | None, now_us: int) -> str:
    """See `RunInfo.state_at`."""
    if state != RUNNING or heartbeat_us is None or heartbeat_due_us is None:
        return state
    overdue_us = now_us - heartbeat_due_us
    return CRASHED if overdue_us > heartbeat_due_us - heartbeat_us else RUNNING


class EntryInfo(NamedTuple):
    """One path of a version. A tuple, because a version can have a million of them."""

    path: str
    kind: int  # rows.FILE, rows.EXECUTABLE or rows.REFERENCE
    size: int | None  # bytes; None for a reference of unknown size
    digest: bytes | None  # stored form; None for a reference
    object_name: str | None  # where the bytes are now, see `blob_locations`; None for a reference
    object_offset: int | None  # bytes from the object's start
    uri: str | None
    checksum: str | None
    object_version: str | None

    @property
    def executable(self) -> bool:
        """Whether it is an executable file."""
        return self.kind == EXECUTABLE


@dataclass(frozen=True, slots=True)
class RunInputInfo:
    """A run used a version."""

    collection: str
    version: int
    run: str
    requested: tuple[str, ...]  # the names by which it was requested, in order
    use_as: tuple[str, ...] = ()  # the purposes that were given, in order


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a draft."""

    version: int | None  # None while it is open, and when it was discarded
    deduplicated: bool  # it became an existing version with the same content
    is_uncommitted: bool = False  # it is open, and no commit of it was applied
    attributes_ignored: bool = False  # an existing version keeps its own, which the author may not change
    info: VersionInfo | None = None  # what was recorded about the version, where that came along


class SentRange(NamedTuple):
    """Some of the events that a writer sent under one key."""

    session: str
    key: str
    first_sequence: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class RejectionInfo:
    """An event that broke a rule."""

    session: str
    key: str
    sequence: int
    event: str  # its name
    reason: str  # errors.Reason
    message: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of what a writer sent, at one moment."""

    offsets: Mapping[int, int]  # partition → offset of the last record that is in the projection
    outcomes: Mapping[tuple[str, str], Outcome]  # by collection and draft
    rejections: Sequence[RejectionInfo]  # by session, key and sequence


class Edge(NamedTuple):
    """A run used a version, or logged it."""

    collection: str
    version: int
    run: str
    used: bool  # True: used; False: logged


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ancestry of a version, or its descendants."""

    collection: str  # the version that was asked about
    version: int
    upstream: bool  # True: its ancestry
    truncated: bool  # there is more
    # Fields of edges, possibly with duplicates. Plain tuples: named objects for all would cost as much as the query.
    rows: tuple[tuple[Any, ...], ...]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Each edge once, in an order that a replay keeps. Computed on each access."""
        # A run that requested a version by several names used it several times.
        return tuple(map(Edge._make, dict.fromkeys(self.rows)))


@dataclass(frozen=True, slots=True)
class TreeLine:
    """A version or a run in a printed tree."""

    depth: int
    last: bool  # among the children of one node
    repeated: bool  # its children were listed further up
    collection: str | None  # None for a run
    version: int | None
    run: str | None  # None for a version
    edge: Edge | None  # that leads to it from the node above; None for the first


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a scope."""

    scope: str  # an entity, with all its projects, or "entity/project"
    role: str  # access.ROLES


@dataclass(frozen=True, slots=True)
class TokenAccess:
    """A token that was not revoked, and what it gives."""

    token: str  # its hash
    scope: str  # within which it gives anything
    principal: str  # "issuer|subject"
    expires_ms: int | None  # milliseconds since 1970, UTC; None: never
    grants: tuple[Grant, ...]  # its principal's, as far as they hold within the scope


@dataclass(frozen=True, slots=True)
class GrantInfo:
    """Who has a role, and who gave it."""

    scope: str
    principal: str
    role: str
    author: str
    message: str | None
    time_us: int


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token that was not revoked. Nothing here helps anybody to use it."""

    token: str  # its hash
    scope: str
    principal: str
    expires_ms: int | None
    author: str
    message: str | None
    time_us: int
    used_us: int | None = None  # when it was last used, where whoever answers knows that: no projection does

    @property
    def id(self) -> str:
        """By which people name it."""
        return token_id(self.token)


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """Who is told version events by webhook."""

    subscription: str  # its id
    scope: str  # whose events: of an entity, or of "entity/project"
    settings: str  # see `webhooks.WebhookSettings`
    author: str  # who made it or changed it last, whose rights it has
    message: str | None
    time_us: int  # when that was


@dataclass(frozen=True, slots=True)
class DeadLetterInfo:
    """An event that could not be decoded and waits for a decision."""

    key: str  # whose later events wait
    position: Position
    error: str
    time_us: int
    waiting: int  # parked events of the key


@dataclass(frozen=True, slots=True)
class Health:
    """An overview for operators."""

    rejections: int
    open_dead_letters: int
    parked_records: int  # that still wait
    offsets: Mapping[int, int]  # partition → offset of the last record that is in the projection


@dataclass(frozen=True, slots=True)
class VersionEventInfo:
    """One thing that happened to a version, an alias, a shared draft or a run, see `rows.version_events`."""

    id: str  # the same in every replay of the log
    kind: str
    subject: str  # the collection or run
    type: str | None  # of the collection
    version: int | None
    before: int | None  # the version that an alias was on
    detail: str | None  # the alias, draft, run, reason or final state
    digest: str | None  # of the version
    author: str
    message: str | None
    time_us: int
    position: int  # from which it counts, as one number
    index: int  # among those of that position

    @property
    def project(self) -> str:
        """ "entity/project"."""
        return self.subject.rpartition("/")[0]

    @property
    def partition(self) -> int:
        """Of the log."""
        return position_of(self.position).partition

    @property
    def run(self) -> str | None:
        """The run that it names."""
        return self.detail if DETAILS.get(self.kind) == "run" else None

    def is_within(self, scopes: Collection[str]) -> bool:
        """Whether it is about something in one of these entities and projects; a use has both its ends in them."""
        return _is_within(self.subject, scopes) and (
            self.kind != ARTIFACT_USED or self.run is None or _is_within(self.run, scopes)
        )

    def shown_within(self, scopes: Collection[str] | None) -> "VersionEventInfo":
        """The event without the run that logged a version, where that is in none of these scopes."""
        if scopes is None or self.run is None or _is_within(self.run, scopes):
            return self
        return replace(self, detail=None)

    def told(self, cursor: EventCursor) -> VersionEvent:
        """The event as subscribers are told it, who go on with `cursor`."""
        is_of_run = self.kind in RUN_KINDS
        fields = {"run" if is_of_run else "collection": self.subject}
        if self.kind in DETAILS and self.detail is not None:
            fields[DETAILS[self.kind]] = self.detail
        return VersionEvent(
            id=self.id,
            kind=self.kind,
            project=self.project,
            time=time_of(self.time_us),
            author=self.author,
            message=self.message,
            cursor=cursor.encode(),
            artifact_type=self.type,
            version=_version_text(self.version),
            before=_version_text(self.before),
            digest=self.digest,
            **fields,
        )


@dataclass(frozen=True, slots=True)
class KeptUsage:
    """What a project, or one of its collections, took up when that was last counted."""

    totals: str  # a `UsageTotals` as text
    collections: list[tuple[str, str]]  # some of the project's, by name, those that take up most first; as text, too
    collection_count: int  # of the project
    objects: int | None  # that the store of bytes had of the project; None of a collection
    object_bytes: int | None
    cut: str  # the version events that are counted, as a cursor
    computed_us: int  # microseconds since 1970, by the database's clock


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which version events are wanted: those that match all that is given."""

    scopes: frozenset[str] | None = None  # the entities and "entity/project"s of which events may be read; None: all
    entity: str | None = None
    project: str | None = None  # "entity/project"
    subject: str | None = None  # a collection or run
    type: str | None = None  # of the collection
    alias: str | None = None  # moves of it, and no other events
    kinds: frozenset[str] = frozenset()  # all, if empty

    @property
    def accepts_all(self) -> bool:
        """Whether there is no event that is not wanted."""
        return self == EventFilter()

    def accepts(self, event: VersionEventInfo) -> bool:
        """Whether this one is wanted."""
        return (
            (self.scopes is None or event.is_within(self.scopes))
            and (self.entity is None or event.subject.startswith(f"{self.entity}/"))
            and self.project in (None, event.project)
            and self.subject in (None, event.subject)
            and self.type in (None, event.type)
            and (self.alias is None or (event.kind == ALIAS_MOVED and event.detail == self.alias))
            and (not self.kinds or event.kind in self.kinds)
        )


@dataclass(frozen=True, slots=True)
class VersionEventPage:
    """Some version events."""

    after: EventCursor  # before them
    events: list[VersionEventInfo]
    cursor: EventCursor  # after them, and after others that were passed over
    more: bool  # whether there were others to read already

    def cursors(self) -> Iterator[tuple[VersionEventInfo, EventCursor]]:
        """Each event, with the cursor by which one goes on after it: that of the last one passes over others, too."""
        reached = dict(self.after.reached)
        for event in self.events[:-1]:
            reached[event.partition] = event.position, event.index
            yield event, EventCursor(self.after.generation, dict(reached))
        if self.events:
            yield self.events[-1], self.cursor

    def told(self, scopes: Collection[str] | None = None) -> list[VersionEvent]:
        """The events as subscribers are told them who may read these entities and projects; None: all."""
        return [event.shown_within(scopes).told(cursor) for event, cursor in self.cursors()]


def _is_within(name: str, scopes: Collection[str]) -> bool:
    entity, project, _ = name.split("/", 2)
    return entity in scopes or f"{entity}/{project}" in scopes


def _version_text(version: int | None) -> str | None:
    return None if version is None else f"v{version}"
