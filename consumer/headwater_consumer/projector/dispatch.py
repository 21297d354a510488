"""One event in, changes out: what all events have in common, and which handler applies each."""

from dataclasses import fields
from typing import assert_never

from headwater_schemas.errors import InvalidInput, Reason
from headwater_schemas.events import (
    EVENT_TYPES,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    Origin,
    RulesChanged,
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
from headwater_schemas.names import check_text

from headwater_consumer.projector import administration, drafts, runs, seal, versions
from headwater_consumer.projector.event_context import EventContext, RuleViolation, rejection
from headwater_consumer.projector.facts import version_updates
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.rows import SessionMarkRow

_JSON_FIELDS = ("config", "metadata", "metadata_patch", "settings", "value")  # bounded by `metadata.decode`
_TEXT_TYPES = (str, str | None, tuple[str, ...])
# Type → its fields that hold text.
_TEXTS: dict[type, tuple[str, ...]] = {
    record: tuple(f.name for f in fields(record) if f.type in _TEXT_TYPES and f.name not in _JSON_FIELDS)
    for record in (Origin, *EVENT_TYPES)
}


def apply(context: EventContext, event: Event, state: State) -> list[Change]:
    """The changes that one event makes, in the order they must be written. Pure: no clock, randomness, I/O or logging.

    None when the event has been applied before. An event that breaks a rule only adds the record of its rejection.
    """
    origin = context.origin
    mark = state.get(SessionMarkRow, context.position.partition, origin.session, context.key)
    last = -1 if mark is None else mark.sequence
    if origin.sequence <= last:
        return []
    if origin.sequence > last + 1:
        missing = f"events {last + 1} to {origin.sequence - 1} of this writer are missing"
        message = f"{missing}; they, and then this one, can be sent again."
        return [rejection(context, event, RuleViolation(Reason.SEQUENCE_GAP, message))]
    advanced = Put(SessionMarkRow(context.position.partition, origin.session, context.key, origin.sequence))
    try:
        if event.key != context.key:
            raise RuleViolation(
                Reason.INVALID, f"the event is about {event.key!r} but was sent under the key {context.key!r}."
            )
        _check_texts(context, event)
        changes = _handle(context, event, state)
        return [advanced, *changes, *version_updates(state, context, changes)]
    except RuleViolation as violation:
        return [advanced, rejection(context, event, violation)]
    except InvalidInput as invalid:
        return [advanced, rejection(context, event, RuleViolation(Reason.INVALID, str(invalid)))]


def _check_texts(context: EventContext, event: Event) -> None:
    """Free text in an event must be something that every database can store."""
    for owner in (context.origin, event):
        for name in _TEXTS[type(owner)]:
            found = getattr(owner, name)
            for text in found if isinstance(found, tuple) else (found,):
                if text is not None:
                    check_text(text, name)


def _handle(  # noqa: C901 - one branch an event, no other logic
    context: EventContext, event: Event, state: State
) -> list[Change]:
    match event:
        case DraftOpened():
            return drafts.opened(context, event, state)
        case EntryAdded():
            return drafts.entries_added(context, event, state)
        case EntryRemoved():
            return drafts.entries_removed(context, event, state)
        case WriterDone():
            return seal.writer_done(context, event, state)
        case VersionCommitted():
            return seal.committed(context, event, state)
        case DraftDiscarded():
            return drafts.discarded(context, event, state)
        case AliasMoved():
            return versions.alias_moved(context, event, state)
        case ArtifactUsed():
            return versions.used(context, event, state)
        case VersionDescribed():
            return versions.described(context, event, state)
        case VersionDeleted():
            return versions.deleted(context, event, state)
        case VersionRestored():
            return versions.restored(context, event, state)
        case VersionRecalled():
            return versions.recalled(context, event, state)
        case RunStarted():
            return runs.started(context, event, state)
        case RunFinished():
            return runs.finished(context, event, state)
        case BlobsCondemned():
            return administration.blobs_condemned(context, event, state)
        case BlobsMoved():
            return administration.blobs_moved(event)
        case DeadLetterResolved():
            return administration.dead_letter_resolved(context, event, state)
        case RulesChanged() | AccessGranted() | SettingsChanged() | SubscriptionAdded():
            return administration.declared(context, event, state)
        case AccessRevoked() | SubscriptionRemoved():
            return administration.withdrawn(context, event, state)
        case _:
            assert_never(event)  # a new event type needs a handler here
