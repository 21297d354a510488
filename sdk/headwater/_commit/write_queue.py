"""Log in the background, in the order of the calls, and wait for the results.

Everything to be logged becomes a task in a queue. A caller who waits processes the queue itself; a background thread
does it for callers who do not wait. Tasks are processed in batches: their events share one append, one projection and
one look-up of their outcomes, which is what makes ten thousand small commits cheap.

A task ends in one of three ways: its events are accepted, a rule rejects them, or they cannot be sent at all. While the
log does not answer, tasks stay unfinished, and the next caller who waits tries them again; none is dropped silently.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from headwater_runtime.retries import Backoff
from headwater_schemas.codec import released_schemas
from headwater_schemas.errors import HeadwaterError, StoreUnavailable

TASKS_PER_BATCH = 256
LINGER_S = 0.05  # for how long the thread lets tasks gather; a caller who waits does not wait for it
THREAD_IDLE_S = 30.0  # an idle thread ends; the next task starts another
OUTAGE_BACKOFF = Backoff(pause_s_min=0.1, pause_s_max=2.0)  # while a server is away

T = TypeVar("T")


class Task(ABC, Generic[T]):
    """Something to log. `result` waits for its outcome."""

    needs_prior_outcomes = False  # it is sent once the outcome of every earlier task is known
    rejectable = True  # a rule may reject it, so it is done only when it was projected
    affects_names = False  # it may change which version a name or alias resolves to

    def __init__(self, queue: "WriteQueue") -> None:
        self._queue = queue
        self._done = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._error_raised = False

    @property
    def done(self) -> bool:
        """Whether it ended, successfully or not."""
        return self._done

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self._error is not None

    @property
    def unraised_error(self) -> BaseException | None:
        """The error it ended with, if there is one and no caller has seen it yet."""
        return None if self._error_raised else self._error

    @property
    def draft(self) -> tuple[str, str] | None:
        """(collection, draft) whose outcome is the task's, once it was sent; None for plain events."""
        return None

    @abstractmethod
    def send(self) -> None:
        """Hand the events to the producer. Raises: HeadwaterError when they cannot be sent."""

    @abstractmethod
    def resolve(self) -> bool:
        """Find the outcome of the events, once they are projected. False: more was sent, and it is not done."""

    def succeed(self, result: T) -> None:
        """The events were accepted."""
        self._result, self._done = result, True

    def fail(self, error: BaseException) -> None:
        """They were rejected, or could not be sent."""
        self._error, self._done = error, True

    def result(self) -> T:
        """Wait, and return the result. Raises: EventRejected and others, the error it ended with."""
        if not self._done:
            self._queue.flush(until=self)
        if self._error is not None:
            self._error_raised = True
            raise self._error
        assert self._done, "flush returns when the task is done, or raises"
        return self._result  # type: ignore[return-value]


class Confirm(Protocol):
    """Waits until what was sent is durable, and where asked until it is projected."""

    def __call__(self, *, projected: bool) -> None: ...


class WriteQueue:
    """The queue of one process and store."""

    def __init__(
        self, confirm: Confirm, look_up_outcomes: Callable[[Sequence[tuple[str, str]]], None], *, outage_s: float
    ) -> None:
        """`look_up_outcomes` takes the drafts of tasks. `outage_s`: for how long a server may be away."""
        self._confirm = confirm
        self._look_up_outcomes = look_up_outcomes
        self._outage_s = outage_s
        self._queue: deque[Task[Any]] = deque()
        self._sent: list[Task[Any]] = []  # their events are with the producer, their outcome is not known
        self._flushing = threading.RLock()
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._started = 0
        self._ended = 0

    def put(self, task: "Task[T]") -> "Task[T]":
        """Log `task` after all earlier ones. Returns at once."""
        with self._wakeup:
            self._queue.append(task)
            self._started += 1
            if self._thread is None:
                self._start_thread()
            else:
                self._wakeup.notify()
        return task

    @property
    def busy(self) -> bool:
        """Whether any task is not done."""
        return bool(self._queue or self._sent)

    @property
    def affects_names(self) -> bool:
        """Whether any task that is not done may change which version a name or alias resolves to."""
        return any(task.affects_names for task in (*self._queue, *self._sent))

    def flush(self, *, until: "Task[T] | None" = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Process the queue, to its end or until `until` is done.

        `progress` is called with the number of tasks that are done, and of all. Raises: StoreUnavailable and others
        when the log or the projection does not answer; the tasks stay, and the next call continues with them.
        """
        with self._flushing:
            ended = self._ended
            while self.busy and not (until is not None and until.done):
                self._process_batch()
                if progress is not None:
                    progress(self._ended - ended, self._started - ended)

    def _process_batch(self) -> None:
        while self._queue and len(self._sent) < TASKS_PER_BATCH:
            if self._sent and self._queue[0].needs_prior_outcomes:
                break
            task = self._queue[0]  # it stays there until it is sent: Ctrl-C may come at any moment, and loses nothing
            try:
                self._retry(task.send)
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                self._ended += 1
            else:
                self._sent.append(task)
            self._queue.popleft()
        if self._sent:
            projected = any(task.rejectable for task in self._sent)
            self._confirm(projected=projected)
            if projected:
                drafts = [task.draft for task in self._sent if task.draft is not None]
                self._retry(partial(self._look_up_outcomes, drafts))
            self._resolve_sent()

    def _retry(self, action: Callable[[], None]) -> None:
        """Try `action` again while a server is away, within the time allowed. Raises: what `action` raises."""
        retries = OUTAGE_BACKOFF.start(deadline=time.monotonic() + self._outage_s)
        while True:
            try:
                return action()
            except StoreUnavailable:
                if not retries.pause():
                    raise

    def _resolve_sent(self) -> None:
        sent_more: list[Task[Any]] = []
        for task in self._sent:
            if task.done:
                continue  # before an interrupt
            try:
                done = task.resolve()
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                done = True
            if done:
                self._ended += 1
            else:
                sent_more.append(task)
        self._sent = sent_more

    # --- the thread for callers who do not wait

    def _start_thread(self) -> None:
        released_schemas()  # imports modules, which must not be half imported when the process forks
        thread = threading.Thread(target=self._work, name="headwater-logging", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # the interpreter is ending; leaving the run flushes the queue
        self._thread = thread

    def _work(self) -> None:
        while True:
            with self._wakeup:
                if not self._queue and not self._wakeup.wait(THREAD_IDLE_S) and not self._queue:
                    self._thread = None
                    return
            # A caller who waits processes the queue meanwhile, so this delays nobody.
            time.sleep(LINGER_S)
            try:
                self.flush()
            except HeadwaterError:
                # The next caller who waits gets the same error; retrying before there is a new task is of no use.
                with self._wakeup:
                    self._wakeup.wait(THREAD_IDLE_S)
