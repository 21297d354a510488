"""The rows of the projection, each declared once: the frozen record and its table come from the same lines.

Two kinds of rows:

- *written once*, such as a version: never changed after they were put;
- *facts*, which can change: every change closes the open row (`to_position`) and opens another, so the present is the
  rows that are open and any moment of the past is a filter.

A position here is one number, `positions.position_number`; times are microseconds since 1970, UTC. No id is made by
the database: a row means the same in every projection of the same log.
"""

from dataclasses import dataclass

from headwater_consumer.declaring import Row, row

# --- where the projection stands --------------------------------------------------------------------------------


@row("log_positions", key=("partition",))
@dataclass(frozen=True, slots=True)
class LogPosition(Row):
    """The cursor: the last record of a partition that is in this projection."""

    partition: int
    generation: str
    offset: int
    time_us: int  # the highest append time so far; later records are taken as not before it


@row("sessions", key=("partition", "session", "key"))
@dataclass(frozen=True, slots=True)
class SessionMark(Row):
    """The high-water mark of one writer under one key."""

    partition: int
    session: str
    key: str
    sequence: int  # the last one judged


@row("rejections", key=("partition", "offset"), indexes=(("session", "key", "sequence"),))
@dataclass(frozen=True, slots=True)
class Rejection(Row):
    """An event that broke a rule."""

    partition: int
    offset: int
    key: str
    session: str
    sequence: int
    event: str  # its name
    reason: str  # errors.Reason
    message: str
    time_us: int


@row("dead_letters", key=("partition", "offset"), wide=True)
@dataclass(frozen=True, slots=True)
class DeadLetter(Row):
    """A record that a known schema could not decode."""

    partition: int
    offset: int
    key: str
    payload: bytes
    error: str
    time_us: int
    decision: str | None  # None while it is open
    resolved_position: int | None


@row("parked_keys", key=("partition", "key"))
@dataclass(frozen=True, slots=True)
class ParkedKey(Row):
    """A key whose later records in one partition wait behind a dead letter there."""

    partition: int
    key: str
    offset: int | None  # of the dead letter it waits for; None: it waits no more


@row("parked_records", key=("partition", "offset"), indexes=(("partition", "key", "offset"),), wide=True)
@dataclass(frozen=True, slots=True)
class ParkedRecord(Row):
    """A record that waits behind a dead letter of its key."""

    partition: int
    offset: int
    key: str
    payload: bytes
    time_us: int
    applied_position: int | None  # None while it waits


@row("outbox", key=("partition", "offset", "n"), wide=True)
@dataclass(frozen=True, slots=True)
class OutboxRow(Row):
    """Something to tell subscribers, in the order of the log."""

    partition: int
    offset: int
    n: int  # counts from 0 within one record
    kind: str
    subject: str  # the collection or run
    body: str  # canonical JSON
    time_us: int


# --- content ------------------------------------------------------------------------------------------------------

FILE, REFERENCE, REMOVED = 0, 1, 2  # entries.kind


@row(
    "entries",
    key=("layer", "path", "ordinal"),
    indexes=(("digest", "object_name", "layer"),),
    sparse_indexes=(("uri", "layer"),),
)
@dataclass(frozen=True, slots=True)
class EntryRow(Row):
    """One path in one layer. Written once; of several rows of a path the one with the highest ordinal counts."""

    layer: int
    path: str
    ordinal: int  # offset of the event that brought it
    writer: int  # which writer of the draft, in order of appearance
    kind: int
    size: int | None
    digest: bytes | None
    object_name: str | None
    start: int | None  # bytes from the object's start
    uri: str | None
    checksum: str | None
    object_version: str | None


@row("layers", key=("layer",))
@dataclass(frozen=True, slots=True)
class Layer(Row):
    """The entries that one draft brought, or several layers merged into one."""

    layer: int  # position number of the event that made it
    rows: int


@row("drafts", key=("collection", "draft"), indexes=(("closed_position", "collection", "draft"),), wide=True)
@dataclass(frozen=True, slots=True)
class Draft(Row):
    """An open, sealed or discarded version."""

    collection: str
    draft: str
    type: str
    base: int | None
    layer: int
    opened_position: int
    touched_us: int  # append time of the last event about it
    batches: int  # events that brought or removed entries
    writers: int  # who did
    done: int  # who said that they are done
    sum_state: bytes  # sum of all leaves that were added, doubles included
    sum_count: int
    sum_bytes: int
    commit_payload: bytes | None  # a commit that waits for writers
    closed_position: int | None
    version: int | None  # what it was sealed as; None while open, and when discarded
    recognised: bool  # sealed as a version that was there before, because the content is the same


@row("draft_writers", key=("collection", "draft", "writer"))
@dataclass(frozen=True, slots=True)
class DraftWriter(Row):
    """Somebody who took part in a draft."""

    collection: str
    draft: str
    writer: str  # a run, "entity/project/ID", where the events say so; else their session
    number: int | None  # in order of appearance; None if it brought nothing
    done: bool


# --- versions -----------------------------------------------------------------------------------------------------


@row("collections", key=("collection",), indexes=(("project", "type"),))
@dataclass(frozen=True, slots=True)
class Collection(Row):
    """All versions of one artifact name. It exists from its first commit on."""

    collection: str
    project: str  # "entity/project"
    type: str
    next_version: int
    created_position: int
    created_us: int


