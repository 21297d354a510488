"""Sealing a draft: it becomes a new version, or the existing version that has the same content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from headwater_schemas import codec, lthash, metadata
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.errors import Reason
from headwater_schemas.events import WRITERS_MAX, Stamped, VersionCommitted, WriterDone
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.lthash import NOTHING, ContentSum
from headwater_schemas.names import LATEST, CollectionName, RunName, check_alias

from headwater_consumer.projector.draft_rules import check_size, check_type_of_collection, describe
from headwater_consumer.projector.drafts import base_chain, open_draft, sum_of, writer_of
from headwater_consumer.projector.event_context import EventContext, RuleViolation, announce, rejection
from headwater_consumer.projector.facts import add_tag, set_alias, set_attribute
from headwater_consumer.projector.state import Change, DropLayer, MergeLayers, Put, RemoveDuplicates, State
from headwater_consumer.rows import (
    DESCRIPTION,
    FILE,
    METADATA,
    REMOVED,
    TTL,
    CollectionRow,
    ContestedPathRow,
    DraftRow,
    DraftWriterRow,
    EntryRow,
    LayerChain,
    LayerRow,
    RunOutputRow,
    VersionDigestRow,
    VersionLayerRow,
    VersionRow,
    format_chain,
)

LEAVES_AT_ONCE = 4096  # bounds the memory of summing up what a draft supersedes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def committed(context: EventContext, event: VersionCommitted, state: State) -> list[Change]:
    """Seal a draft now, or when the last writer that it waits for is done. A sealed draft does not change."""
    _check_commit(event)
    draft = state.get(DraftRow, event.collection, event.draft)
    if draft is not None and draft.version is not None:
        return []
    draft = open_draft(event, state)
    if event.writers is not None and draft.writers_done < event.writers:
        payload = codec.encode(Stamped(context.origin, event))
        return [Put(replace(draft, commit_payload=payload, last_event_us=context.time_us))]
    return _seal(context, event, draft, state)


def writer_done(context: EventContext, event: WriterDone, state: State) -> list[Change]:
    """One more writer is done; twice counts once. The last one that a commit waits for seals the draft."""
    draft = open_draft(event, state)
    writer = writer_of(context, event)
    known = state.get(DraftWriterRow, event.collection, event.draft, writer)
    if known is not None and known.done:
        return []
    number = None if known is None else known.number
    draft = replace(draft, writers_done=draft.writers_done + 1, last_event_us=context.time_us)
    changes: list[Change] = [Put(DraftWriterRow(event.collection, event.draft, writer, number, True))]
    if draft.commit_payload is None:
        return [*changes, Put(draft)]
    pending = codec.decode(draft.commit_payload)
    commit = pending.event
    assert isinstance(commit, VersionCommitted)
    assert commit.writers is not None
    if draft.writers_done < commit.writers:
        return [*changes, Put(draft)]
    # The version, or its rejection, belongs to the commit's author: the last writer did nothing wrong.
    of_commit = replace(context, origin=pending.origin)
    try:
        return [*changes, *_seal(of_commit, commit, draft, state)]
    except RuleViolation as violation:
        return [*changes, Put(replace(draft, commit_payload=None)), rejection(of_commit, commit, violation)]


def _seal(context: EventContext, event: VersionCommitted, draft: DraftRow, state: State) -> list[Change]:
    sealed = _content_of(draft, state)
    check_size(event, sealed.content)
    digest = sealed.content.digest()
    if event.expected_digest is not None and event.expected_digest != digest:
        raise RuleViolation(
            Reason.DIGEST_MISMATCH,
            f"{describe(event)} was expected to have the digest {event.expected_digest}, but what arrived has "
            f"{digest}. Log it again.",
        )
    collection = state.get(CollectionRow, event.collection)
    check_type_of_collection(collection, draft.type)
    same = state.get(VersionDigestRow, event.collection, digest)
    if same is not None and same.version is not None:
        version = same.version
        changes: list[Change] = [DropLayer(draft.layer)]
    else:
        version, changes = _new_version(context, event, draft, collection, sealed, state)
    deduplicated = same is not None and same.version is not None
    closed = replace(
        draft,
        closed_position=context.effective_position,
        version=version,
        deduplicated=deduplicated,
        sum_state=b"",  # not needed any more, and the largest field
        commit_payload=None,
        last_event_us=context.time_us,
    )
    attributes = _set_attributes(context, event, version, state)
    run_edge = _link_run(context, event, version, state, deduplicated=deduplicated)
    body = {"version": version, "digest": digest, "deduplicated": deduplicated, "draft": event.draft, "run": event.run}
    return [*changes, Put(closed), *attributes, *run_edge, announce(context, 0, event.name, event.collection, body)]


# --- content ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SealedContent:
    content: ContentSum
    superseded: int  # rows of the draft's layer that a later one replaced
    contested: list[str]  # paths that different writers wrote


@dataclass(slots=True)
class _DuplicatePaths:
    """Paths that a draft names several times; complete once all their rows went through `older_rows`."""

    superseded: int = 0
    contested: list[str] = field(default_factory=list)

    def older_rows(self, rows: Iterable[EntryRow]) -> Iterator[EntryRow]:
        """Of `rows`, by path and ordinal, all but the last of each path."""
        for path, of_path in groupby(rows, key=lambda row: row.path):
            *older, newest = of_path
            if any(row.writer != newest.writer for row in older):
                self.contested.append(path)
            self.superseded += len(older)
            yield from older


def _content_of(draft: DraftRow, state: State) -> _SealedContent:
    """Sum up what the draft shows: its base, plus what it added, less all that a later row or a removal hides."""
    content, duplicates = sum_of(draft), _DuplicatePaths()
    if draft.batches > 1:  # within one event no path occurs twice
        content = content.minus(_sum_of_rows(duplicates.older_rows(state.duplicates(draft.layer))))
    below = base_chain(draft, state)
    if draft.base is not None:
        base = state.get(VersionRow, draft.collection, draft.base)
        assert base is not None, "a draft was opened on a version that does not exist"
        content = content.plus(ContentSum(base.sum_state, base.entry_count, base.size_bytes))
    if below and draft.batches:
        content = content.minus(_sum_of_rows(state.hidden_by(draft.layer, below)))
    return _SealedContent(content, duplicates.superseded, duplicates.contested)


def _sum_of_rows(rows: Iterable[EntryRow]) -> ContentSum:
    total, leaves, size_bytes = NOTHING, [], 0
    for row in rows:
        if row.kind == REMOVED:
            continue
        leaves.append(_leaf(row))
        size_bytes += row.size or 0
        if len(leaves) == LEAVES_AT_ONCE:
            total, leaves, size_bytes = total.plus(lthash.sum_of(leaves, size_bytes)), [], 0
    return total.plus(lthash.sum_of(leaves, size_bytes))


def _leaf(row: EntryRow) -> bytes:
    if row.kind == FILE:
        assert row.digest is not None
        assert row.size is not None
        return file_leaves([row.path], [row.digest], [row.size])[0]
    assert row.uri is not None
    return reference_leaf(Reference(row.path, row.uri, row.checksum, row.size, row.object_version))


# --- a new version ------------------------------------------------------------------------------------------------


def _new_version(
    context: EventContext,
    event: VersionCommitted,
    draft: DraftRow,
    collection: CollectionRow | None,
    sealed: _SealedContent,
    state: State,
) -> tuple[int, list[Change]]:
    if collection is None:
        name = CollectionName.parse(event.collection)
        collection = CollectionRow(
            event.collection, name.namespace, draft.type, 0, context.effective_position, context.time_us
        )
    number = collection.next_version
    layers, changes = _layers(context, draft, sealed, state)
    digest = sealed.content.digest()
    version = VersionRow(
        collection=event.collection,
        version=number,
        digest=digest,
        sum_state=sealed.content.state,
        entry_count=sealed.content.count,
        size_bytes=sealed.content.size_bytes,
        layers=format_chain(layers),
        base=draft.base,
        draft=event.draft,
        run=event.run,
        contested_count=len(sealed.contested),
        position=context.effective_position,
        created_us=context.time_us,
        clock_us=(context.origin.clock - _EPOCH) // timedelta(microseconds=1),
        author=context.origin.who,
        message=context.origin.message,
    )
    contested = [Put(ContestedPathRow(event.collection, number, path)) for path in sealed.contested]
    return number, [
        *changes,
        Put(replace(collection, next_version=number + 1)),
        Put(version),
        Put(VersionDigestRow(event.collection, digest, number)),
        *[Put(VersionLayerRow(layer, event.collection, number)) for layer in layers],
        *contested,
    ]


def _layers(
    context: EventContext, draft: DraftRow, sealed: _SealedContent, state: State
) -> tuple[LayerChain, list[Change]]:
    """The new version's chain, topmost first, and what must be written for it.

    The draft's layer is merged with those below while they are less than twice as large, so that each layer of a chain
    is at least twice the one above it: chains stay logarithmic in the number of entries, and each change is rewritten
    a logarithmic number of times. (Merging only what is not larger would let drafts of 9, 8, 7, … entries pile up.)
    """
    own = state.get(LayerRow, draft.layer)
    assert own is not None, "a draft and its layer are created by one event"
    changes: list[Change] = [RemoveDuplicates(draft.layer)] if sealed.superseded else []
    rows = own.row_count - sealed.superseded
    below = base_chain(draft, state)
    if rows == 0:
        return below, [*changes, DropLayer(draft.layer)]
    merged, total = 0, rows
    while merged < len(below) and (size := _rows_of(below[merged], state)) < 2 * total:
        total += size
        merged += 1
    if merged == 0:
        return (draft.layer, *below), [*changes, Put(LayerRow(draft.layer, rows))]
    # The commit's own position names the merged layer: no other event creates a layer there.
    merge = MergeLayers(context.position_number, (draft.layer, *below[:merged]), bottom=merged == len(below))
    return (context.position_number, *below[merged:]), [*changes, merge, DropLayer(draft.layer)]


def _rows_of(layer: int, state: State) -> int:
    row = state.get(LayerRow, layer)
    assert row is not None, "a version names a layer that does not exist"
    return row.row_count


# --- attributes ---------------------------------------------------------------------------------------------------


def _check_commit(event: VersionCommitted) -> None:
    for alias in event.aliases:
        check_alias(alias)
    for tag in event.tags:
        check_alias(tag, "tag")
    for kind, names in (("tags", event.tags), ("aliases", event.aliases)):
        if len(names) > TAGS_MAX:
            raise RuleViolation(
                Reason.INVALID,
                f"the commit of {describe(event)} has {len(names):,} {kind}; at most {TAGS_MAX} are allowed. "
                "Set the others after it.",
            )
    if event.metadata is not None:
        metadata.decode(event.metadata)
    if event.run is not None:
        RunName.parse(event.run)
    if event.writers is not None and not 1 <= event.writers <= WRITERS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} waits for {event.writers:,} writers; 1 to {WRITERS_MAX:,} are allowed.",
        )
    if event.ttl_seconds is not None and event.ttl_seconds <= 0:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} has a time to live of {event.ttl_seconds} s. Give a positive number.",
        )


def _set_attributes(context: EventContext, event: VersionCommitted, version: int, state: State) -> list[Change]:
    """Set only what was given: an existing version with the same content keeps its other attributes."""
    name = event.collection
    given = {
        DESCRIPTION: event.description,
        METADATA: event.metadata,
        TTL: None if event.ttl_seconds is None else str(event.ttl_seconds),
    }
    changes: list[Change] = []
    for field_name, value in given.items():
        if value is not None:
            changes += set_attribute(state, context, name, version, field_name, value)
    for tag in dict.fromkeys(event.tags):
        changes += add_tag(state, context, name, version, tag)
    for alias in dict.fromkeys((LATEST, *event.aliases)):
        changes += set_alias(state, context, name, alias, version)
    return changes


def _link_run(
    context: EventContext, event: VersionCommitted, version: int, state: State, *, deduplicated: bool
) -> list[Change]:
    """The edge to the run that logged it, which a new version cannot have yet."""
    if event.run is None or (
        deduplicated and state.get(RunOutputRow, event.collection, version, event.run) is not None
    ):
        return []
    return [Put(RunOutputRow(event.collection, version, event.run, context.effective_position))]
