"""What starting and finishing mean for a run."""

import json

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import RUN_STATES_FINAL, RunFinished, RunStarted
from headwater_schemas.names import TAGS_MAX, RunName, check_alias

from headwater_consumer.projector.facts import change_fact
from headwater_consumer.projector.moment import Moment, Refused, announce
from headwater_consumer.rows import Run, RunState
from headwater_consumer.state import Change, State

RUNNING = "running"


def started(moment: Moment, event: RunStarted, state: State) -> list[Change]:
    """A run is there. A second start takes it up again: it is what the later start says, and runs."""
    name = RunName.parse(event.run)
    metadata.decode(event.config)
    tags = list(dict.fromkeys(check_alias(tag, "tag") for tag in event.tags[: TAGS_MAX + 1]))
    if len(tags) > TAGS_MAX:
        raise Refused(Reason.INVALID, f"run {event.run} has more than {TAGS_MAX} tags.")
    run = Run(
        run=event.run,
        project=f"{name.entity}/{name.project}",
        job_type=event.job_type,
        group=event.group,
        display_name=event.display_name,
        config=event.config,
        tags=json.dumps(tags, ensure_ascii=False),
        who=moment.origin.who,
        started_us=moment.time_us,
        from_position=moment.at,
        to_position=None,
    )
    running = RunState(event.run, RUNNING, moment.time_us, moment.at, None)
    return [*change_fact(state, moment, run), *change_fact(state, moment, running)]


def finished(moment: Moment, event: RunFinished, state: State) -> list[Change]:
    """A run ended. What it used and logged is recorded elsewhere and may still arrive."""
    if event.state not in RUN_STATES_FINAL:
        raise Refused(Reason.INVALID, f"{event.state!r} is not a final state of a run.")
    if state.get(Run, event.run) is None:
        raise Refused(Reason.INVALID, f"run {event.run} has not started.")
    ended = RunState(event.run, event.state, moment.time_us, moment.at, None)
    return [*change_fact(state, moment, ended), announce(moment, 0, event.name, event.run, {"state": event.state})]
