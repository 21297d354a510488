"""Events about the store and its projects: condemned and moved objects, dead letters, rules, grants and settings."""

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
from headwater_schemas.names import check_text
from headwater_schemas.settings import check_settings

from headwater_consumer.projector.facts import change_fact, end_fact
from headwater_consumer.projector.moment import Moment, Refused
from headwater_consumer.rows import CondemnedObject, DeadLetter, MovedContent, ParkedKey, ParkedRecord, ProjectFact
from headwater_consumer.state import Change, Put, State

SETTINGS = "settings"


def blobs_condemned(moment: Moment, event: BlobsCondemned, state: State) -> list[Change]:
    """From here on no entry in this partition may name these objects. Condemning one again changes nothing."""
    partition = moment.position.partition
    fresh = [name for name in dict.fromkeys(event.objects) if state.get(CondemnedObject, name, partition) is None]
    return [Put(CondemnedObject(name, partition, moment.number)) for name in fresh]


def blobs_moved(event: BlobsMoved) -> list[Change]:
    """Reads of these stretches go elsewhere. Entries are written once and stay as they are."""
    for move in event.moves:
        check_text(move.object_name, "object name")
        check_text(move.to_object_name, "object name")
    return [
        Put(MovedContent(move.object_name, move.offset, move.length, move.to_object_name, move.to_offset))
        for move in event.moves
    ]


def dead_letter_resolved(moment: Moment, event: DeadLetterResolved, state: State) -> list[Change]:
    """The decision is on record; `dispatch.resume_parked` then lets go on what waited."""
    parked = state.get(ParkedKey, moment.position.partition, event.key)
    letter = state.get(DeadLetter, event.partition, event.offset)
    if event.decision not in DEAD_LETTER_DECISIONS:
        raise Refused(Reason.INVALID, f"{event.decision!r} is not one of: {', '.join(DEAD_LETTER_DECISIONS)}.")
    waits = parked is not None and (parked.partition, parked.offset) == (event.partition, event.offset)
    if letter is None or letter.key != event.key or not waits:
        raise Refused(
            Reason.INVALID,
            f"no dead letter of {event.key!r} waits at {event.partition}/{event.offset}. "
            "Name the first that waits, and write to its partition.",
        )
    changes: list[Change] = [Put(replace(letter, decision=event.decision, resolved_position=moment.at))]
    if event.decision == "retry":
        # It is judged again as the first of those that wait: its offset is lower than all of theirs.
        changes.append(
            Put(ParkedRecord(letter.partition, letter.offset, letter.key, letter.payload, letter.time_us, None))
        )
    return changes


def declared(
    moment: Moment, event: RulesChanged | AccessGranted | SettingsChanged | SubscriptionAdded, state: State
) -> list[Change]:
    """Something holds in a project from here on, as this partition knows it."""
    kind, name, value = _declaration(event)
    if isinstance(event, SettingsChanged):
        check_settings(metadata.decode(value))
        before = state.get(ProjectFact, moment.position.partition, event.project, kind, name)
        merged = metadata.merge(metadata.decode(before.value) if before else {}, metadata.decode(value))
        value = metadata.encode(merged, "settings")
    metadata.decode(value)
    fact = ProjectFact(moment.position.partition, event.project, kind, name, value, moment.at, None)
    return [*change_fact(state, moment, fact)]


def withdrawn(moment: Moment, event: AccessRevoked | SubscriptionRemoved, state: State) -> list[Change]:
    """Something holds no more."""
    if isinstance(event, AccessRevoked):
        kind, name = "grant", f"{event.principal}:{event.role}"
    else:
        kind, name = "subscription", event.subscription
    return [*end_fact(state, moment, ProjectFact, moment.position.partition, event.project, kind, name)]


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
