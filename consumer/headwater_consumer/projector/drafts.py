"""Handlers of events about an open draft: opening it, adding and removing entries, discarding it."""

from collections.abc import Collection
from itertools import repeat
from typing import Any

from headwater_schemas import lthash
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    SHARED_DRAFT,
    DraftDiscarded,
    DraftEvent,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    WriterDone,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX
from headwater_schemas.lthash import ContentSum
from headwater_schemas.version_events import DRAFT_DISCARDED, DRAFT_OPENED

from headwater_consumer.projector.draft_rules import (
    check_base,
    check_batch,
    check_conflicts,
    check_grammar,
    check_objects,
    check_size,
    check_type_of_collection,
    describe,
)
from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.state import AddEntries, Change, DropLayer, DropWriters, Put, State
from headwater_consumer.projector.version_events import announce
from headwater_consumer.rows import (
    REFERENCE,
    REMOVED,
    CollectionRow,
    DraftRow,
    DraftWriterRow,
    EntryTuple,
    FileRows,
    LayerChain,
    LayerRow,
    VersionRow,
    changed,
)

WITHOUT_COMMIT: dict[str, None] = {"commit_payload": None, "commit_attributes": None}  # fields, when none waits


def opened(context: EventContext, event: DraftOpened, state: State) -> list[Change]:
    """Open a draft. Opening it again, as each writer of a shared draft does, must name the same type and base."""
    check_type_of_collection(state.get(CollectionRow, event.collection), event.type)
    before = state.get(DraftRow, event.collection, event.draft)
    if before is not None:
        return _opened_again(context, event, before)
    if event.base is not None:
        check_base(event, event.base, state)
    draft = DraftRow(
        collection=event.collection,
        draft=event.draft,
        type=event.type,
        base=event.base,
        layer=context.position_number,
        opened_position=context.effective_position,
        session=context.origin.session,
        last_event=context.event_id,
        last_event_us=context.time_us,
        batches=0,
        writers=0,
        writers_done=0,
        sum_state=lthash.EMPTY,
        sum_count=0,
        sum_bytes=0,
        commit_payload=None,
        commit_attributes=None,
        closed_position=None,
        version=None,
        deduplicated=False,
        attributes_ignored=False,
    )
    is_shared = event.draft.startswith(SHARED_DRAFT)  # that of one commit is part of the commit
    told = [announce(context, DRAFT_OPENED, event.collection, detail=event.draft)] if is_shared else []
    return [Put(draft), Put(LayerRow(context.position_number, 0, 0)), *told]


def entries_added(context: EventContext, event: EntryAdded, state: State) -> list[Change]:
    """Add entries to a draft. An earlier entry at the same path is superseded when the draft is sealed."""
    draft = open_draft(event, state)
    paths = [*event.files.paths, *(reference.path for reference in event.references)]
    check_batch(event, paths)
    check_objects(context, event, state)
    if event.draft.startswith(SHARED_DRAFT):
        # A draft of one writer was checked by that writer, who knows all of it; nobody knows all of a shared one.
        check_conflicts(event, [draft.layer, *base_chain(draft, state)], paths, state)
    writer, changes = _writer_of(context, event, draft, state)
    sizes = event.files.sizes
    digests = event.files.packed_digests()
    leaves = file_leaves(event.files.paths, digests, sizes, event.files.executable)
    leaves += [reference_leaf(reference) for reference in event.references]
    size_bytes = sum(sizes) + sum(reference.size or 0 for reference in event.references)
    rows: Collection[EntryTuple] = FileRows(draft.layer, context.position_number, writer, event.files, digests)
    if event.references:
        rows = [*rows, *[_reference_row(draft.layer, context, writer, reference) for reference in event.references]]
    total = sum_of(draft).plus(lthash.sum_of(leaves, size_bytes))
    check_size(event, total)
    return [*changes, *_extended(context, draft, state, rows, total, writer)]


def entries_removed(context: EventContext, event: EntryRemoved, state: State) -> list[Change]:
    """Remove paths from a draft: with a marker, since the base below still has them. Missing paths are fine."""
    draft = open_draft(event, state)
    removals = len(event.paths) + len(event.folders)
    if removals > ENTRIES_PER_EVENT_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"an event removes {removals:,} paths and folders from {describe(event)}; at most "
            f"{ENTRIES_PER_EVENT_MAX:,} are allowed. Send them as several events.",
        )
    check_grammar([*event.paths, *event.folders])
    layers = [draft.layer, *base_chain(draft, state)]
    within = [path for folder in event.folders for path in state.paths_under(layers, folder)]
    paths = list(dict.fromkeys([*event.paths, *within]))
    writer, changes = _writer_of(context, event, draft, state)
    ordinal = context.position_number
    rows: list[EntryTuple] = [(draft.layer, path, ordinal, writer, REMOVED, *repeat(None, 7)) for path in paths]
    return [*changes, *_extended(context, draft, state, rows, sum_of(draft), writer)]


