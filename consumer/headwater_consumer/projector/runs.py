"""Handlers of events about a run: its start and its end."""

import json

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import RUN_STATES_FINAL, RunFinished, RunStarted
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.names import RunName, check_alias

from headwater_consumer.projector.event_context import EventContext, RuleViolation, announce
from headwater_consumer.projector.facts import change_fact
from headwater_consumer.projector.state import Change, State
from headwater_consumer.rows import RUNNING, RunRow, RunStateRow


def started(context: EventContext, event: RunStarted, state: State) -> list[Change]:
    """Start a run. A later start of the same run replaces its description, and it is running again."""
    name = RunName.parse(event.run)
    metadata.decode(event.config)
    tags = list(dict.fromkeys(check_alias(tag, "tag") for tag in event.tags[: TAGS_MAX + 1]))
    if len(tags) > TAGS_MAX:
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
        config=event.config,
        tags=json.dumps(tags, ensure_ascii=False),
        author=context.origin.author,
        started_us=context.time_us,
        append_us=context.append_us,
        from_position=context.effective_position,
        to_position=None,
    )
    running = RunStateRow(event.run, RUNNING, context.time_us, context.effective_position, None)
    return [*change_fact(state, context, run), *change_fact(state, context, running)]


def finished(context: EventContext, event: RunFinished, state: State) -> list[Change]:
    """Finish a run. Events about what it used and logged may still arrive."""
    if event.state not in RUN_STATES_FINAL:
        raise RuleViolation(
            Reason.INVALID,
            f"{quoted(event.state)} is not a final state of run {event.run}. "
            f"Use one of: {', '.join(RUN_STATES_FINAL)}.",
        )
    if state.get(RunRow, event.run) is None:
        raise RuleViolation(Reason.INVALID, f"run {event.run} has not started, so it cannot finish. Start it first.")
    ended = RunStateRow(event.run, event.state, context.time_us, context.effective_position, None)
    return [*change_fact(state, context, ended), announce(context, 0, event.name, event.run, {"state": event.state})]