@row("versions", key=("collection", "version"), indexes=(("digest", "collection"), ("run",)), wide=True)
@dataclass(frozen=True, slots=True)
class Version(Row):
    """One sealed version."""

    collection: str
    version: int
    digest: str
    sum_state: bytes
    entry_count: int
    size_bytes: int
    layers: str  # "TOP,…,BOTTOM"; "" where there are no entries
    base: int | None
    draft: str
    run: str | None  # the first run that logged it
    contested: int  # paths that different writers of its draft wrote
    position: int
    created_us: int
    clock_us: int  # the writer's own clock
    who: str
    message: str | None

    def chain(self) -> list[int]:
        """Its layers, topmost first."""
        return [int(layer) for layer in self.layers.split(",") if layer]


@row("version_layers", key=("layer", "collection", "version"))
@dataclass(frozen=True, slots=True)
class VersionLayer(Row):
    """A layer is part of a version's chain: the way back from an entry to the versions that may show it."""

    layer: int
    collection: str
    version: int


@row("contested_paths", key=("collection", "version", "path"))
@dataclass(frozen=True, slots=True)
class ContestedPath(Row):
    """A path that different writers of one draft wrote; the last event counted."""

    collection: str
    version: int
    path: str


@row("version_digests", key=("collection", "digest"))
@dataclass(frozen=True, slots=True)
class VersionDigest(Row):
    """The live version of a collection that has this content, if any."""

    collection: str
    digest: str
    version: int | None


@row("aliases", key=("collection", "alias"), indexes=(("collection", "version"),))
@dataclass(frozen=True, slots=True)
class Alias(Row):
    """Fact: where an alias points."""

    collection: str
    alias: str
    version: int
    from_position: int
    to_position: int | None


@row("tags", key=("collection", "version", "tag"))
@dataclass(frozen=True, slots=True)
class Tag(Row):
    """Fact: a version has a tag."""

    collection: str
    version: int
    tag: str
    from_position: int
    to_position: int | None


DESCRIPTION, METADATA, TTL, DELETED, RECALLED = "description", "metadata", "ttl", "deleted", "recalled"


@row("version_facts", key=("collection", "version", "field"))
@dataclass(frozen=True, slots=True)
class VersionFact(Row):
    """Fact: what is said about a version. A field without an open row has its empty value."""

    collection: str
    version: int
    field: str  # one of the constants above
    value: str  # text; canonical JSON for metadata; seconds for ttl; "" for deleted; the reason for recalled
    from_position: int
    to_position: int | None


@row("version_updates", key=("collection", "version"))
@dataclass(frozen=True, slots=True)
class VersionUpdate(Row):
    """Fact: when something that is said about a version changed last. A version without an open row is as sealed."""

    collection: str
    version: int
    time_us: int  # append time of the event
    from_position: int
    to_position: int | None


# --- runs and edges -----------------------------------------------------------------------------------------------


@row("runs", key=("run",), indexes=(("project", "started_us", "run"),), wide=True)
@dataclass(frozen=True, slots=True)
class Run(Row):
    """Fact: what a run is. Another start of the same run opens another row."""

    run: str
    project: str  # "entity/project"
    job_type: str | None
    group: str | None
    display_name: str | None
    config: str  # canonical JSON
    tags: str  # canonical JSON list
    who: str
    started_us: int
    from_position: int
    to_position: int | None


@row("run_states", key=("run",))
@dataclass(frozen=True, slots=True)
class RunState(Row):
    """Fact: "running", "finished" or "failed"."""

    run: str
    state: str
    time_us: int
    from_position: int
    to_position: int | None


@row("uses", key=("collection", "version", "run", "requested"), indexes=(("run",),))
@dataclass(frozen=True, slots=True)
class Use(Row):
    """A run consumed a version, asked for under this name. Written once."""

    collection: str
    version: int
    run: str
    requested: str
    from_position: int


@row("outputs", key=("collection", "version", "run"), indexes=(("run",),))
@dataclass(frozen=True, slots=True)
class Output(Row):
    """A run logged a version, or content that this version had already. Written once."""

    collection: str
    version: int
    run: str
    from_position: int


# --- administration -----------------------------------------------------------------------------------------------


@row("condemned_objects", key=("object_name", "partition"))
@dataclass(frozen=True, slots=True)
class CondemnedObject(Row):
    """An object that nothing in a partition may rely on any more, from the first event there that said so.

    Each partition judges by what it saw itself, so that a replay decides the same in whatever order partitions come.
    """

    object_name: str
    partition: int
    position: int


@row("moved_contents", key=("object_name", "start", "length", "to_object_name", "to_start"))
@dataclass(frozen=True, slots=True)
class MovedContent(Row):
    """A stretch of an object that was rewritten elsewhere. All partitions feed these rows: a set, in no order."""

    object_name: str
    start: int
    length: int
    to_object_name: str
    to_start: int


@row("project_facts", key=("partition", "project", "kind", "name"))
@dataclass(frozen=True, slots=True)
class ProjectFact(Row):
    """Fact: a rule, grant, setting or subscription of a project, as one partition knows it."""

    partition: int
    project: str
    kind: str  # "rule", "grant", "settings" or "subscription"
    name: str
    value: str  # canonical JSON
    from_position: int
    to_position: int | None


@row("projection_meta", key=("name",))
@dataclass(frozen=True, slots=True)
class Meta(Row):
    """What is true of this database rather than of the log. Not part of the fingerprint."""

    name: str
    value: str


ROW_TYPES: tuple[type[Row], ...] = tuple(
    found
    for found in list(globals().values())
    if isinstance(found, type) and Row in found.__bases__ and found is not Meta
)
