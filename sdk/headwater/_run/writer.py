"""What this process writes for a run: versions, uses and, at the end, how the run ended."""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

from headwater_runtime import fork_hooks
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreError
from headwater_schemas.events import RUN_STATES_FINAL, Event, RunFinished
from headwater_schemas.names import RunName

from headwater._active_run.active_run import push_run, remove_run
from headwater._commit.client import Client
from headwater._commit.pending_version import PendingVersion
from headwater._commit.record import CommitRecord
from headwater._commit.save import finish_draft, log_version, upsert_part
from headwater._commit.shared_drafts import SharedDraft
from headwater._commit.task import Task
from headwater._progress import Progress, notify

TASKS_BETWEEN_CLEANUPS = 256  # after so many more, the tasks that succeeded are dropped


class RunWriter:
    """Writes for one run. `ActiveRun` while this process has it started and not finished."""

    def __init__(self, client: Client, run: RunName, state: str) -> None:
        self._client = client
        self._run = run
        self._state = state
        self._pid: int | None = None  # the process that started it, and will finish it
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

    def log(self, record: CommitRecord) -> PendingVersion:
        """Log a version as an output of this run. Raises: InvalidInput, StoreReadOnly."""
        return self._remember(log_version(self._client, record, self.name))

    def upsert(self, record: CommitRecord, shared: SharedDraft) -> PendingVersion:
        """Log a part of a shared draft. Raises: StoreReadOnly."""
        return self._remember(upsert_part(self._client, record, shared))

    def finish_draft(self, record: CommitRecord, shared: SharedDraft, writers: int | None) -> PendingVersion:
        """Log the commit of a shared draft. Raises: InvalidInput, StoreReadOnly."""
        return self._remember(finish_draft(self._client, record, shared, writers))

    def send(self, events: Sequence[Event]) -> None:
        """Log events. Raises: StoreReadOnly."""
        self._remember_task(self._client.send(events))

    def start(self) -> None:
        """This process started the run, and finishes it, when the process ends at the latest."""
        self._pid = os.getpid()
        push_run(self)
        self._client.add_exit_action(self._finish_at_exit)

    def finish(self, state: str) -> None:
        """As `Run.finish`."""
        if state not in RUN_STATES_FINAL:
            raise InvalidInput(f"run {self.name} cannot end as {state!r}. Use {' or '.join(RUN_STATES_FINAL)}.")
        if self._state != "running":
            return
        if self._pid != os.getpid():
            self._client.queue.flush()  # a forked child does not end its parent's run
            return
        self._flush_with_progress()
        self._end(state)
        for task in self._tasks:
            if task.unraised_error is not None:
                raise task.unraised_error

    def _end(self, state: str) -> None:
        self._state = state
        if state != "finished":
            self._client.keep_staged()
        remove_run(self)
        self._client.remove_exit_action(self._finish_at_exit)
        self._client.send([RunFinished(run=self.name, state=state)], rejectable=False).result()

    def _finish_at_exit(self) -> None:
        if self._state != "running" or self._pid != os.getpid():
            return
        try:
            self.finish("failed" if _is_crashing() else "finished")
        except StoreError:
            raise  # it would fail for the next run too
        except HeadwaterError as error:
            notify(f"run {self._run.id} was not finished, and some artifacts were not logged: {error}")

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


def _is_crashing() -> bool:
    """Whether this process ends by an error: an uncaught one, or one that ends a process of `multiprocessing`."""
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return error is not None or getattr(sys, "last_type", None) is not None
