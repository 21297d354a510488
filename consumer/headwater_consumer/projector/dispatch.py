"""One event in, changes out: who judges what, and what all events have in common."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import count
from typing import Any, assert_never

from headwater_schemas import codec
from headwater_schemas.errors import InvalidInput, Reason, UndecodableEvent
from headwater_schemas.events import (
    EVENT_TYPES,
    SHARED_DRAFT,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    DraftDiscarded,
    DraftEvent,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    Origin,
    RulesChanged,
    RunEvent,
    RunFinished,
    RunStarted,
    SettingsChanged,
    SubscriptionAdded,
    SubscriptionRemoved,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
    WriterDone,
)
from headwater_schemas.names import LATEST, check_text

from headwater_consumer.declaring import Row
from headwater_consumer.projector import administration, drafts, runs, seal, versions
from headwater_consumer.projector.facts import updates
from headwater_consumer.projector.moment import Moment, Refused, rejection
from headwater_consumer.rows import (
    DELETED,
    Alias,
    Collection,
    CondemnedObject,
    DeadLetter,
    Draft,
    DraftWriter,
    Layer,
    OutboxRow,
    ParkedKey,
    ParkedRecord,
    Run,
    RunState,
    SessionMark,
    Version,
    VersionDigest,
    VersionFact,
    VersionUpdate,
)
from headwater_consumer.state import Change, Put, State

_JSON_FIELDS = ("config", "metadata", "metadata_patch", "settings", "value")  # bounded by `metadata.decode`
_TEXT_TYPES = (str, str | None, tuple[str, ...])
# Type → its fields that hold texts, or none.
_TEXTS: dict[type, tuple[str, ...]] = {
    record: tuple(f.name for f in fields(record) if f.type in _TEXT_TYPES and f.name not in _JSON_FIELDS)
    for record in (Origin, *EVENT_TYPES)
}


def apply(moment: Moment, event: Event, state: State) -> list[Change]:
    """Say what one event changes. Pure: no clock, no randomness, no I/O, no logging.

    Returns the changes in the order they must be written; none when the event has been applied before. An event that
    breaks a rule changes nothing but the record of its rejection.
    """
    origin = moment.origin
    mark = state.get(SessionMark, moment.position.partition, origin.session, moment.key)
    last = -1 if mark is None else mark.sequence
    if origin.sequence <= last:
        return []
    if origin.sequence > last + 1:
        missing = f"events {last + 1} to {origin.sequence - 1} of this writer are missing"
        message = f"{missing}; they, and then this one, can be sent again."
        return [rejection(moment, event, Refused(Reason.SEQUENCE_GAP, message))]
    advanced = Put(SessionMark(moment.position.partition, origin.session, moment.key, origin.sequence))
    try:
        if event.key != moment.key:
            raise Refused(
                Reason.INVALID, f"the event is about {event.key!r} but was sent under the key {moment.key!r}."
            )
        _check_texts(moment, event)
        changes = _meaning(moment, event, state)
        return [advanced, *changes, *updates(state, moment, changes)]
    except Refused as refused:
        return [advanced, rejection(moment, event, refused)]
    except InvalidInput as invalid:
        return [advanced, rejection(moment, event, Refused(Reason.INVALID, str(invalid)))]


def _check_texts(moment: Moment, event: Event) -> None:
    """Whatever an event says in free text must be something that every database can hold."""
    for owner in (moment.origin, event):
        for name in _TEXTS[type(owner)]:
            found = getattr(owner, name)
            for text in found if isinstance(found, tuple) else (found,):
                if text is not None:
                    check_text(text, name)


def _meaning(moment: Moment, event: Event, state: State) -> list[Change]:  # noqa: C901 - one branch an event, no other logic
    match event:
        case DraftOpened():
            return drafts.opened(moment, event, state)
        case EntryAdded():
            return drafts.entries_added(moment, event, state)
        case EntryRemoved():
            return drafts.entries_removed(moment, event, state)
        case WriterDone():
            return seal.writer_done(moment, event, state)
        case VersionCommitted():
            return seal.committed(moment, event, state)
        case DraftDiscarded():
            return drafts.discarded(moment, event, state)
        case AliasMoved():
            return versions.alias_moved(moment, event, state)
        case ArtifactUsed():
            return versions.used(moment, event, state)
        case VersionDescribed():
            return versions.described(moment, event, state)
        case VersionDeleted():
            return versions.deleted(moment, event, state)
        case VersionRestored():
            return versions.restored(moment, event, state)
        case VersionRecalled():
            return versions.recalled(moment, event, state)
        case RunStarted():
            return runs.started(moment, event, state)
        case RunFinished():
            return runs.finished(moment, event, state)
        case BlobsCondemned():
            return administration.blobs_condemned(moment, event, state)
        case BlobsMoved():
            return administration.blobs_moved(event)
        case DeadLetterResolved():
            return administration.dead_letter_resolved(moment, event, state)
        case RulesChanged() | AccessGranted() | SettingsChanged() | SubscriptionAdded():
            return administration.declared(moment, event, state)
        case AccessRevoked() | SubscriptionRemoved():
            return administration.withdrawn(moment, event, state)
        case _:
            assert_never(event)  # a new event type must be given a meaning here


def needs(moment: Moment, event: Event) -> Iterator[tuple[type[Row], tuple[Any, ...]]]:
    """The single rows that judging `event` will most likely ask for, so that a batch can load them together."""
    yield SessionMark, (moment.position.partition, moment.origin.session, moment.key)
    if isinstance(event, RunEvent):
        yield Run, (event.run,)
        yield RunState, (event.run,)
    if isinstance(event, DraftEvent):
        yield Draft, (event.collection, event.draft)
        yield Collection, (event.collection,)
    if isinstance(event, DraftOpened):
        yield Layer, (moment.number,)
        if event.base is not None:
            yield Version, (event.collection, event.base)
    if isinstance(event, EntryAdded | EntryRemoved | WriterDone):
        yield DraftWriter, (event.collection, event.draft, event.writer or moment.origin.session)
    if isinstance(event, EntryAdded):
        yield from ((CondemnedObject, (name, moment.position.partition)) for name in event.files.objects)
    if isinstance(event, VersionCommitted):
        yield from ((Alias, (event.collection, alias)) for alias in (LATEST, *event.aliases))
        if event.expected_digest is not None:
            yield VersionDigest, (event.collection, event.expected_digest)
    if isinstance(event, AliasMoved):
        yield Alias, (event.collection, event.alias)
    if isinstance(event, ArtifactUsed | VersionDescribed):
        yield Version, (event.collection, event.version)
        yield VersionFact, (event.collection, event.version, DELETED)
    if isinstance(event, VersionDescribed):
        yield VersionUpdate, (event.collection, event.version)


def needs_then(event: Event, state: State) -> Iterator[tuple[type[Row], tuple[Any, ...]]]:
    """The rows that `event` will ask for by what those of `needs` say: its draft and base, what aliases leave."""
    if isinstance(event, EntryAdded | EntryRemoved | VersionCommitted):
        draft = state.get(Draft, event.collection, event.draft)
        if draft is not None and draft.closed_position is None:
            yield Layer, (draft.layer,)
            if draft.base is not None and (not isinstance(event, EntryAdded) or event.draft.startswith(SHARED_DRAFT)):
                yield Version, (event.collection, draft.base)
    if isinstance(event, VersionCommitted | AliasMoved):
        moving = (LATEST, *event.aliases) if isinstance(event, VersionCommitted) else (event.alias,)
        for alias in moving:
            held = state.get(Alias, event.collection, alias)
            if held is not None:
                yield VersionUpdate, (event.collection, held.version)


def resume_parked(key: str, at: Moment, state: State, write: Callable[[list[Change]], None]) -> None:
    """Judge the records that waited behind a dead letter of `key`, in order, as from where they were let go on.

    `write` takes each event's changes before the next one is judged. A record that does not decode either becomes the
    next dead letter, and the rest goes on waiting.
    """
    told = count()
    for parked in state.parked_records(at.position.partition, key):
        position = type(at.position)(at.position.generation, parked.partition, parked.offset)
        try:
            stamped = codec.decode(parked.payload)
        except UndecodableEvent as error:
            letter = DeadLetter(
                parked.partition, parked.offset, key, parked.payload, str(error), parked.time_us, None, None
            )
            write([_let_go(parked, at), Put(letter), Put(ParkedKey(parked.partition, key, parked.offset))])
            return
        moment = Moment(position, at.at, parked.time_us, key, stamped.origin)
        write([_let_go(parked, at), *_tell_now(apply(moment, stamped.event, state), at, told)])
    write([Put(ParkedKey(at.position.partition, key, None))])


def _tell_now(changes: list[Change], at: Moment, told: Iterator[int]) -> list[Change]:
    """Subscribers go through the outbox in the order of the log, and are past where the parked record stands."""
    partition, offset = at.position.partition, at.position.offset
    return [
        Put(replace(change.row, partition=partition, offset=offset, n=next(told)))
        if isinstance(change, Put) and isinstance(change.row, OutboxRow)
        else change
        for change in changes
    ]


def _let_go(parked: ParkedRecord, at: Moment) -> Put:
    return Put(
        ParkedRecord(
            parked.partition, parked.offset, parked.key, parked.payload, parked.time_us, applied_position=at.at
        )
    )
