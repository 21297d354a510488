"""One event in, changes out: what all events have in common, and which handler applies each."""

from dataclasses import replace
from typing import assert_never

from headwater_schemas.errors import InvalidInput, Reason
from headwater_schemas.events import (
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
    RulesChanged,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    SessionsRetired,
    SettingsChanged,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
    WriterDone,
)
from headwater_schemas.field_checks import check_fields
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.keys import UNKNOWN_SESSION, check_session, first_session

from headwater_consumer.projector import access, administration, drafts, runs, seal, versions
from headwater_consumer.projector.event_context import EventContext, RuleViolation, rejection, time_text
from headwater_consumer.projector.facts import version_updates
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.projector.version_events import alias_moves
from headwater_consumer.rows import RetiredSessionsRow, SessionMarkRow


def apply(context: EventContext, event: Event, state: State) -> list[Change]:
    """The changes that one event makes, in the order they must be written. Pure: no clock, randomness, I/O or logging.

    None when the event has been applied before. An event that breaks a rule only adds the record of its rejection.
    """
    origin = context.origin
    try:
        check_session(origin.session)
    except InvalidInput as invalid:  # nothing can be counted for it
        nobody = replace(context, origin=replace(origin, session=UNKNOWN_SESSION))
        return [rejection(nobody, event, RuleViolation(Reason.INVALID, str(invalid)))]
    retired = state.get(RetiredSessionsRow, context.position.partition)
    if retired is not None and origin.session < first_session(retired.before_ms):
        # Without a mark: one that was deleted must never read as "nothing was applied yet".
        before = time_text(retired.before_ms * 1000)
        message = (
            f"the session of this writer began before {before}, and sessions of that age are retired. Check this "
            "machine's clock, then log it again."
        )
        return [rejection(context, event, RuleViolation(Reason.SESSION_RETIRED, message))]
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
                Reason.INVALID,
                f"the event is about {quoted(event.key)} but was sent under the key {quoted(context.key)}.",
            )
        check_fields(origin)
        check_fields(event)
        changes = _handle(context, event, state)
        return [advanced, *changes, *version_updates(state, context, changes), *alias_moves(context, changes)]
    except RuleViolation as violation:
        return [advanced, rejection(context, event, violation)]
    except InvalidInput as invalid:
        return [advanced, rejection(context, event, RuleViolation(Reason.INVALID, str(invalid)))]


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
        case VersionPurged():
            return versions.purged(context, event, state)
        case VersionRecalled():
            return versions.recalled(context, event, state)
        case RunStarted():
            return runs.started(context, event, state)
        case RunUpdated():
            return runs.updated(context, event, state)
        case RunHeartbeat():
            return runs.heartbeat(context, event, state)
        case RunFinished():
            return runs.finished(context, event, state)
        case BlobsCondemned():
            return administration.blobs_condemned(context, event, state)
        case BlobsMoved():
            return administration.blobs_moved(context, event, state)
        case SessionsRetired():
            return administration.sessions_retired(context, event, state)
        case DeadLetterResolved():
            return administration.dead_letter_resolved(context, event, state)
        case RulesChanged() | SettingsChanged():
            return administration.declared(context, event, state)
        case AccessGranted():
            return access.granted(context, event, state)
        case AccessRevoked():
            return access.revoked(context, event, state)
        case TokenCreated():
            return access.token_created(context, event, state)
        case TokenRevoked():
            return access.token_revoked(context, event, state)
        case SubscriptionAdded():
            return access.subscription_added(context, event, state)
        case SubscriptionRemoved():
            return access.subscription_removed(context, event, state)
        case _:
            assert_never(event)  # a new event type needs a handler here
