"""Sealing a draft: it becomes a new version, or the existing version that has the same content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from headwater_schemas import codec, lthash
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.errors import Reason
from headwater_schemas.events import VersionCommitted, WriterDone
from headwater_schemas.lthash import NOTHING, ContentSum
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import position_of
from headwater_schemas.version_events import VERSION_COMMITTED, VERSION_DEDUPLICATED

from headwater_consumer.projector.commit_attributes import (
    check_commit,
    check_latest,
    committed_again,
    given_by,
    link_runs,
    moves_latest,
    permitted,
    set_attributes,
    set_origin,
    waiting_commit,
)
from headwater_consumer.projector.draft_rules import check_shared, check_size, check_type_of_collection, describe
from headwater_consumer.projector.drafts import (
    WITHOUT_COMMIT,
    base_chain,
    drop_writers,
    new_writer,
    open_draft,
    sum_of,
    touched,
    writer_of,
)
from headwater_consumer.projector.event_context import EventContext, RuleViolation, rejection
from headwater_consumer.projector.merging import layers_to_merge
from headwater_consumer.projector.state import (
    Change,
    DropLayer,
    MergeLayers,
    Put,
    RemoveDuplicates,
    State,
)
from headwater_consumer.projector.version_events import announce
from headwater_consumer.rows import (
    EXECUTABLE,
    FILE_KINDS,
    REMOVED,
    CollectionRow,
    ContestedPathRow,
    DraftRow,
    DraftWriterRow,
    EntryRow,
    LayerChain,
    LayerRow,
    VersionDigestRow,
    VersionLayerRow,
    VersionRow,
    changed,
    format_chain,
)

LEAVES_AT_ONCE = 4096  # bounds the memory of summing up what a draft supersedes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def committed(context: EventContext, event: VersionCommitted, state: State) -> list[Change]:
    """Seal a draft now, or when the last writer that it waits for is done. A sealed draft does not change."""
    check_commit(event)
    draft = state.get(DraftRow, event.collection, event.draft)
    if draft is not None and draft.version is not None:
        return committed_again(context, event, draft.version, state)
    draft = open_draft(event, state)
    if event.writers is not None:
        check_shared(event)
    if event.writers is not None and draft.writers_done < event.writers:
        return _wait(context, event, draft, state)
    return _seal(context, event, draft, state)


def writer_done(context: EventContext, event: WriterDone, state: State) -> list[Change]:
    """One more writer is done; twice counts once. The last one that a commit waits for seals the draft."""
    draft = open_draft(event, state)
    check_shared(event)
    writer = writer_of(context, event)
    known = state.get(DraftWriterRow, event.collection, event.draft, writer)
    if known is not None and known.done:
        return [Put(touched(draft, context))]
    draft = touched(draft, context, writers_done=draft.writers_done + 1)
    changes: list[Change] = [Put(changed(known or new_writer(event, writer), done=True))]
    if draft.commit_payload is None:
        return [*changes, Put(draft)]
    pending, commit = codec.decode(draft.commit_payload), waiting_commit(draft.commit_payload)
    assert commit.writers is not None
    if draft.writers_done < commit.writers:
        return [*changes, Put(draft)]
    # The version, or its rejection, belongs to the commit's author: the last writer did nothing wrong.
    of_commit = replace(context, origin=pending.origin, payload=draft.commit_payload)
    try:
        return [*changes, *_seal(of_commit, commit, draft, state)]
    except RuleViolation as violation:
        return [*changes, Put(changed(draft, **WITHOUT_COMMIT)), *_reject_waiting(of_commit, commit, violation, state)]


def _wait(context: EventContext, event: VersionCommitted, draft: DraftRow, state: State) -> list[Change]:
    """Keep a commit until the writers that it waits for are done. What several of them give is united."""
    if draft.commit_payload is None:
        waiting = touched(draft, context, commit_payload=context.payload)
    else:
        first = waiting_commit(draft.commit_payload)
        if first.writers != event.writers:
            raise RuleViolation(
                Reason.COMMIT_CONFLICT,
                f"a commit of {describe(event)} already waits for {first.writers:,} writers, and this one for "
                f"{event.writers:,}. Give all commits of a draft the same number.",
            )
        given = given_by(draft, event)
        waiting = touched(draft, context, commit_attributes=given.to_json())
    writer = event.run or context.origin.session
    known = state.get(DraftWriterRow, event.collection, event.draft, writer) or new_writer(event, writer)
    position, origin = context.position_number, context.origin
    sent = changed(known, commit_position=position, commit_session=origin.session, commit_sequence=origin.sequence)
    return [Put(waiting), Put(sent)]


def _reject_waiting(
    context: EventContext, commit: VersionCommitted, violation: RuleViolation, state: State
) -> Iterator[Change]:
    """Each commit that waits gets the rejection, at its own position, and waits no more."""
    for waiting in state.waiting_commits(commit.collection, commit.draft):
        assert waiting.commit_position is not None
        assert waiting.commit_session is not None
        assert waiting.commit_sequence is not None
        origin = replace(context.origin, session=waiting.commit_session, sequence=waiting.commit_sequence)
        of_waiting = replace(context, position=position_of(waiting.commit_position), origin=origin)
        yield rejection(of_waiting, commit, violation)
        yield Put(changed(waiting, commit_position=None, commit_session=None, commit_sequence=None))


def _runs_of(event: VersionCommitted, draft: DraftRow, state: State) -> Iterator[str]:
    """The runs that commit a draft: that of `event`, and those of the commits that wait."""
    if event.run is not None:
        yield event.run
    if draft.commit_payload is not None:
        writers = [waiting.writer for waiting in state.waiting_commits(draft.collection, draft.draft)]
        yield from (writer for writer in writers if "/" in writer)  # the others are sessions


def _seal(context: EventContext, event: VersionCommitted, draft: DraftRow, state: State) -> list[Change]:
    check_latest(event, state)
    given = given_by(draft, event)
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
        version, changes = _new_version(context, event, draft, collection, sealed, digest, state)
    deduplicated = same is not None and same.version is not None
    allowed = permitted(event, given) if deduplicated else given
    closed = touched(
        draft,
        context,
        **WITHOUT_COMMIT,
        closed_position=context.effective_position,
        version=version,
        deduplicated=deduplicated,
        attributes_ignored=allowed != given,
        sum_state=b"",  # not needed any more, and the largest field
    )
    moving = moves_latest(event, state)
    attributes = set_attributes(context, event.collection, version, allowed, state, moves_latest=moving)
    attributes += set_origin(context, event, version, state)
    edges = link_runs(context, event.collection, version, _runs_of(event, draft, state), state)
    kind = VERSION_DEDUPLICATED if deduplicated else VERSION_COMMITTED
    told = announce(context, kind, event.collection, version=version, detail=event.run)
    return [*changes, Put(closed), *attributes, *edges, *drop_writers(draft), told]


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
    if row.kind in FILE_KINDS:
        assert row.digest is not None
        assert row.size is not None
        return file_leaves([row.path], [row.digest], [row.size], [0] if row.kind == EXECUTABLE else ())[0]
    assert row.uri is not None
    return reference_leaf(Reference(row.path, row.uri, row.checksum, row.size, row.object_version))


# --- a new version ------------------------------------------------------------------------------------------------


def _new_version(
    context: EventContext,
    event: VersionCommitted,
    draft: DraftRow,
    collection: CollectionRow | None,
    sealed: _SealedContent,
    digest: str,
    state: State,
) -> tuple[int, list[Change]]:
    if collection is None:
        name = CollectionName.parse(event.collection)
        collection = CollectionRow(
            event.collection, name.namespace, draft.type, 0, context.effective_position, context.time_us
        )
    number = collection.next_version
    layers, changes = _layers(context, draft, sealed, state)
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
        append_us=context.append_us,
        clock_us=(context.origin.clock - _EPOCH) // timedelta(microseconds=1),
        author=context.origin.author,
        message=context.origin.message,
    )
    contested = [Put(ContestedPathRow(event.collection, number, path)) for path in sealed.contested]
    return number, [
        *changes,
        Put(changed(collection, next_version=number + 1)),
        Put(version),
        Put(VersionDigestRow(event.collection, digest, number)),
        *[Put(VersionLayerRow(layer, event.collection, number)) for layer in layers],
        *contested,
    ]


def _layers(
    context: EventContext, draft: DraftRow, sealed: _SealedContent, state: State
) -> tuple[LayerChain, list[Change]]:
    """The new version's chain, topmost first, and what must be written for it. See `merging`."""
    own = state.get(LayerRow, draft.layer)
    assert own is not None, "a draft and its layer are created by one event"
    changes: list[Change] = [RemoveDuplicates(draft.layer)] if sealed.superseded else []
    own = changed(own, row_count=own.row_count - sealed.superseded)
    below = base_chain(draft, state)
    if own.row_count == 0:
        return below, [*changes, DropLayer(draft.layer)]
    merged = layers_to_merge([own, *[_layer(number, state) for number in below]])
    if merged == 1:
        return (draft.layer, *below), [*changes, Put(own)]
    # The commit's own position names the merged layer: no other event creates a layer there.
    sources, rest = (draft.layer, *below[: merged - 1]), below[merged - 1 :]
    merge = MergeLayers(context.position_number, sources, bottom=not rest)
    return (context.position_number, *rest), [*changes, merge, DropLayer(draft.layer)]


def _layer(number: int, state: State) -> LayerRow:
    row = state.get(LayerRow, number)
    assert row is not None, "a version names a layer that does not exist"
    return row
