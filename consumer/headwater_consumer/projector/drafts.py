"""What happens to a version while it is open: it begins, entries come and go, it is dropped."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat

from headwater_blobs.naming import project_of
from headwater_schemas import lthash
from headwater_schemas.entries import (
    ENTRIES_PER_EVENT_MAX,
    FileEntries,
    Reference,
    file_leaves,
    reference_leaf,
)
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    OWN_DRAFT,
    SHARED_DRAFT,
    DraftDiscarded,
    DraftEvent,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    WriterDone,
)
from headwater_schemas.lthash import ContentSum
from headwater_schemas.names import CollectionName, RunName, check_distributed_id, check_text, check_type
from headwater_schemas.paths import colliding_forms, find_invalid, folders_of

from headwater_consumer.projector.moment import Moment, Refused, announce, time_text
from headwater_consumer.rows import (
    DELETED,
    FILE,
    REFERENCE,
    REMOVED,
    Collection,
    CondemnedObject,
    Draft,
    DraftWriter,
    Layer,
    Version,
    VersionFact,
)
from headwater_consumer.state import AddEntries, Change, DropLayer, Put, State

SIZE_BYTES_MAX = 2**63 - 1  # of a whole version: what a column of the database can hold

EntryTuple = tuple[object, ...]


def opened(moment: Moment, event: DraftOpened, state: State) -> list[Change]:
    """A draft begins. Opening it again, as each writer of a shared draft does, must name the same type and base."""
    _check_draft_name(event)
    _check_type(event, state)
    before = state.get(Draft, event.collection, event.draft)
    if before is not None:
        return _opened_again(moment, event, before)
    if event.base is not None:
        _check_base(event, event.base, state)
    draft = Draft(
        collection=event.collection,
        draft=event.draft,
        type=event.type,
        base=event.base,
        layer=moment.number,
        opened_position=moment.at,
        touched_us=moment.time_us,
        batches=0,
        writers=0,
        done=0,
        sum_state=lthash.EMPTY,
        sum_count=0,
        sum_bytes=0,
        commit_payload=None,
        closed_position=None,
        version=None,
        recognised=False,
    )
    return [Put(draft), Put(Layer(moment.number, 0))]


def entries_added(moment: Moment, event: EntryAdded, state: State) -> list[Change]:
    """Entries join a draft. A path that is there already is superseded when the draft is sealed."""
    draft = open_draft(event, state)
    paths = [*event.files.paths, *(reference.path for reference in event.references)]
    _check_batch(event, paths)
    _check_objects(moment.position.partition, event, state)
    if event.draft.startswith(SHARED_DRAFT):
        # A writer's own draft was checked by its writer, who knows all of it; nobody knows all of a shared one.
        _check_conflicts(event, [draft.layer, *base_chain(draft, state)], paths, state)
    writer, changes = _writer_of(moment, event, draft, state)
    sizes = event.files.sizes
    leaves = file_leaves(event.files.paths, event.files.packed_digests(), sizes)
    leaves += [reference_leaf(reference) for reference in event.references]
    size_bytes = sum(sizes) + sum(reference.size or 0 for reference in event.references)
    rows: list[EntryTuple] = _file_rows(draft.layer, moment, writer, event.files)
    rows += [_reference_row(draft.layer, moment, writer, reference) for reference in event.references]
    total = sum_of(draft).plus(lthash.sum_of(leaves, size_bytes))
    check_size(event, total)
    return [*changes, *_grown(moment, draft, state, rows, total, new_writer=bool(changes))]


def entries_removed(moment: Moment, event: EntryRemoved, state: State) -> list[Change]:
    """Paths leave a draft: marked so, since the base below still has them. What was not there stays not there."""
    draft = open_draft(event, state)
    if len(event.paths) + len(event.folders) > ENTRIES_PER_EVENT_MAX:
        raise Refused(Reason.INVALID, f"more than {ENTRIES_PER_EVENT_MAX} removals in one event.")
    _check_grammar([*event.paths, *event.folders])
    layers = [draft.layer, *base_chain(draft, state)]
    within = [path for folder in event.folders for path in state.paths_under(layers, folder)]
    paths = list(dict.fromkeys([*event.paths, *within]))
    writer, changes = _writer_of(moment, event, draft, state)
    offset = moment.position.offset
    rows: list[EntryTuple] = [(draft.layer, path, offset, writer, REMOVED, *repeat(None, 7)) for path in paths]
    return [*changes, *_grown(moment, draft, state, rows, sum_of(draft), new_writer=bool(changes))]


def discarded(moment: Moment, event: DraftDiscarded, state: State) -> list[Change]:
    """An open draft is dropped. Doing so twice is fine."""
    draft = state.get(Draft, event.collection, event.draft)
    if draft is not None and draft.closed_position is not None and draft.version is None:
        return []
    draft = open_draft(event, state)
    since_us = event.untouched_since_us
    if since_us is not None and draft.touched_us > since_us:
        raise Refused(
            Reason.DRAFT_TOUCHED,
            f"{describe(event)} was to be discarded if nobody touched it after {time_text(since_us)}, but somebody did "
            f"at {time_text(draft.touched_us)}. It stays open.",
        )
    closed = replace(draft, closed_position=moment.at, sum_state=b"", commit_payload=None, touched_us=moment.time_us)
    told = announce(moment, 0, event.name, event.collection, {"draft": event.draft})
    return [Put(closed), DropLayer(draft.layer), told]


def open_draft(event: DraftEvent, state: State) -> Draft:
    """The draft that an event is about. Raises: Refused when it is not there or not open any more."""
    draft = state.get(Draft, event.collection, event.draft)
    if draft is None:
        raise Refused(Reason.DRAFT_UNKNOWN, f"{describe(event)} was never opened, or its opening was refused.")
    _check_open(event, draft)
    return draft


def _check_open(event: DraftEvent, draft: Draft) -> None:
    if draft.version is not None:
        shared = event.draft.startswith(SHARED_DRAFT)
        advice = "Take a new distributed_id for what comes after it." if shared else "Log it again."
        raise Refused(
            Reason.DRAFT_SEALED,
            f"{describe(event)} was sealed as {event.collection}:v{draft.version} before this came, and does not have "
            f"it. {advice}",
        )
    if draft.closed_position is not None:
        raise Refused(Reason.DRAFT_DISCARDED, f"{describe(event)} was discarded. Begin another one.")


def describe(event: DraftEvent) -> str:
    """How a draft is named in a message."""
    if event.draft.startswith(SHARED_DRAFT):
        return f"the draft {event.draft.removeprefix(SHARED_DRAFT)!r} of {event.collection}"
    return f"a draft of {event.collection}"


def sum_of(draft: Draft) -> ContentSum:
    """The sum of all that was added to a draft, doubles included."""
    return ContentSum(draft.sum_state, draft.sum_count, draft.sum_bytes)


def check_size(event: DraftEvent, total: ContentSum) -> None:
    """Raises: Refused when the sum of all sizes is more than can be stored; only sizes that are not true get there."""
    if total.size_bytes > SIZE_BYTES_MAX:
        raise Refused(
            Reason.INVALID,
            f"{describe(event)} would have {total.size_bytes:,} bytes; at most {SIZE_BYTES_MAX:,} can be counted.",
        )


# --- rules ------------------------------------------------------------------------------------------------------


def _check_draft_name(event: DraftOpened) -> None:
    CollectionName.parse(event.collection)
    check_type(event.type)
    if event.draft.startswith(SHARED_DRAFT):
        check_distributed_id(event.draft.removeprefix(SHARED_DRAFT))
    elif not event.draft.startswith(OWN_DRAFT):
        raise Refused(Reason.INVALID, f"{event.draft!r} is not the id of a draft.")


def _check_type(event: DraftOpened, state: State) -> None:
    collection = state.get(Collection, event.collection)
    if collection is not None and collection.type != event.type:
        raise Refused(
            Reason.TYPE_MISMATCH,
            f"{event.collection} is of type {collection.type!r}, not {event.type!r}. Use that type or another name.",
        )


def _opened_again(moment: Moment, event: DraftOpened, before: Draft) -> list[Change]:
    _check_open(event, before)
    if before.type != event.type:
        raise Refused(
            Reason.TYPE_MISMATCH,
            f"{describe(event)} was opened with type {before.type!r}, not {event.type!r}. Use that type.",
        )
    if before.base != event.base:
        raise Refused(
            Reason.BASE_MISMATCH,
            f"{describe(event)} was opened on {_base_name(before.base)}, not on {_base_name(event.base)}. "
            "All its writers must start from the same version; take a new distributed_id to start from another.",
        )
    return [Put(replace(before, touched_us=moment.time_us))]


def _base_name(base: int | None) -> str:
    return "no version" if base is None else f"v{base}"


def _check_base(event: DraftOpened, base: int, state: State) -> None:
    there = state.get(Version, event.collection, base) is not None
    if not there or state.get(VersionFact, event.collection, base, DELETED) is not None:
        found = "was deleted" if there else "does not exist"
        raise Refused(Reason.BASE_UNKNOWN, f"{event.collection}:v{base} {found}, so no draft can start from it.")


def _check_batch(event: EntryAdded, paths: list[str]) -> None:
    event.files.check()
    if len(paths) > ENTRIES_PER_EVENT_MAX:
        raise Refused(
            Reason.INVALID, f"{len(paths)} entries in one event; at most {ENTRIES_PER_EVENT_MAX} are allowed."
        )
    _check_grammar(paths)
    _check_forms(paths)
    unique = set(paths)
    if len(unique) != len(paths):
        raise Refused(Reason.INVALID, "one event names a path twice.")
    folders = {path.rpartition("/")[0] for path in paths}
    parents = folders.union(*map(folders_of, folders))
    if both := parents & unique:
        raise Refused(Reason.PATH_CONFLICT, f"{min(both)!r} would be a file and a folder at once.")
    for reference in event.references:
        _check_reference(reference)


def _check_reference(reference: Reference) -> None:
    if reference.size is not None and reference.size < 0:
        raise Refused(Reason.INVALID, "a reference has a negative size.")
    for text in (reference.uri, reference.checksum, reference.object_version):
        if text is not None:
            check_text(text, f"the reference {reference.path!r}")


def _check_grammar(paths: Sequence[str]) -> None:
    if (wrong := find_invalid(paths)) is not None:
        raise Refused(Reason.INVALID, f"{wrong!r} is not a path inside a version.")


def _check_forms(paths: Sequence[str]) -> None:
    if collision := colliding_forms(paths):
        raise Refused(Reason.PATH_CONFLICT, f"{collision[0]!r} and {collision[1]!r} look the same to a reader.")


def _check_conflicts(event: EntryAdded, layers: Sequence[int], paths: Sequence[str], state: State) -> None:
    conflict = state.conflict(layers, paths)
    if conflict is None:
        return
    path, other = conflict
    if path.startswith(f"{other}/") or other.startswith(f"{path}/"):
        why = f"{min(path, other)!r} would be a file and a folder at once"
    else:
        why = f"{path!a} and {other!a} look the same to a reader"
    raise Refused(
        Reason.PATH_CONFLICT,
        f"{path!r} cannot join {describe(event)}, where {other!r} is: {why}. Rename one of them.",
    )


def _check_objects(partition: int, event: EntryAdded, state: State) -> None:
    project = event.collection.rpartition("/")[0]
    for name in event.files.objects:
        check_text(name, "object name")
        if project_of(name) != project:
            raise Refused(Reason.INVALID, f"object {name} is not of {project}: content is each project's own.")
        if state.get(CondemnedObject, name, partition) is not None:
            raise Refused(Reason.BLOB_CONDEMNED, f"object {name} is about to be deleted. Store its content again.")


# --- rows -------------------------------------------------------------------------------------------------------


def writer_of(moment: Moment, event: EntryAdded | EntryRemoved | WriterDone) -> str:
    """Who of a draft's writers speaks: the same one when a run is tried again from another process.

    Raises: InvalidName.
    """
    return moment.origin.session if event.writer is None else str(RunName.parse(event.writer))


def _writer_of(
    moment: Moment, event: EntryAdded | EntryRemoved, draft: Draft, state: State
) -> tuple[int, list[Change]]:
    """The number of the event's writer in this draft, and the change that gives it one if it has none yet."""
    writer = writer_of(moment, event)
    known = state.get(DraftWriter, draft.collection, draft.draft, writer)
    if known is not None and known.number is not None:
        return known.number, []
    done = known is not None and known.done
    return draft.writers, [Put(DraftWriter(draft.collection, draft.draft, writer, draft.writers, done))]


