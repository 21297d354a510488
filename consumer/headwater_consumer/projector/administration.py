"""Handlers of events about the store and its projects: objects, dead letters, rules, settings."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    DEAD_LETTER_DECISIONS,
    BlobsCondemned,
    BlobsMoved,
    BroadcastEvent,
    DeadLetterResolved,
    RulesChanged,
    SessionsRetired,
    SettingsChanged,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.keys import first_session
from headwater_schemas.object_names import project_of
from headwater_schemas.positions import position_if_valid
from headwater_schemas.settings import DIGEST_ALGORITHM, RETENTION, check_settings

from headwater_consumer.projector.draft_rules import is_condemned
from headwater_consumer.projector.event_context import EventContext, RuleViolation, time_text
from headwater_consumer.projector.facts import change_fact
from headwater_consumer.projector.retention import policies_changed
from headwater_consumer.projector.state import Change, Delete, Put, RetireSessions, State
from headwater_consumer.rows import (
    SETTINGS,
    BroadcastRow,
    CondemnedObjectRow,
    DeadLetterRow,
    ParkedKeyRow,
    ParkedRecordRow,
    ProjectFactRow,
    RejectionRow,
    RelocatedRangeRow,
    RetiredSessionsRow,
    SessionMarkRow,
)

# After its condemnation an object can still be known to a session that read the projection before, by a clock that
# differs from that of whoever condemned it.
CONDEMNED_KEPT_MS = 24 * 60 * 60 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def blobs_condemned(context: EventContext, event: BlobsCondemned, state: State) -> list[Change]:
    """No later entry in this partition may name these objects. Condemning one again changes nothing."""
    partition, number, condemned_ms = context.position.partition, context.position_number, _clock_ms(context)
    changes: list[Change] = [_received(context, event)]
    for name in dict.fromkeys(event.objects):
        if project_of(name) != event.project:
            raise RuleViolation(
                Reason.INVALID,
                f"object {name} does not belong to {event.project}, so it cannot be condemned there. "
                "Name the project that owns it.",
            )
        if state.get(CondemnedObjectRow, name, partition) is None:
            changes.append(Put(CondemnedObjectRow(name, partition, number, event.broadcast, condemned_ms)))
    return changes


def blobs_moved(context: EventContext, event: BlobsMoved, state: State) -> list[Change]:
    """Reads of these ranges are redirected. Entries are written once and do not change."""
    for move in event.moves:
        if is_condemned(context, move.to_object_name, state):
            raise RuleViolation(
                Reason.BLOB_CONDEMNED,
                f"content of {move.object_name} cannot move to an object that is about to be deleted. Store it again "
                "under another name.",
            )
    return [
        Put(RelocatedRangeRow(move.object_name, move.offset, move.length, move.to_object_name, move.to_offset))
        for move in event.moves
    ]


def sessions_retired(context: EventContext, event: SessionsRetired, state: State) -> list[Change]:
    """Sessions that started earlier may write no more to this partition; what was kept about them is deleted."""
    partition = context.position.partition
    if context.origin.session < first_session(event.before_ms):
        raise RuleViolation(
            Reason.INVALID,
            f"sessions that started before {time_text(event.before_ms * 1000)} cannot be retired by one of them. "
            "Begin a new session, or name an earlier time.",
        )
    changes: list[Change] = [_received(context, event)]
    before = state.get(RetiredSessionsRow, partition)
    if before is None or before.before_ms < event.before_ms:
        changes.append(Put(RetiredSessionsRow(partition, event.before_ms)))
        changes.append(RetireSessions(partition, event.before_ms, event.before_ms - CONDEMNED_KEPT_MS))
    return changes


def dead_letter_resolved(context: EventContext, event: DeadLetterResolved, state: State) -> list[Change]:
    """Carry out the decision; `records.resume_parked` then applies what waited."""
    parked = state.get(ParkedKeyRow, context.position.partition, event.key)
    number = position_if_valid(event.epoch, event.partition, event.offset)
    letter = None if number is None else state.get(DeadLetterRow, number)
    if event.decision not in DEAD_LETTER_DECISIONS:
        known = ", ".join(DEAD_LETTER_DECISIONS)
        raise RuleViolation(
            Reason.INVALID, f"{quoted(event.decision)} is not a decision about a dead letter. Use one of: {known}."
        )
    if letter is None or parked is None or parked.position != letter.position:
        raise RuleViolation(
            Reason.INVALID,
            f"no dead letter of {quoted(event.key)} waits at {event.epoch}/{event.partition}/{event.offset}. "
            "Name the first one that waits, and write to its partition.",
        )
    if event.decision == "skip":
        return [Delete(letter), *_skipped(context, letter, state)]
    # It is applied again as the first parked record: its position is lower than all of theirs.
    content = (letter.key, letter.payload, letter.headers, letter.session, letter.sequence)
    times = (letter.time_us, letter.append_us)
    return [Delete(letter), Put(ParkedRecordRow(letter.position, letter.partition, *content, *times))]


def _skipped(context: EventContext, letter: DeadLetterRow, state: State) -> list[Change]:
    """Move its writer's mark, so that what the writer sent after it counts, and tell the writer."""
    if letter.session is None or letter.sequence is None:
        return []
    mark = state.get(SessionMarkRow, letter.partition, letter.session, letter.key)
    if letter.sequence != (0 if mark is None else mark.sequence + 1):
        return []
    message = "the event could not be decoded, and an operator skipped it. Log again what it was about."
    return [
        Put(SessionMarkRow(letter.partition, letter.session, letter.key, letter.sequence)),
        Put(
            RejectionRow(
                position=letter.position,
                partition=letter.partition,
                key=letter.key,
                session=letter.session,
                sequence=letter.sequence,
                event="",
                reason=Reason.SKIPPED.value,
                message=message,
                time_us=context.time_us,
            )
        ),
    ]


