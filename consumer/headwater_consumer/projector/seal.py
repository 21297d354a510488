"""Sealing: from entries to a version with a number and a digest, or to the version that has this content already."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from headwater_schemas import codec, lthash, metadata
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.errors import Reason
from headwater_schemas.events import WRITERS_MAX, Stamped, VersionCommitted, WriterDone
from headwater_schemas.lthash import NOTHING, ContentSum
from headwater_schemas.names import LATEST, TAGS_MAX, CollectionName, RunName, check_alias

from headwater_consumer.projector.drafts import base_chain, check_size, describe, open_draft, sum_of, writer_of
from headwater_consumer.projector.facts import point_alias, put_tag, say
from headwater_consumer.projector.moment import Moment, Refused, announce, rejection
from headwater_consumer.rows import (
    DESCRIPTION,
    FILE,
    METADATA,
    REMOVED,
    TTL,
    Collection,
    ContestedPath,
    Draft,
    DraftWriter,
    EntryRow,
    Layer,
    Output,
    Version,
    VersionDigest,
    VersionLayer,
)
from headwater_consumer.state import Change, DropLayer, MergeLayers, Put, SettleDoubles, State

LEAVES_AT_ONCE = 4096  # bounds the memory of summing up what a draft supersedes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def committed(moment: Moment, event: VersionCommitted, state: State) -> list[Change]:
    """Seal a draft now, or when the last writer that it waits for is done. A sealed draft stays what it is."""
    _check_commit(event)
    draft = state.get(Draft, event.collection, event.draft)
    if draft is not None and draft.version is not None:
        return []
    draft = open_draft(event, state)
    if event.writers is not None and draft.done < event.writers:
        payload = codec.encode(Stamped(moment.origin, event))
        return [Put(replace(draft, commit_payload=payload, touched_us=moment.time_us))]
    return _seal(moment, event, draft, state)


def writer_done(moment: Moment, event: WriterDone, state: State) -> list[Change]:
    """One more writer is done; saying so twice counts once. The last one that a commit waits for seals the draft."""
    draft = open_draft(event, state)
    writer = writer_of(moment, event)
    known = state.get(DraftWriter, event.collection, event.draft, writer)
    if known is not None and known.done:
        return []
    number = None if known is None else known.number
    draft = replace(draft, done=draft.done + 1, touched_us=moment.time_us)
    changes: list[Change] = [Put(DraftWriter(event.collection, event.draft, writer, number, True))]
    if draft.commit_payload is None:
        return [*changes, Put(draft)]
    waiting = codec.decode(draft.commit_payload)
    commit = waiting.event
    assert isinstance(commit, VersionCommitted)
    assert commit.writers is not None
    if draft.done < commit.writers:
        return [*changes, Put(draft)]
    # The version is the work of who committed it, and so is a refusal: the last writer has said nothing wrong.
    of_commit = replace(moment, origin=waiting.origin)
    try:
        return [*changes, *_seal(of_commit, commit, draft, state)]
    except Refused as refused:
        return [*changes, Put(replace(draft, commit_payload=None)), rejection(of_commit, commit, refused)]


def _seal(moment: Moment, event: VersionCommitted, draft: Draft, state: State) -> list[Change]:
    settled = _settle(draft, state)
    check_size(event, settled.content)
    digest = settled.content.digest()
    if event.expected_digest is not None and event.expected_digest != digest:
        raise Refused(
            Reason.DIGEST_MISMATCH,
            f"{describe(event)} was meant to have the digest {event.expected_digest} but what arrived has {digest}. "
            "Log it again.",
        )
    collection = state.get(Collection, event.collection)
    if collection is not None and collection.type != draft.type:
        raise Refused(
            Reason.TYPE_MISMATCH,
            f"{event.collection} is of type {collection.type!r}, not {draft.type!r}. Use that type or another name.",
        )
    same = state.get(VersionDigest, event.collection, digest)
    if same is not None and same.version is not None:
        version = same.version
        changes: list[Change] = [DropLayer(draft.layer)]
    else:
        version, changes = _new_version(moment, event, draft, collection, settled, state)
    recognised = same is not None and same.version is not None
    closed = replace(
        draft,
        closed_position=moment.at,
        version=version,
        recognised=recognised,
        sum_state=b"",  # of no more use, and the largest field
        commit_payload=None,
        touched_us=moment.time_us,
    )
    said = _say_all(moment, event, version, state)
    logged = _logged_by(moment, event, version, state, recognised=recognised)
    body = {"version": version, "digest": digest, "recognised": recognised, "draft": event.draft, "run": event.run}
    return [*changes, Put(closed), *said, *logged, announce(moment, 0, event.name, event.collection, body)]


# --- what the content is ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Settled:
    content: ContentSum
    superseded: int  # rows of the draft's layer that a later one replaced
    contested: list[str]  # paths that different writers wrote


@dataclass(slots=True)
class _Doubles:
    """What there is to say about paths that a draft names several times, once all their rows went through."""

    superseded: int = 0
    contested: list[str] = field(default_factory=list)

    def replaced(self, rows: Iterable[EntryRow]) -> Iterator[EntryRow]:
        """Of `rows`, by path and ordinal, all but the last of each path."""
        for path, of_path in groupby(rows, key=lambda row: row.path):
            *older, newest = of_path
            if any(row.writer != newest.writer for row in older):
                self.contested.append(path)
            self.superseded += len(older)
            yield from older


def _settle(draft: Draft, state: State) -> _Settled:
    """Sum up what the draft shows: its base, plus what it added, less all that a later row or a removal hides."""
    content, doubles = sum_of(draft), _Doubles()
    if draft.batches > 1:  # within one event no path occurs twice
        content = content.minus(_sum_of_rows(doubles.replaced(state.doubles(draft.layer))))
    below = base_chain(draft, state)
    if draft.base is not None:
        base = state.get(Version, draft.collection, draft.base)
        assert base is not None, "a draft was opened on a version that is not there"
        content = content.plus(ContentSum(base.sum_state, base.entry_count, base.size_bytes))
    if below and draft.batches:
        content = content.minus(_sum_of_rows(state.hidden_by(draft.layer, below)))
    return _Settled(content, doubles.superseded, doubles.contested)


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
    moment: Moment,
    event: VersionCommitted,
    draft: Draft,
    collection: Collection | None,
    settled: _Settled,
    state: State,
) -> tuple[int, list[Change]]:
    if collection is None:
        name = CollectionName.parse(event.collection)
        project = f"{name.entity}/{name.project}"
        collection = Collection(event.collection, project, draft.type, 0, moment.at, moment.time_us)
    number = collection.next_version
    layers, changes = _layers(moment, draft, settled, state)
    digest = settled.content.digest()
    version = Version(
        collection=event.collection,
        version=number,
        digest=digest,
        sum_state=settled.content.state,
        entry_count=settled.content.count,
        size_bytes=settled.content.size_bytes,
        layers=",".join(map(str, layers)),
        base=draft.base,
        draft=event.draft,
        run=event.run,
        contested=len(settled.contested),
        position=moment.at,
        created_us=moment.time_us,
        clock_us=(moment.origin.clock - _EPOCH) // timedelta(microseconds=1),
        who=moment.origin.who,
        message=moment.origin.message,
    )
    contested = [Put(ContestedPath(event.collection, number, path)) for path in settled.contested]
    return number, [
        *changes,
        Put(replace(collection, next_version=number + 1)),
        Put(version),
        Put(VersionDigest(event.collection, digest, number)),
        *[Put(VersionLayer(layer, event.collection, number)) for layer in layers],
        *contested,
    ]


def _layers(moment: Moment, draft: Draft, settled: _Settled, state: State) -> tuple[list[int], list[Change]]:
    """The new version's chain, topmost first, and what must be written for it.

    The draft's layer is merged with those below while they are less than twice as large, so that each layer of a chain
    is at least twice the one above it: chains stay logarithmic in the number of entries, and each change is rewritten
    a logarithmic number of times. (Merging only what is not larger would let drafts of 9, 8, 7, … entries pile up.)
    """
    own = state.get(Layer, draft.layer)
    assert own is not None, "a draft and its layer are made by one event"
    changes: list[Change] = [SettleDoubles(draft.layer)] if settled.superseded else []
    rows = own.rows - settled.superseded
    below = base_chain(draft, state)
    if rows == 0:
        return below, [*changes, DropLayer(draft.layer)]
    merged, total = 0, rows
    while merged < len(below) and (size := _rows_of(below[merged], state)) < 2 * total:
        total += size
        merged += 1
    if merged == 0:
        return [draft.layer, *below], [*changes, Put(Layer(draft.layer, rows))]
    # The commit's own position names the merged layer: no other event makes a layer there.
    merge = MergeLayers(moment.number, (draft.layer, *below[:merged]), bottom=merged == len(below))
    return [moment.number, *below[merged:]], [*changes, merge, DropLayer(draft.layer)]


def _rows_of(layer: int, state: State) -> int:
    row = state.get(Layer, layer)
    assert row is not None, "a version names a layer that is not there"
    return row.rows


# --- what is said about it ----------------------------------------------------------------------------------------


def _check_commit(event: VersionCommitted) -> None:
    for alias in event.aliases:
        check_alias(alias)
    for tag in event.tags:
        check_alias(tag, "tag")
    if len(event.tags) > TAGS_MAX or len(event.aliases) > TAGS_MAX:
        raise Refused(Reason.INVALID, f"more than {TAGS_MAX} tags or aliases in one commit.")
    if event.metadata is not None:
        metadata.decode(event.metadata)
    if event.run is not None:
        RunName.parse(event.run)
    if event.writers is not None and not 1 <= event.writers <= WRITERS_MAX:
        raise Refused(Reason.INVALID, f"a commit can wait for 1 to {WRITERS_MAX:,} writers, not {event.writers}.")
    if event.ttl_seconds is not None and event.ttl_seconds <= 0:
        raise Refused(Reason.INVALID, "a time to live is a positive number of seconds.")


def _say_all(moment: Moment, event: VersionCommitted, version: int, state: State) -> list[Change]:
    """Only what was given: content that is there already keeps what was said about it before."""
    name = event.collection
    given = {
        DESCRIPTION: event.description,
        METADATA: event.metadata,
        TTL: None if event.ttl_seconds is None else str(event.ttl_seconds),
    }
    changes: list[Change] = []
    for what, value in given.items():
        if value is not None:
            changes += say(state, moment, name, version, what, value)
    for tag in dict.fromkeys(event.tags):
        changes += put_tag(state, moment, name, version, tag)
    for alias in dict.fromkeys((LATEST, *event.aliases)):
        changes += point_alias(state, moment, name, alias, version)
    return changes


def _logged_by(
    moment: Moment, event: VersionCommitted, version: int, state: State, *, recognised: bool
) -> list[Change]:
    """The run that logged it, which a new version cannot have yet."""
    if event.run is None or (recognised and state.get(Output, event.collection, version, event.run) is not None):
        return []
    return [Put(Output(event.collection, version, event.run, moment.at))]