def _grown(
    moment: Moment, draft: Draft, state: State, rows: list[EntryTuple], total: ContentSum, *, new_writer: bool
) -> list[Change]:
    layer = state.get(Layer, draft.layer)
    assert layer is not None, "a draft and its layer are made by one event"
    grown = replace(
        draft,
        touched_us=moment.time_us,
        batches=draft.batches + 1,
        writers=draft.writers + new_writer,
        sum_state=total.state,
        sum_count=total.count,
        sum_bytes=total.size_bytes,
    )
    return [Put(grown), AddEntries(rows), Put(Layer(draft.layer, layer.rows + len(rows)))]


def _file_rows(layer: int, moment: Moment, writer: int, files: FileEntries) -> list[EntryTuple]:
    """Rows in the order of EntryRow's fields, by columns: there may be thousands."""
    names = [files.objects[i] for i in files.object_indexes]
    nothing = repeat(None)
    columns = (repeat(layer), files.paths, repeat(moment.position.offset), repeat(writer), repeat(FILE), files.sizes)
    place = (files.packed_digests(), names, files.offsets)
    return list(zip(*columns, *place, nothing, nothing, nothing, strict=False))


def _reference_row(layer: int, moment: Moment, writer: int, reference: Reference) -> EntryTuple:
    outside = (reference.uri, reference.checksum, reference.object_version)
    place = (reference.size, None, None, None)
    return (layer, reference.path, moment.position.offset, writer, REFERENCE, *place, *outside)


def base_chain(draft: Draft, state: State) -> list[int]:
    """The layers that a draft starts with, topmost first."""
    if draft.base is None:
        return []
    base = state.get(Version, draft.collection, draft.base)
    assert base is not None, "a draft was opened on a version that is not there"
    return base.chain()
