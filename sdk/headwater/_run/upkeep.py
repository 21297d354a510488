"""What this process does for a run while it is open, unasked: values, signs of life, what it executes, and memory."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from headwater_runtime.memory import give_back
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import Capture, Event, RunHeartbeat, RunUpdated
from headwater_schemas.limits import RUN_VALUES_REMOVED_MAX

from headwater._commit.tasks import EventsTask
from headwater._run.heartbeat import intervals
from headwater._run.live_values import Changes, LiveValues
from headwater._run.schedule import schedule

# Values that changed are recorded together: soon at first, then less often the longer a run takes, so that a day of
# changes is some 1,500 events and a process that is killed loses a minute of them.
FIRST_LOOK_S, LAST_LOOK_S = 1.0, 60.0
CAPTURE_WAIT_S = 2.5  # from the start: a little more than capturing may take
GIVE_BACK_S = 8.0  # from the start: a short job is over, and connections that were needed only then are closed


class RunLog(Protocol):
    """Where the events of the run go; `RunWriter` is one."""

    def send(self, events: Sequence[Event]) -> EventsTask:
        """Log what a rule may refuse, which the end of the run raises."""
        ...

    def send_sure(self, events: Sequence[Event]) -> EventsTask:
        """Log what no rule can refuse."""
        ...

    def send_now(self, events: Sequence[Event]) -> None:
        """Log past everything that waits to be logged."""
        ...


class Capturing(Protocol):
    """Captures what the run executes; `Capturer` does."""

    @property
    def is_quick(self) -> bool:
        """Whether that asks nobody and takes no time."""
        ...

    def __call__(self) -> Capture | None:
        """None where there is nothing to capture."""
        ...


class Upkeep:
    """Of one run."""

    def __init__(
        self,
        run: str,
        config: LiveValues,
        summary: LiveValues,
        log: RunLog,
        *,
        capture: Capturing | None,
    ) -> None:
        """`capture` is called once, in the background unless it is quick; None where nothing is to be captured."""
        self._run = run
        self._config, self._summary = config, summary
        self._log = log
        self._waiting: list[EventsTask] = []  # some may have been sent by now
        self._capture = capture
        self._captured = threading.Event()
        self._found: Capture | None = None
        self._recording = threading.Lock()
        self._intervals = intervals()
        self._look_s = FIRST_LOOK_S
        self._started_s = time.monotonic()

    def start(self) -> None:
        """Begin, in the background."""
        if self._capture is not None and self._capture.is_quick:
            self._take_capture()
        elif self._capture is not None:
            schedule.add(self._take_capture, after_s=0)
        schedule.add(self._look, after_s=self._look_s)
        schedule.add(self._beat, after_s=next(self._intervals))
        schedule.add(self._give_back, after_s=GIVE_BACK_S)

    def close(self) -> HeadwaterError | None:
        """Record the last changes, and do nothing more. Returns what is wrong with a value that was not recorded."""
        self.captured()
        for action in (self._take_capture, self._look, self._beat, self._give_back):
            schedule.remove(action)
        return self._record_changes()

    def last_events(self) -> list[Event]:
        """What `close` would record, and what waits to be logged, for whoever cannot wait for that."""
        waiting = [event for task in self._waiting for event in task.withdraw()]
        return [*waiting, *(event for changes in self._take_changes() for event in self._events(*changes))]

    def captured(self) -> Capture | None:
        """What was captured; waits for it. None where nothing is to be captured, or it takes too long."""
        if self._capture is not None:
            self._captured.wait(max(0.0, self._started_s + CAPTURE_WAIT_S - time.monotonic()))
        return self._found

    # --- in the background

    def _look(self) -> float:
        self._try(self._record_changes)
        self._look_s = min(self._look_s * 2, LAST_LOOK_S)
        return self._look_s

    def _beat(self) -> float:
        seconds = next(self._intervals)
        self._try(lambda: self._log.send_now([RunHeartbeat(run=self._run, heartbeat_seconds=seconds)]))
        return seconds

    def _give_back(self) -> None:
        """What importing and connecting left behind, once: it is a tenth of what such a process holds."""
        give_back()

    def _take_capture(self) -> None:
        assert self._capture is not None
        try:
            self._found = self._capture()
            if self._found is not None:
                event = RunUpdated(run=self._run, capture=self._found)
                self._try(lambda: self._keep(self._log.send_sure([event])))
        finally:
            self._captured.set()

    def _keep(self, task: EventsTask) -> None:
        self._waiting = [*(one for one in self._waiting if not one.sent), task]

    def _try(self, log: Callable[[], object]) -> None:
        """Log, or leave it: whoever ends the run finds the store in the same state, and says so."""
        try:
            log()
        except HeadwaterError:
            return

    # --- values

    def _record_changes(self) -> HeadwaterError | None:
        error: HeadwaterError | None = None
        with self._recording:  # in the order in which they were found
            for kind, changes in self._take_changes():
                self._keep(self._log.send(list(self._events(kind, changes))))
                error = error or changes.error
        return error

    def _take_changes(self) -> Iterator[tuple[str, Changes]]:
        for kind, values in (("config", self._config), ("summary", self._summary)):
            changes = values.take_changes()
            if changes is not None:
                yield kind, changes

    def _events(self, kind: str, changes: Changes) -> Iterator[RunUpdated]:
        """One, unless so many values were removed that it takes several; none where nothing can be recorded."""
        size, removed = RUN_VALUES_REMOVED_MAX, changes.removed
        for start in range(0, len(removed) or int(changes.set is not None), size):
            part, values = removed[start : start + size], changes.set if start == 0 else None
            if kind == "config":
                yield RunUpdated(run=self._run, config_set=values, config_removed=part)
            else:
                yield RunUpdated(run=self._run, summary_set=values, summary_removed=part)