def _received(context: EventContext, event: BroadcastEvent) -> Put:
    """This partition has the event."""
    origin = context.origin
    sent = (origin.session, context.key, origin.sequence)
    return Put(BroadcastRow(event.broadcast, context.position.partition, *sent, context.payload))


def _clock_ms(context: EventContext) -> int:
    return (context.origin.clock - _EPOCH) // timedelta(milliseconds=1)


def declared(context: EventContext, event: RulesChanged | SettingsChanged, state: State) -> list[Change]:
    """A rule or setting holds in a project from here on, in this partition."""
    kind, name, value = _declaration(event)
    policies: Mapping[str, Any] = {}
    if isinstance(event, SettingsChanged):
        patch = metadata.decode(value)
        check_settings(patch)
        policies = patch.pop(RETENTION, {})
        known = state.get(ProjectFactRow, context.position.partition, event.project, kind, name)
        before = metadata.decode(known.value) if known else {}
        merged = metadata.merge(before, patch)
        check_settings(merged)  # together they may be too many
        _check_algorithm(event.project, before, merged)
        value = metadata.encode(merged, "settings")
    metadata.decode(value)
    fact = ProjectFactRow(
        context.position.partition, event.project, kind, name, value, context.effective_position, None
    )
    received = [_received(context, event)] if isinstance(event, RulesChanged) else []
    changed = policies_changed(context, fact.project, policies, state)
    return [*received, *change_fact(state, context, fact), *changed]


def _check_algorithm(project: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """A project's digest algorithm is chosen once: two digests of one content would make two versions of it.

    Versions are in other partitions, so whoever logs the first content of a project chooses its algorithm before.
    """
    chosen = before.get(DIGEST_ALGORITHM)
    if chosen is not None and after.get(DIGEST_ALGORITHM) != chosen:
        raise RuleViolation(
            Reason.ALGORITHM_CHOSEN,
            f"{project} uses the digest algorithm {chosen}, since somebody chose it or logged something with it, and "
            "that cannot change. Log again, which follows it, or use another project for another algorithm.",
        )


def _declaration(event: RulesChanged | SettingsChanged) -> tuple[str, str, str]:
    match event:
        case RulesChanged():
            return "rule", event.rule, event.value
        case SettingsChanged():
            return SETTINGS, SETTINGS, event.settings
