"""Log in the background, in the order of the calls, and wait for it.

What is to be logged becomes a task in a queue. Whoever waits works the queue off himself; a thread does it for those
who do not wait. Tasks are taken together: their events share one append, one projection and one question about what
became of them, which is what makes ten thousand small commits cheap.

A task ends in one of three ways: its events count, a rule refused them, or it could not be sent at all. If the log
does not answer, its tasks stay unfinished and are tried again by whoever waits next; nothing is dropped in silence.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headwater_runtime.retries import Backoff
from headwater_schemas.codec import released_schemas
from headwater_schemas.errors import HeadwaterError, StoreUnavailable

if TYPE_CHECKING:
    from headwater._commit.client import Client

TASKS_PER_TURN = 256
LINGER_S = 0.05  # how long the thread lets tasks gather before it takes them; who waits does not wait for it
THREAD_IDLE_S = 30.0  # an idle thread ends; the next task starts another
OUTAGE = Backoff(pause_s_min=0.1, pause_s_max=2.0)  # between attempts while a server is away

T = TypeVar("T")


class Task(ABC, Generic[T]):
    """Something to log. `result` waits for what became of it."""

    alone = False  # it must see the outcome of every task before it
    judged = True  # a rule may refuse it, so that it is over only when it was projected
    moves_names = False  # it may change which version a name stands for

    def __init__(self, logger: "Logger") -> None:
        self._logger = logger
        self._done = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._heard = False

    @property
    def done(self) -> bool:
        """Whether it ended, in whatever way."""
        return self._done

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self._error is not None

    @property
    def unheard_error(self) -> BaseException | None:
        """Why it ended badly, if it did and nobody was told yet."""
        return None if self._heard else self._error

    @property
    def draft(self) -> tuple[str, str] | None:
        """(collection, draft) whose outcome tells what became of it, once it was sent; None for plain events."""
        return None

    @abstractmethod
    def send(self, client: "Client") -> None:
        """Hand the events to the producer. Raises: HeadwaterError when they cannot be sent."""

    @abstractmethod
    def settle(self, client: "Client") -> bool:
        """Find out what became of the events, once they are projected. False: it was sent anew and is not over."""

    def succeed(self, result: T) -> None:
        """The events count."""
        self._result, self._done = result, True

    def fail(self, error: BaseException) -> None:
        """They do not."""
        self._error, self._done = error, True

    def result(self) -> T:
        """Wait, and return what became of it. Raises: EventRejected and others, as it ended."""
        if not self._done:
            self._logger.drain(until=self)
        if self._error is not None:
            self._heard = True
            raise self._error
        assert self._done, "drain returns when the task is over, or raises"
        return self._result  # type: ignore[return-value]


class Logger:
    """The queue of one process and store."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._queue: deque[Task[Any]] = deque()
        self._sent: list[Task[Any]] = []  # their events are with the producer, their outcome is not known
        self._draining = threading.RLock()
        self._waking = threading.Condition()
        self._thread: threading.Thread | None = None
        self._started = 0
        self._ended = 0

    def put(self, task: "Task[T]") -> "Task[T]":
        """Log `task` after all that was put before it. Returns at once."""
        with self._waking:
            self._queue.append(task)
            self._started += 1
            if self._thread is None:
                self._start_thread()
            else:
                self._waking.notify()
        return task

    @property
    def busy(self) -> bool:
        """Whether anything is not over."""
        return bool(self._queue or self._sent)

    @property
    def moves_names(self) -> bool:
        """Whether anything that is not over may change which version a name stands for."""
        return any(task.moves_names for task in (*self._queue, *self._sent))

    def drain(self, *, until: "Task[T] | None" = None, progress: Callable[[int, int], None] | None = None) -> None:
        """Work the queue off, all of it or until `until` is over.

        `progress` is called with how many tasks are over, and how many there are. Raises: StoreUnavailable and others
        when the log or the projection does not answer; the tasks stay, and the next call goes on with them.
        """
        with self._draining:
            started = self._ended
            while self.busy and not (until is not None and until.done):
                self._turn()
                if progress is not None:
                    progress(self._ended - started, self._started - started)

    def _turn(self) -> None:
        while self._queue and len(self._sent) < TASKS_PER_TURN:
            if self._sent and self._queue[0].alone:
                break
            task = self._queue[0]  # and stays there until it is sent: Ctrl-C may come at any moment, and loses nothing
            try:
                self._patiently(partial(task.send, self._client))
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                self._ended += 1
            else:
                self._sent.append(task)
            self._queue.popleft()
        if self._sent:
            judged = any(task.judged for task in self._sent)
            self._client.confirm(judged=judged)
            self._settle(judged=judged)

    def _patiently(self, action: Callable[[], None]) -> None:
        """`action`, tried again while a server is away for no longer than may happen. Raises: what `action` raises."""
        retries = OUTAGE.start(deadline=time.monotonic() + self._client.stores.outage_s)
        while True:
            try:
                return action()
            except StoreUnavailable:
                if not retries.pause():
                    raise

    def _settle(self, *, judged: bool) -> None:
        if judged:
            self._patiently(partial(self._client.look_up_outcomes, self._sent))
        sent_anew: list[Task[Any]] = []
        for task in self._sent:
            if task.done:
                continue  # before an interrupt
            try:
                over = task.settle(self._client)
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                over = True
            if over:
                self._ended += 1
            else:
                sent_anew.append(task)
        self._sent = sent_anew

    # --- the thread for those who do not wait

    def _start_thread(self) -> None:
        released_schemas()  # imports modules, which a fork must not find half done by the thread
        thread = threading.Thread(target=self._work, name="headwater-logging", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # the interpreter is ending; whoever leaves the run works the queue off
        self._thread = thread

    def _work(self) -> None:
        while True:
            with self._waking:
                if not self._queue and not self._waking.wait(THREAD_IDLE_S) and not self._queue:
                    self._thread = None
                    return
            # A caller who waits works the queue off meanwhile, so that this costs nobody anything.
            time.sleep(LINGER_S)
            try:
                self.drain()
            except HeadwaterError:
                # Whoever waits meets the same and is told; without a new task there is no use in trying at once.
                with self._waking:
                    self._waking.wait(THREAD_IDLE_S)
