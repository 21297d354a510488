"""What this process writes for a run: versions, uses and, at the end, how the run ended."""

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headwater_runtime import fork_hooks
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreError, StoreMissing
from headwater_schemas.events import KILLED, Capture, Event, RunFinished, RunStarted
from headwater_schemas.names import RunName
from headwater_stores.telling.progress import Progress, notify

from headwater._active_run.active_run import push_run, remove_run
from headwater._commit.client import Client
from headwater._commit.pending_version import PendingVersion
from headwater._commit.record import CommitRecord
from headwater._commit.save import finish_draft, log_version, upsert_part
from headwater._commit.shared_drafts import SharedDraft
from headwater._commit.task import Task
from headwater._commit.tasks import EventsTask
from headwater._run.ending import check_final, end_run
from headwater._run.exit_state import ExitState
from headwater._run.termination import RECORD_S_MAX, before_termination, not_before_termination
from headwater._run.upkeep import Upkeep

if TYPE_CHECKING:
    from headwater._run.run import Run

SEND_NOW_S_MAX = 30.0  # what is not confirmed by then is with the next events
TASKS_BETWEEN_CLEANUPS = 256  # after so many more, the tasks that succeeded are dropped


class RunWriter:
    """Writes for one run. `ActiveRun` while this process has it started and not finished."""

    def __init__(self, client: Client, run: RunName, state: str) -> None:
        self._client = client
        self._run = run
        self._state = state
        self._pid: int | None = None  # the process that started it, and will finish it
        self._started: EventsTask | None = None  # in that process
        self._upkeep: Upkeep | None = None  # in that process
        self._exit_state: ExitState | None = None  # of that process
        self._handle: Run | None = None
        self._tasks: list[Task[Any]] = []  # those that are not done, or ended with an error that nobody has seen
        self._remembering = threading.Lock()
        fork_hooks.register_object(self, in_child=RunWriter._new_lock)

    @property
    def client(self) -> Client:
        """The connection to its store."""
        return self._client

    @property
    def run(self) -> RunName:
        """Its name, in parts."""
        return self._run

    @property
    def name(self) -> str:
        """ "entity/project/id"."""
        return str(self._run)

    @property
    def namespace(self) -> str:
        """ "entity/project"."""
        return f"{self._run.entity}/{self._run.project}"

    @property
    def state(self) -> str:
        """ "running", "finished" or "failed", as far as this process knows."""
        return self._state

    def check_running(self) -> None:
        """Raises: InvalidInput when the run is over."""
        if self._state != "running":
            raise InvalidInput(f"run {self.name} has ended ({self._state}). Start another with `headwater.init`.")

    def check_own(self) -> None:
        """Raises: InvalidInput when the run is over, or when another process started it."""
        self.check_running()
        if self._pid is None:
            raise InvalidInput(
                f"run {self.name} was read from the store, and only the process that starts a run can set its values. "
                f"Go on with it by headwater.init(id={self._run.id!r}), or set them where it was started."
            )
        if self._pid != os.getpid():
            raise InvalidInput(
                f"run {self.name} was started by process {self._pid}, and this is process {os.getpid()}, forked from "
                "it. Set the run's values in the process that started it."
            )

    def log(self, record: CommitRecord) -> PendingVersion:
        """Log a version as an output of this run. Raises: InvalidInput, StoreReadOnly."""
        return self._remember(log_version(self._client, record, self.name))

    def upsert(self, record: CommitRecord, shared: SharedDraft) -> PendingVersion:
        """Log a part of a shared draft. Raises: StoreReadOnly."""
        return self._remember(upsert_part(self._client, record, shared))

    def finish_draft(self, record: CommitRecord, shared: SharedDraft, writers: int | None) -> PendingVersion:
        """Log the commit of a shared draft. Raises: InvalidInput, StoreReadOnly."""
        return self._remember(finish_draft(self._client, record, shared, writers))

    def send(self, events: Sequence[Event]) -> EventsTask:
        """Log events. The end of the run raises what a rule has against them. Raises: StoreReadOnly."""
        task = self._client.send(events)
        self._remember_task(task)
        return task

    def send_sure(self, events: Sequence[Event]) -> EventsTask:
        """Log events that no rule can refuse. Raises: StoreReadOnly."""
        return self._client.send(events, rejectable=False)

    def send_now(self, events: Sequence[Event]) -> None:
        """Log events past everything that waits to be logged, such as large files, unless the start waits, too.

        Raises: StoreError.
        """
        if self._started is not None and self._started.sent:
            producer = self._client.session.producer
            producer.send(events)
            producer.confirm(timeout_s=SEND_NOW_S_MAX)

    @property
    def handle(self) -> "Run":
        """The run that this writes for, once it was started."""
        assert self._handle is not None
        return self._handle

    def captured(self) -> Capture | None:
        """What the run executes, as captured in this process or as recorded."""
        if self._upkeep is not None:
            return self._upkeep.captured()
        return self._client.stores.reads.capture_of(self.name)

    def start(self, handle: "Run", event: RunStarted, upkeep: Upkeep) -> None:
        """This process starts the run, and finishes it, when the process ends at the latest. Raises: StoreReadOnly."""
        self._started = self.send_sure([event])
        self._handle = handle
        self._upkeep = upkeep
        self._pid = os.getpid()
        self._exit_state = ExitState()
        push_run(self)
        self._client.add_exit_action(self._finish_at_exit)
        before_termination(self._record_termination)
        upkeep.start()

    def finish(self, state: str) -> None:
        """As `Run.finish`."""
        check_final(self.name, state)
        if self._state != "running":
            return
        if self._pid is None:
            end_run(self._client, self.name, state)
            self._state = state
            return
        if self._pid != os.getpid():
            self._client.queue.flush()  # a forked child does not end its parent's run
            return
        invalid = None if self._upkeep is None else self._upkeep.close()
        try:
            self._flush_with_progress()
            errors = [task.unraised_error for task in self._tasks if task.unraised_error is not None]
            if invalid is not None:
                errors.append(invalid)
            self._end("failed" if errors and state == "finished" else state)
        except StoreMissing:  # so that it can never end on the log
            if self._state == "running":
                self._close("failed")
            self._state = "failed"
            raise
        if errors:
            raise errors[0]

    def _end(self, state: str) -> None:
        self._close(state)
        self._client.send([RunFinished(run=self.name, state=state)], rejectable=False).result()

    def _close(self, state: str) -> None:
        """From now on nothing goes to the run."""
        self._state = state
        if state != "finished":
            self._client.keep_staged()
        self._let_go()

    def _let_go(self) -> None:
        """This process has no more to do with the run."""
        remove_run(self)
        self._client.remove_exit_action(self._finish_at_exit)
        not_before_termination(self._record_termination)
        if self._exit_state is not None:
            self._exit_state.close()

    def _finish_at_exit(self) -> bool:
        """End the run in the state in which the process ends. Returns whether everything was logged."""
        try:
            return self._state != "running" or self._pid != os.getpid() or self._finish_with_process()
        finally:
            self._let_go()  # also where its end could not be recorded

    def _finish_with_process(self) -> bool:
        has_failed = self._exit_state is not None and self._exit_state.has_failed
        try:
            self.finish("failed" if has_failed else "finished")
        except StoreError:
            raise  # it would fail for the next run too
        except HeadwaterError as error:
            notify(f"run {self._run.id} failed, because some artifacts were not logged: {error}")
            return False
        return True

    def _record_termination(self) -> None:
        """The process is ending by a signal: record that, and the last values, but wait for nothing else."""
        if self._state != "running" or self._pid != os.getpid():
            return
        self._state = KILLED
        assert self._started is not None
        assert self._upkeep is not None
        start = self._started.withdraw()
        producer = self._client.session.producer
        try:
            producer.send([*start, *self._upkeep.last_events(), RunFinished(run=self.name, state=KILLED)])
            producer.confirm(timeout_s=RECORD_S_MAX)
        except HeadwaterError as error:
            notify(f"it was not recorded that run {self._run.id} was killed: {error}")

    def _flush_with_progress(self) -> None:
        queue = self._client.queue
        if not queue.busy:
            return
        with Progress("logging", total=1, unit="", quiet=self._client.quiet) as progress:
            queue.flush(until=self._tasks, progress=progress.report)

    def _remember(self, pending: PendingVersion) -> PendingVersion:
        self._remember_task(pending.task)
        return pending

    def _remember_task(self, task: Task[Any]) -> None:
        with self._remembering:  # a task that another thread adds meanwhile must not be dropped
            self._tasks.append(task)
            if len(self._tasks) % TASKS_BETWEEN_CLEANUPS == 0:
                # In place: whoever ends the run meanwhile waits for what is in this list.
                self._tasks[:] = [task for task in self._tasks if not task.done or task.unraised_error is not None]

    def _new_lock(self) -> None:
        self._remembering = threading.Lock()
