"""Which rows an event will read, so that a batch can load them together.

A hint: a row that is missing here is loaded when it is read, one by one.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from headwater_schemas.events import (
    SHARED_DRAFT,
    AliasMoved,
    ArtifactUsed,
    BlobsMoved,
    DraftEvent,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    RunEvent,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    Stamped,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    WriterDone,
)
from headwater_schemas.names import LATEST
from headwater_schemas.positions import Position

from headwater_consumer.projector.state import State
from headwater_consumer.rows import (
    CONFIG,
    DELETED,
    RECALLED,
    SUMMARY,
    TTL,
    AliasRow,
    CollectionRow,
    CondemnedObjectRow,
    DraftRow,
    DraftWriterRow,
    LayerRow,
    ProjectionRow,
    RetiredSessionsRow,
    RunCaptureRow,
    RunHeartbeatRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
    SessionMarkRow,
    VersionAttributeRow,
    VersionDigestRow,
    VersionRow,
    VersionUpdateRow,
)

RowKey = tuple[type[ProjectionRow], tuple[Any, ...]]  # a row type, and the lookup key of one row

# Events by what they read, made once: a union that is written where it is asked about is made for each event.
_OF_A_WRITER = (EntryAdded, EntryRemoved, WriterDone)
_OF_A_LAYER = (EntryAdded, EntryRemoved, VersionCommitted)
_RELYING_ON_OBJECTS = (EntryAdded, BlobsMoved)
_OF_A_VERSION = (ArtifactUsed, VersionDeleted, VersionDescribed)
_MOVING_ALIASES = (VersionCommitted, AliasMoved)
_CHANGING_STATE = (RunStarted, RunFinished)
_EXPECTING_HEARTBEATS = (RunStarted, RunHeartbeat)
_WITH_VALUES = (RunStarted, RunUpdated)


def first_prefetch(position: Position, key: str, stamped: Stamped) -> Iterator[RowKey]:
    """The single rows that applying the event of a record will most likely read."""
    event, session, partition = stamped.event, stamped.origin.session, position.partition
    yield SessionMarkRow, (partition, session, key)
    yield RetiredSessionsRow, (partition,)
    if isinstance(event, RunEvent):
        yield from _of_run(event)
    if isinstance(event, DraftEvent):
        yield DraftRow, (event.collection, event.draft)
        yield CollectionRow, (event.collection,)
    if isinstance(event, DraftOpened):
        yield LayerRow, (position.number,)
        if event.base is not None:
            yield VersionRow, (event.collection, event.base)
            yield VersionAttributeRow, (event.collection, event.base, DELETED)
    if isinstance(event, _OF_A_WRITER):
        yield DraftWriterRow, (event.collection, event.draft, event.writer or session)
    if isinstance(event, _RELYING_ON_OBJECTS):
        yield from ((CondemnedObjectRow, (name, partition)) for name in _objects_relied_on(event))
    if isinstance(event, VersionCommitted):
        yield from ((AliasRow, (event.collection, alias)) for alias in (LATEST, *event.aliases))
        if event.expected_digest is not None:
            yield VersionDigestRow, (event.collection, event.expected_digest)
    if isinstance(event, AliasMoved):
        yield AliasRow, (event.collection, event.alias)
    if isinstance(event, _OF_A_VERSION):
        yield from _of_version(event)


def _of_version(event: ArtifactUsed | VersionDeleted | VersionDescribed) -> Iterator[RowKey]:
    of_version = (event.collection, event.version)
    yield VersionRow, of_version
    yield VersionAttributeRow, (*of_version, DELETED)
    if isinstance(event, VersionDescribed):
        yield VersionUpdateRow, of_version
    if isinstance(event, VersionDeleted) and event.decided_on is not None:
        yield from ((VersionAttributeRow, (*of_version, field)) for field in (RECALLED, TTL))


def _objects_relied_on(event: EntryAdded | BlobsMoved) -> Iterable[str]:
    return event.files.objects if isinstance(event, EntryAdded) else [move.to_object_name for move in event.moves]


def _of_run(event: RunEvent) -> Iterator[RowKey]:
    yield RunRow, (event.run,)
    if isinstance(event, _CHANGING_STATE):
        yield RunStateRow, (event.run,)
    if isinstance(event, _EXPECTING_HEARTBEATS):
        yield RunHeartbeatRow, (event.run,)
    if isinstance(event, _WITH_VALUES):
        yield RunCaptureRow, (event.run,)
        yield from ((RunValuesRow, (event.run, field)) for field in (CONFIG, SUMMARY))


def second_prefetch(event: Event, state: State) -> Iterator[RowKey]:
    """The rows that depend on those of the first prefetch: of its draft and base, of versions that aliases leave."""
    if isinstance(event, _OF_A_LAYER):
        draft = state.get(DraftRow, event.collection, event.draft)
        if draft is not None and draft.closed_position is None:
            yield LayerRow, (draft.layer,)
            if draft.base is not None and (not isinstance(event, EntryAdded) or event.draft.startswith(SHARED_DRAFT)):
                yield VersionRow, (event.collection, draft.base)
    if isinstance(event, DraftOpened) and event.base is not None:
        base = state.get(VersionRow, event.collection, event.base)
        if base is not None:
            yield from ((LayerRow, (layer,)) for layer in base.chain())
    if isinstance(event, _MOVING_ALIASES):
        moving = (LATEST, *event.aliases) if isinstance(event, VersionCommitted) else (event.alias,)
        for alias in moving:
            held = state.get(AliasRow, event.collection, alias)
            if held is not None:
                yield VersionUpdateRow, (event.collection, held.version)
