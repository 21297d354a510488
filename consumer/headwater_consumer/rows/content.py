"""Rows about content: entries in layers, and the drafts that collect them."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row

FILE, REFERENCE, REMOVED = 0, 1, 2  # EntryRow.kind


@row(key=("layer", "path", "ordinal"))
@dataclass(frozen=True, slots=True)
class EntryRow(ProjectionRow):
    """One path in one layer. Written once; of several rows for a path, the one with the highest ordinal counts."""

    layer: int
    path: str
    ordinal: int  # offset of the event that added it
    writer: int  # which writer of the draft, in order of appearance
    kind: int
    size: int | None
    digest: bytes | None
    object_name: str | None
    object_offset: int | None  # bytes from the object's start
    uri: str | None
    checksum: str | None
    object_version: str | None


@row(key=("layer",))
@dataclass(frozen=True, slots=True)
class LayerRow(ProjectionRow):
    """The entries that one draft added, or several layers merged into one."""

    layer: int  # position number of the event that created it
    row_count: int


@row(key=("collection", "draft"))
@dataclass(frozen=True, slots=True)
class DraftRow(ProjectionRow):
    """A version that is open, sealed or discarded."""

    collection: str
    draft: str
    type: str
    base: int | None
    layer: int
    opened_position: int
    last_event_us: int  # append time of the last event about it
    batches: int  # events that added or removed entries
    writers: int  # how many writers sent such events
    writers_done: int  # how many writers declared that they are done
    sum_state: bytes  # sum of all leaves that were added, duplicates included
    sum_count: int
    sum_bytes: int
    commit_payload: bytes | None  # a commit that waits for writers
    closed_position: int | None
    version: int | None  # what it was sealed as; None while open, and when discarded
    deduplicated: bool  # sealed as an existing version, because the content is the same


@row(key=("collection", "draft", "writer"))
@dataclass(frozen=True, slots=True)
class DraftWriterRow(ProjectionRow):
    """A writer of a draft."""

    collection: str
    draft: str
    writer: str  # a run, "entity/project/ID", if the events name one; else the session
    number: int | None  # in order of appearance; None if it sent no entries
    done: bool
