"""Handlers of events about a run: its start, its end, and what becomes known about it meanwhile."""

import json

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    RUN_STATES_FINAL,
    Capture,
    RunEvent,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import HEARTBEAT_SECONDS_MAX, RUN_VALUES_REMOVED_MAX, TAGS_MAX
from headwater_schemas.names import RunName
from headwater_schemas.version_events import RUN_FINISHED, RUN_STARTED

from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.facts import change_fact, end_fact
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.projector.version_events import announce
from headwater_consumer.rows import (
    CONFIG,
    RUNNING,
    SUMMARY,
    RunCaptureRow,
    RunHeartbeatRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
)


def started(context: EventContext, event: RunStarted, state: State) -> list[Change]:
    """Start a run. A later start of the same run replaces its description, and it is running again.

    It keeps its summary; what it executes is not known until that is said anew.
    """
    name = RunName.parse(event.run)
    metadata.check(event.config)
    if len(event.tags) > TAGS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"run {event.run} has {len(event.tags):,} tags; at most {TAGS_MAX} are allowed. Give it fewer.",
        )
    run = RunRow(
        run=event.run,
        project=name.namespace,
        job_type=event.job_type,
        group=event.group,
        display_name=event.display_name,
        tags=json.dumps(list(dict.fromkeys(event.tags)), ensure_ascii=False),
        author=context.origin.author,
        started_us=context.time_us,
        append_us=context.append_us,
        from_position=context.effective_position,
        to_position=None,
    )
    running = RunStateRow(event.run, RUNNING, context.time_us, context.effective_position, None)
    return [
        *change_fact(state, context, run),
        *change_fact(state, context, running),
        *_set_values(context, event.run, CONFIG, event.config, state),
        *_expect_heartbeat(context, event, state),
        *end_fact(state, context, RunCaptureRow, event.run),
        announce(context, RUN_STARTED, event.run),
    ]


def updated(context: EventContext, event: RunUpdated, state: State) -> list[Change]:
    """Change only the fields that the event carries. It may arrive after the end of the run."""
    _check_started(event, state, "updated")
    changes: list[Change] = []
    for field, values, removed in (
        (CONFIG, event.config_set, event.config_removed),
        (SUMMARY, event.summary_set, event.summary_removed),
    ):
        if values is not None or removed:
            changes += _change_values(context, event.run, field, values, removed, state)
    if event.capture is not None:
        changes += _set_capture(context, event.run, event.capture, state)
    return changes


def heartbeat(context: EventContext, event: RunHeartbeat, state: State) -> list[Change]:
    """The run was alive. Whether it still is, is judged by whoever reads: there is no clock here."""
    _check_started(event, state, "alive")
    return [*_expect_heartbeat(context, event, state)]


def finished(context: EventContext, event: RunFinished, state: State) -> list[Change]:
    """Finish a run. Events about what it used and logged may still arrive."""
    if event.state not in RUN_STATES_FINAL:
        raise RuleViolation(
            Reason.INVALID,
            f"{quoted(event.state)} is not a final state of run {event.run}. "
            f"Use one of: {', '.join(RUN_STATES_FINAL)}.",
        )
    _check_started(event, state, "finished")
    ended = RunStateRow(event.run, event.state, context.time_us, context.effective_position, None)
    return [*change_fact(state, context, ended), announce(context, RUN_FINISHED, event.run, detail=event.state)]


def _check_started(event: RunEvent, state: State, to_be: str) -> None:
    if state.get(RunRow, event.run) is None:
        raise RuleViolation(
            Reason.INVALID, f"run {event.run} has not started, so it cannot be {to_be}. Start it first."
        )


def _set_values(context: EventContext, run: str, field: str, text: str, state: State) -> list[Put]:
    if text == metadata.EMPTY:
        return end_fact(state, context, RunValuesRow, run, field)
    return change_fact(state, context, RunValuesRow(run, field, text, context.effective_position, None))


def _change_values(
    context: EventContext, run: str, field: str, values: str | None, removed: tuple[str, ...], state: State
) -> list[Put]:
    if len(removed) > RUN_VALUES_REMOVED_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"an event removes {len(removed):,} values of the {field} of run {run}; at most "
            f"{RUN_VALUES_REMOVED_MAX:,} are allowed. Send them as several events.",
        )
    before = state.get(RunValuesRow, run, field)
    present = metadata.decode(metadata.EMPTY if before is None else before.value)
    for name in removed:
        present.pop(name, None)
    if values is not None:
        present.update(metadata.decode(values))
    return _set_values(context, run, field, metadata.encode(present, field), state)


def _expect_heartbeat(context: EventContext, event: RunStarted | RunHeartbeat, state: State) -> list[Put]:
    seconds = event.heartbeat_seconds
    if seconds is None:
        return end_fact(state, context, RunHeartbeatRow, event.run)
    if not 1 <= seconds <= HEARTBEAT_SECONDS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"the next heartbeat of run {event.run} is due after {seconds} s; a heartbeat comes after 1 to "
            f"{HEARTBEAT_SECONDS_MAX:,} s. Say another time.",
        )
    due_us = context.append_us + seconds * 1_000_000
    beat = RunHeartbeatRow(event.run, context.append_us, due_us, context.effective_position, None)
    return change_fact(state, context, beat)


def _set_capture(context: EventContext, run: str, capture: Capture, state: State) -> list[Put]:
    if capture.environment is not None:
        metadata.check(capture.environment)
    row = RunCaptureRow(
        run=run,
        project=RunName.parse(run).namespace,
        commit=capture.commit,
        remote=capture.remote,
        branch=capture.branch,
        dirty=capture.dirty,
        environment=capture.environment,
        from_position=context.effective_position,
        to_position=None,
    )
    return change_fact(state, context, row)
