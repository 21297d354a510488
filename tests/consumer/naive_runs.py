"""Runs in the naive model: what is known about each, in dictionaries."""

from headwater_schemas import events as types
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidMetadata, Reason
from headwater_schemas.limits import HEARTBEAT_SECONDS_MAX


class ModelRejection(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def reject_if(when: bool, reason: Reason) -> None:
    if when:
        raise ModelRejection(reason)


class ModelRuns:
    """What the events of runs say, together."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.values: dict[tuple[str, str], metadata.JsonObject] = {}  # by run, and "config" or "summary"
        self.heartbeats: dict[str, int] = {}  # run → seconds until the next
        self.captures: dict[str, types.Capture] = {}

    def apply(self, event: types.RunEvent) -> None:
        """Raises: ModelRejection."""
        if isinstance(event, types.RunStarted):
            self._start(event)
            return
        reject_if(event.run not in self.states, Reason.INVALID)
        match event:
            case types.RunUpdated():
                self._update(event)
            case types.RunHeartbeat(run=run, heartbeat_seconds=seconds):
                reject_if(not 1 <= seconds <= HEARTBEAT_SECONDS_MAX, Reason.INVALID)
                self.heartbeats[run] = seconds
            case types.RunFinished(run=run, state=state):
                self.states[run] = state

    def _start(self, event: types.RunStarted) -> None:
        self.states[event.run] = "running"
        self.values[event.run, "config"] = metadata.decode(event.config)
        self.captures.pop(event.run, None)
        self.heartbeats.pop(event.run, None)
        if event.heartbeat_seconds is not None:
            self.heartbeats[event.run] = event.heartbeat_seconds

    def _update(self, event: types.RunUpdated) -> None:
        reject_if(event.capture is not None and event.capture.commit == "no commit", Reason.INVALID)
        try:
            config, summary = (metadata.decode(text or "{}") for text in (event.config_set, event.summary_set))
        except InvalidMetadata:
            raise ModelRejection(Reason.INVALID) from None
        for kind, given, removed in (
            ("config", config, event.config_removed),
            ("summary", summary, event.summary_removed),
        ):
            before = self.values.get((event.run, kind), {})
            kept = {name: value for name, value in before.items() if name not in removed}
            self.values[event.run, kind] = {**kept, **given}
        if event.capture is not None:
            self.captures[event.run] = event.capture
