"""Rows about content: entries in layers, and the drafts that collect them."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row


@row(key=("layer", "path", "ordinal"))
@dataclass(frozen=True, slots=True)
class EntryRow(ProjectionRow):
    """One path in one layer. Written once; of several rows for a path, the one with the highest ordinal counts."""

    layer: int
    path: str
    ordinal: int  # position number of the event that added it
    writer: int  # which writer of the draft, in order of appearance
    kind: int
    size: int | None
    digest: bytes | None
    object_name: str | None
    object_offset: int | None  # bytes from the object's start
    uri: str | None
    checksum: str | None
    object_version: str | None


@row(key=("object_name", "layer"))
@dataclass(frozen=True, slots=True)
class ObjectLayerRow(ProjectionRow):
    """Some row of `entries` in this layer names this object. Follows from `entries`, and says nothing more."""

    object_name: str
    layer: int


@row(key=("layer",))
@dataclass(frozen=True, slots=True)
class LayerRow(ProjectionRow):
    """The entries that one draft added, or several layers merged into one."""

    layer: int  # position number of the event that created it
    row_count: int
    merges: int  # how often rows of it were merged, at most; 0 for those of one draft


@row(key=("collection", "draft"))
@dataclass(frozen=True, slots=True)
class DraftRow(ProjectionRow):
    """A version that is open, sealed or discarded.

    A draft of one writer ends, once it is closed, when the session that opened it is retired. A shared one stays, so
    that no straggler opens its id again.
    """

    collection: str
    draft: str
    type: str
    base: int | None
    layer: int
    opened_position: int
    session: str  # that opened it
    last_event: str  # id of the last event about it
    last_event_us: int  # append time of that
    batches: int  # events that added or removed entries
    writers: int  # how many writers sent such events
    writers_done: int  # how many writers declared that they are done
    sum_state: bytes  # sum of all leaves that were added, duplicates included
    sum_count: int
    sum_bytes: int
    commit_payload: bytes | None  # the first commit that waits for writers, as it came
    commit_attributes: str | None  # canonical JSON: what it and later ones give together; None for a single one
    closed_position: int | None
    version: int | None  # what it was sealed as; None while open, and when discarded
    deduplicated: bool  # sealed as an existing version, because the content is the same
    attributes_ignored: bool  # that version kept its own attributes, which the author may not change


@row(key=("collection", "draft", "writer"))
@dataclass(frozen=True, slots=True)
class DraftWriterRow(ProjectionRow):
    """A writer of a draft. Ends when the draft is closed."""

    collection: str
    draft: str
    writer: str  # a run, "entity/project/ID", if the events name one; else the session
    number: int | None  # in order of appearance; None if it sent no entries
    done: bool
    commit_position: int | None  # of its commit that waits for others
    commit_session: str | None
    commit_sequence: int | None
