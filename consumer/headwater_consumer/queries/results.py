"""The results of queries: frozen records. Times are microseconds since 1970, UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import Position

from headwater_consumer.rows import ALIAS_MOVED, EXECUTABLE, RUNNING

if TYPE_CHECKING:
    from headwater_schemas.events import Capture

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
    recalled: str | None  # the reason


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
    capture: "Capture | None"  # what it executes, without its environment; None: not captured, or not yet

    def state_at(self, now_us: int) -> str:
        """The state at a time, in microseconds since 1970: "crashed" for a run whose heartbeat is long overdue.

        That is, by as much again as lies between two. Such a run goes on running if it is heard of again.
        """
        if self.state != RUNNING or self.heartbeat_us is None or self.heartbeat_due_us is None:
            return self.state
        overdue_us = now_us - self.heartbeat_due_us
        return CRASHED if overdue_us > self.heartbeat_due_us - self.heartbeat_us else RUNNING


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
class VersionEvent:
    """One thing that happened to a version, an alias, a shared draft or a run, see `rows.version_events`."""

    id: str  # the same in every replay of the log
    kind: str
    subject: str  # the collection or run
    type: str | None  # of the collection
    version: int | None
    before: int | None  # the version that an alias was on
    detail: str | None  # the alias, draft, run or final state
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


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which version events are wanted: those that match all that is given."""

    project: str | None = None  # "entity/project"
    subject: str | None = None  # a collection or run
    type: str | None = None  # of the collection
    alias: str | None = None  # moves of it, and no other events
    kinds: frozenset[str] = frozenset()  # all, if empty

    def accepts(self, event: VersionEvent) -> bool:
        """Whether this one is wanted."""
        return (
            self.project in (None, event.project)
            and self.subject in (None, event.subject)
            and self.type in (None, event.type)
            and (self.alias is None or (event.kind == ALIAS_MOVED and event.detail == self.alias))
            and (not self.kinds or event.kind in self.kinds)
        )


@dataclass(frozen=True, slots=True)
class VersionEventPage:
    """Some version events."""

    events: list[VersionEvent]
    cursor: EventCursor  # after them, and after others that were passed over
    more: bool  # whether there were others to read already
