"""Handlers of events about the store and its projects: objects, dead letters, rules, grants and settings."""

from dataclasses import replace

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    DEAD_LETTER_DECISIONS,
    AccessGranted,
    AccessRevoked,
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    RulesChanged,
    SettingsChanged,
    SubscriptionAdded,
    SubscriptionRemoved,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.settings import check_settings

from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.facts import change_fact, end_fact
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.rows import (
    SETTINGS,
    CondemnedObjectRow,
    DeadLetterRow,
    ParkedKeyRow,
    ParkedRecordRow,
    ProjectFactRow,
    RelocatedRangeRow,
)


def blobs_condemned(context: EventContext, event: BlobsCondemned, state: State) -> list[Change]:
    """No later entry in this partition may name these objects. Condemning one again changes nothing."""
    partition = context.position.partition
    new = [name for name in dict.fromkeys(event.objects) if state.get(CondemnedObjectRow, name, partition) is None]
    return [Put(CondemnedObjectRow(name, partition, context.position_number)) for name in new]


def blobs_moved(event: BlobsMoved) -> list[Change]:
    """Reads of these ranges are redirected. Entries are written once and do not change."""
    return [
        Put(RelocatedRangeRow(move.object_name, move.offset, move.length, move.to_object_name, move.to_offset))
        for move in event.moves
    ]


def dead_letter_resolved(context: EventContext, event: DeadLetterResolved, state: State) -> list[Change]:
    """Record the decision; `records.resume_parked` then applies what waited."""
    parked = state.get(ParkedKeyRow, context.position.partition, event.key)
    letter = state.get(DeadLetterRow, event.partition, event.offset)
    if event.decision not in DEAD_LETTER_DECISIONS:
        known = ", ".join(DEAD_LETTER_DECISIONS)
        raise RuleViolation(
            Reason.INVALID, f"{quoted(event.decision)} is not a decision about a dead letter. Use one of: {known}."
        )
    is_first = parked is not None and (parked.partition, parked.offset) == (event.partition, event.offset)
    if letter is None or letter.key != event.key or not is_first:
        raise RuleViolation(
            Reason.INVALID,
            f"no dead letter of {quoted(event.key)} waits at {event.partition}/{event.offset}. "
            "Name the first one that waits, and write to its partition.",
        )
    changes: list[Change] = [
        Put(replace(letter, decision=event.decision, resolved_position=context.effective_position))
    ]
    if event.decision == "retry":
        # It is applied again as the first parked record: its offset is lower than all of theirs.
        changes.append(
            Put(ParkedRecordRow(letter.partition, letter.offset, letter.key, letter.payload, letter.time_us, None))
        )
    return changes


def declared(
    context: EventContext, event: RulesChanged | AccessGranted | SettingsChanged | SubscriptionAdded, state: State
) -> list[Change]:
    """A rule, grant, setting or subscription holds in a project from here on, in this partition."""
    kind, name, value = _declaration(event)
    if isinstance(event, SettingsChanged):
        check_settings(metadata.decode(value))
        before = state.get(ProjectFactRow, context.position.partition, event.project, kind, name)
        merged = metadata.merge(metadata.decode(before.value) if before else {}, metadata.decode(value))
        value = metadata.encode(merged, "settings")
    metadata.decode(value)
    fact = ProjectFactRow(
        context.position.partition, event.project, kind, name, value, context.effective_position, None
    )
    return [*change_fact(state, context, fact)]


def withdrawn(context: EventContext, event: AccessRevoked | SubscriptionRemoved, state: State) -> list[Change]:
    """A grant or a subscription ends."""
    if isinstance(event, AccessRevoked):
        kind, name = "grant", f"{event.principal}:{event.role}"
    else:
        kind, name = "subscription", event.subscription
    return [*end_fact(state, context, ProjectFactRow, context.position.partition, event.project, kind, name)]


def _declaration(event: RulesChanged | AccessGranted | SettingsChanged | SubscriptionAdded) -> tuple[str, str, str]:
    match event:
        case RulesChanged():
            return "rule", event.rule, event.value
        case AccessGranted():
            return "grant", f"{event.principal}:{event.role}", "{}"
        case SettingsChanged():
            return SETTINGS, SETTINGS, event.settings
        case SubscriptionAdded():
            return "subscription", event.subscription, event.settings