def discarded(context: EventContext, event: DraftDiscarded, state: State) -> list[Change]:
    """Discard an open draft. Doing so twice is fine."""
    draft = state.get(DraftRow, event.collection, event.draft)
    if draft is not None and draft.closed_position is not None and draft.version is None:
        return []
    draft = open_draft(event, state)
    if event.last_event is not None and event.last_event != draft.last_event:
        raise RuleViolation(
            Reason.DRAFT_TOUCHED,
            f"{describe(event)} was to be discarded as it was after event {event.last_event}, but {draft.last_event} "
            "came later. It stays open.",
        )
    closed = touched(draft, context, **WITHOUT_COMMIT, closed_position=context.effective_position, sum_state=b"")
    told = announce(context, DRAFT_DISCARDED, event.collection, detail=event.draft)
    return [Put(closed), DropLayer(draft.layer), *drop_writers(draft), told]


def open_draft(event: DraftEvent, state: State) -> DraftRow:
    """The draft that an event is about. Raises: RuleViolation when it does not exist or is not open any more."""
    draft = state.get(DraftRow, event.collection, event.draft)
    if draft is None:
        raise RuleViolation(
            Reason.DRAFT_UNKNOWN, f"{describe(event)} was never opened, or its opening was rejected. Begin again."
        )
    _check_open(event, draft)
    return draft


def _check_open(event: DraftEvent, draft: DraftRow) -> None:
    if draft.version is not None:
        shared = event.draft.startswith(SHARED_DRAFT)
        advice = "Use a new distributed_id for further entries." if shared else "Log it again."
        raise RuleViolation(
            Reason.DRAFT_SEALED,
            f"{describe(event)} was sealed as {event.collection}:v{draft.version} before this event arrived, and does "
            f"not contain it. {advice}",
        )
    if draft.closed_position is not None:
        raise RuleViolation(Reason.DRAFT_DISCARDED, f"{describe(event)} was discarded. Begin another one.")


def touched(draft: DraftRow, context: EventContext, **values: Any) -> DraftRow:
    """A draft with this event as the last one about it, and other values in these fields."""
    return changed(draft, last_event=context.event_id, last_event_us=context.time_us, **values)


def drop_writers(draft: DraftRow) -> list[Change]:
    """Delete the rows of a draft's writers, which only a shared one has."""
    return [DropWriters(draft.collection, draft.draft)] if draft.draft.startswith(SHARED_DRAFT) else []


def sum_of(draft: DraftRow) -> ContentSum:
    """The sum of all that was added to a draft, duplicates included."""
    return ContentSum(draft.sum_state, draft.sum_count, draft.sum_bytes)


def _opened_again(context: EventContext, event: DraftOpened, before: DraftRow) -> list[Change]:
    _check_open(event, before)
    if before.type != event.type:
        raise RuleViolation(
            Reason.TYPE_MISMATCH,
            f"{describe(event)} was opened with type {quoted(before.type)}, not {quoted(event.type)}. Use that type.",
        )
    if before.base != event.base:
        raise RuleViolation(
            Reason.BASE_MISMATCH,
            f"{describe(event)} was opened on {_base_name(before.base)}, not on {_base_name(event.base)}. "
            "All its writers must start from the same version; use a new distributed_id to start from another.",
        )
    return [Put(touched(before, context))]


def _base_name(base: int | None) -> str:
    return "no version" if base is None else f"v{base}"


# --- rows -------------------------------------------------------------------------------------------------------


def writer_of(context: EventContext, event: EntryAdded | EntryRemoved | WriterDone) -> str:
    """Which of a draft's writers sent an event: the same one when a run is retried from another process."""
    return context.origin.session if event.writer is None else event.writer


def new_writer(event: DraftEvent, writer: str) -> DraftWriterRow:
    """A writer that has sent nothing yet."""
    return DraftWriterRow(event.collection, event.draft, writer, None, False, None, None, None)


def _writer_of(
    context: EventContext, event: EntryAdded | EntryRemoved, draft: DraftRow, state: State
) -> tuple[int, list[Change]]:
    """The number of the event's writer in this draft, and the change that gives it one if it has none yet."""
    writer = writer_of(context, event)
    if not event.draft.startswith(SHARED_DRAFT):
        return 0, []  # it has one writer
    known = state.get(DraftWriterRow, draft.collection, draft.draft, writer)
    if known is not None and known.number is not None:
        return known.number, []
    return draft.writers, [Put(changed(known or new_writer(event, writer), number=draft.writers))]


def _extended(
    context: EventContext, draft: DraftRow, state: State, rows: Collection[EntryTuple], total: ContentSum, writer: int
) -> list[Change]:
    layer = state.get(LayerRow, draft.layer)
    assert layer is not None, "a draft and its layer are created by one event"
    grown = touched(
        draft,
        context,
        batches=draft.batches + 1,
        writers=max(draft.writers, writer + 1),
        sum_state=total.state,
        sum_count=total.count,
        sum_bytes=total.size_bytes,
    )
    return [Put(grown), AddEntries(rows), Put(LayerRow(draft.layer, layer.row_count + len(rows), 0))]


def _reference_row(layer: int, context: EventContext, writer: int, reference: Reference) -> EntryTuple:
    outside = (reference.uri, reference.checksum, reference.object_version)
    nowhere = (None, None, None)
    return (layer, reference.path, context.position_number, writer, REFERENCE, reference.size, *nowhere, *outside)


def base_chain(draft: DraftRow, state: State) -> LayerChain:
    """The layers that a draft starts with, topmost first."""
    if draft.base is None:
        return ()
    base = state.get(VersionRow, draft.collection, draft.base)
    assert base is not None, "a draft was opened on a version that does not exist"
    return base.chain()
