"""Log in the background, in the order of the calls, and wait for the results.

Everything to be logged becomes a task in a queue. A caller who waits processes the queue itself; a background thread
does it for callers who do not wait. Tasks are processed in batches: their events share one append, one projection and
one look-up of their outcomes, which is what makes ten thousand small commits cheap. A task waits for the partitions of
its own events: one that is stopped delays nobody else.

A task ends in one of three ways: its events are accepted, a rule rejects them, or they cannot be sent at all. While the
log does not answer, tasks stay unfinished, and the next caller who waits tries them again; none is dropped silently.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from headwater_producer.producer import SentEvent
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import HeadwaterError, StoreGone, StoreUnavailable
from headwater_schemas.positions import Cut
from headwater_stores.outages import OUTAGE_BACKOFF
from headwater_stores.telling.waiting import telling

from headwater._commit.outcomes import NOTHING_TOLD, Outcomes
from headwater._commit.stalled import StalledPartitions
from headwater._commit.task import Task, TaskLog

TASKS_PER_BATCH = 256
LINGER_S = 0.05  # for how long the thread lets tasks gather; a caller who waits does not wait for it
LINGERS_MAX = 20  # of these in a row, while callers process the queue who wait again and again
CALLERS_S = 1.0  # between two looks at what other threads ask for: each says when it has its answer
THREAD_IDLE_S = 30.0  # an idle thread ends; the next task starts another
PATIENCE_S = 5.0  # for a partition of the projection; after that, other tasks do not wait for it
STALLED_PATIENCE_S = 0.25  # where nothing else is to be waited for; new tasks wait so long as well

T = TypeVar("T")


class _Question:
    """What is asked about tasks once a cut is projected: about their events as they are now."""

    def __init__(self, cut: Cut, tasks: Sequence[Task[Any]]) -> None:
        self.cut = cut
        self.drafts = [task.draft for task in tasks if task.draft is not None]
        self._about = [(task, list(task.sent)) for task in tasks]

    @property
    def events(self) -> list[SentEvent]:
        return [event for _, events in self._about for event in events]

    def tells(self, tasks: Sequence[Task[Any]], cut: Cut) -> bool:
        """Whether it is about all of these, whose cut this is, and waits for no other partition."""
        about = set(map(id, self.unchanged()))
        return self.cut.offsets.keys() == cut.offsets.keys() and all(id(task) in about for task in tasks)

    def unchanged(self) -> list[Task[Any]]:
        """The tasks that are still about these events: other threads may have resolved some, and sent more."""
        return [task for task, events in self._about if not task.done and events == list(task.sent)]


class WriteQueue:
    """The queue of one process and store."""

    def __init__(self, log: TaskLog, *, outage_s: float, tells: bool = False) -> None:
        """`outage_s`: for how long a server may be away. `tells`: who waits long is told what for."""
        self._log = log
        self.outage_s = outage_s
        self._tells = tells
        self._trouble: str | None = None  # why the last attempt failed, while a server is away
        self._gave_up = False  # a server was away for too long, and nothing has succeeded since
        self._queue: deque[Task[Any]] = deque()
        self._sent: list[Task[Any]] = []  # their events are with the producer, their outcome is not known
        self._stalled = StalledPartitions()
        self._flushing = threading.RLock()
        self._called_for: Counter[int] = Counter()  # id of a task → how many callers ask for it at this moment
        self._asked_for_all: list[_Question] = []  # at this moment, by the thread, and by others who wait for all tasks
        self._wakeup = threading.Condition()
        self._answered = threading.Condition()  # somebody has an answer, or there is a new task
        self._answers = 0  # so far
        self._thread: threading.Thread | None = None
        self._started = 0
        self._ended = 0
        self._waits_ended = 0  # how often callers came back from waiting

    def put(self, task: Task[T]) -> Task[T]:
        """Log `task` after all earlier ones. Returns at once."""
        with self._wakeup:
            self._queue.append(task)
            self._started += 1
            if self._thread is None:
                self._start_thread()
            else:
                self._wakeup.notify()
        with self._answered:
            self._answered.notify_all()
        return task

    @property
    def busy(self) -> bool:
        """Whether any task is not done."""
        return bool(self._queue or self._sent)

    def affecting_names(self, key: str) -> list[Task[Any]]:
        """The tasks that may change which version a name or alias resolves to, of the collection with this key."""
        with self._wakeup:  # others put tasks meanwhile
            unfinished = (*self._queue, *self._sent)
        return [task for task in unfinished if task.affects_names and key in task.keys]

    def flush(
        self,
        *,
        until: Collection[Task[Any]] | None = None,
        progress: Callable[[int, int], None] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Process the queue, to its end or until these tasks are done.

        `progress` is called with the number of tasks that are done, and of all. Raises: StoreUnavailable and others
        when the log or the projection does not answer, makes no progress, or has not done all of it within `timeout_s`
        where that is given; the tasks stay, and the next call continues with them.
        """
        with telling(self._what_is_awaited) if self._tells else nullcontext():
            self._flush(until, progress, timeout_s, gives_up=timeout_s is None)
        self._waits_ended += 1

    def _flush(
        self,
        until: Collection[Task[Any]] | None,
        progress: Callable[[int, int], None] | None,
        timeout_s: float | None,
        *,
        gives_up: bool,
    ) -> None:
        """As `flush`. With `gives_up`, what was waited for in vain is not waited for again while nothing changes."""
        ended = self._ended
        before, since_s = self._progress_of(until), time.monotonic()
        patience_s_max = min(PATIENCE_S, self._log.wait_s if timeout_s is None else timeout_s)
        while not self._is_done(until):
            self._process_batch(until, patience_s_max=patience_s_max, gives_up=gives_up)
            if progress is not None:
                progress(self._ended - ended, self._started - ended)
            now, waited_s = self._progress_of(until), time.monotonic() - since_s
            if timeout_s is None and now != before:
                before, since_s = now, time.monotonic()
            elif not self._is_done(until) and self._is_over(until, waited_s, timeout_s):
                self._log.raise_overdue(self._cut_of(self._asked_for(until)), waited_s=waited_s, gives_up=gives_up)

    def _is_done(self, until: Collection[Task[Any]] | None) -> bool:
        return not self.busy or (until is not None and all(task.done for task in until))

    def _is_over(self, until: Collection[Task[Any]] | None, waited_s: float, timeout_s: float | None) -> bool:
        """Whether who waits has waited long enough."""
        if timeout_s is not None:
            return waited_s >= timeout_s
        return waited_s > self._log.wait_s or self._log.is_given_up(self._cut_of(self._asked_for(until)))

    def _what_is_awaited(self) -> str | None:
        """What keeps who waits, for people."""
        if self._trouble is not None:
            return f"servers: {self._trouble}"
        if not all(task.is_durable for task in tuple(self._sent)):
            return self._log.awaited("confirmed")
        return self._log.awaited("stored" if self._queue else "projected")

    def retry(self, action: Callable[[], None]) -> None:
        """Try `action` again while a server is away, within the time allowed, which is given once an outage.

        Raises: what `action` raises.
        """
        retries = OUTAGE_BACKOFF.start(deadline=time.monotonic() + (0.0 if self._gave_up else self.outage_s))
        while True:
            try:
                action()
            except StoreGone:
                raise  # it does not come back by itself
            except StoreUnavailable as error:
                self._trouble = str(error)
                if not retries.pause():
                    self._trouble, self._gave_up = None, True
                    raise
            else:
                self._trouble, self._gave_up = None, False
                return

    def _process_batch(self, until: Collection[Task[Any]] | None, *, patience_s_max: float, gives_up: bool) -> None:
        """Send tasks, and resolve those whose events are projected. Other threads may do so while this one waits."""
        with self._flushing:
            self._send_batch()
            if self._sent:
                self._log.confirm(gives_up=gives_up)
                self._fail_refused()
            awaited, patience_s = self._awaited(until)
            asked = self._not_asked_for(awaited, by_name=until is not None)
            answers = self._answers
            cut = self._cut_of(asked)
            question = _Question(cut, self._answered_with(cut) if asked or not awaited else [])
            callers = Counter(map(id, () if until is None else asked))
            self._called_for += callers
            if asked and until is None:
                self._asked_for_all.append(question)
        patience_s = min(patience_s, patience_s_max)
        try:
            outcomes = self._ask(question, callers, patience_s) if asked else NOTHING_TOLD
            with self._flushing:
                self._resolve_sent(question, outcomes)
        finally:
            if asked:
                self._note_answer(question)
        if awaited and not asked:
            self._wait_for_answer(answers, min(CALLERS_S, patience_s))

    def _ask(self, question: _Question, callers: Counter[int], patience_s: float) -> Outcomes:
        try:
            outcomes = self._log.ask(question.cut, question.drafts, question.events, patience_s=patience_s)
        finally:
            with self._flushing:
                self._called_for -= callers
        with self._flushing:
            self._stalled.note(question.cut, outcomes.reached)
        return outcomes

    def _note_answer(self, question: _Question) -> None:
        with self._flushing:
            self._asked_for_all = [other for other in self._asked_for_all if other is not question]
        with self._answered:
            self._answers += 1
            self._answered.notify_all()

    def _wait_for_answer(self, answers: int, timeout_s: float) -> None:
        """Wait until another thread has an answer, or there is a new task; not for long while one is held back."""
        with self._answered:
            if self._answers == answers:
                self._answered.wait(LINGER_S if self._queue else timeout_s)

    def _send_batch(self) -> None:
        room = TASKS_PER_BATCH - sum(not self._stalled.delays(task) for task in self._sent)
        while self._queue and room > 0:
            if self._queue[0].needs_prior_outcomes and not all(map(self._stalled.delays, self._sent)):
                break
            task = self._queue[0]  # it stays there until it is sent: Ctrl-C may come at any moment, and loses nothing
            try:
                self.retry(task.send)
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                self._ended += 1
            else:
                self._sent.append(task)
                room -= 1
            with self._wakeup:
                self._queue.popleft()

    def _fail_refused(self) -> None:
        """Tasks of which the log does not take an event. What else of them is on the log has no effect by itself."""
        for task in self._sent:
            if task.done or (refusal := task.refusal) is None:
                continue
            error: Exception = refusal
            try:
                if task.refused(refusal):
                    continue
            except (HeadwaterError, OSError) as failure:
                error = failure
            task.fail(error)
            self._ended += 1

    def _progress_of(self, until: Collection[Task[Any]] | None) -> object:
        """Changes whenever what is waited for gets on."""
        unfinished = [task for task in until or () if not task.done]
        if until is None or not all(task.sent for task in unfinished):
            return self._ended
        return [task.sent[-1] for task in unfinished]

    def _waiting(self) -> list[Task[Any]]:
        """The tasks that are durable, and done once they are projected."""
        return [task for task in self._sent if task.rejectable and not task.done and task.is_durable]

    def _asked_for(self, until: Collection[Task[Any]] | None) -> list[Task[Any]]:
        """Those of `until` that are waiting, if there are any, or else all."""
        waiting = self._waiting()
        wanted = set(map(id, until or ()))
        return [task for task in waiting if id(task) in wanted] or waiting

    def _not_asked_for(self, tasks: list[Task[Any]], *, by_name: bool) -> list[Task[Any]]:
        """Those that another thread does not ask for at this moment; of tasks that are waited for `by_name`, all or
        none. A second connection that asks the same costs the database more than all of its answers.
        """
        if by_name:
            cut = self._cut_of(tasks)
            return [] if any(question.tells(tasks, cut) for question in self._asked_for_all) else tasks
        return [task for task in tasks if id(task) not in self._called_for]

    def _answered_with(self, cut: Cut) -> list[Task[Any]]:
        """The tasks of which it may be known what became of them once `cut` is projected."""
        partitions = cut.offsets.keys()
        return [
            task
            for task in self._waiting()
            if all(position.partition in partitions for event in task.sent for position in event.positions)
        ]

    def _cut_of(self, tasks: Iterable[Task[Any]]) -> Cut:
        return self._log.cut_of(event for task in tasks for event in task.sent)

    def _awaited(self, until: Collection[Task[Any]] | None) -> tuple[list[Task[Any]], float]:
        """What to ask for and how long: for what is in stalled partitions only where nothing else is to be asked."""
        asked = self._asked_for(until)
        moving = [task for task in asked if not self._stalled.delays(task)]
        return (moving, PATIENCE_S) if moving else (asked, STALLED_PATIENCE_S)

    def _resolve_sent(self, question: _Question, outcomes: Outcomes) -> None:
        """Resolve what was asked about, where it was answered, and what need only be durable."""
        answered = {id(task) for task in question.unchanged() if outcomes.reached.includes(self._cut_of([task]))}
        unresolved: list[Task[Any]] = []
        for task in self._sent:
            if task.done:
                continue  # before an interrupt
            if id(task) not in answered and (task.rejectable or not task.is_durable):
                unresolved.append(task)
                continue
            try:
                done = task.resolve(outcomes)
            except (HeadwaterError, OSError) as error:
                task.fail(error)
                done = True
            if done:
                self._ended += 1
            else:
                unresolved.append(task)
        self._sent = unresolved

    # --- the thread for callers who do not wait

    def _start_thread(self) -> None:
        self._thread = start_daemon(self._work, "logging")  # without one, leaving the run flushes the queue

    def _linger(self) -> None:
        """Let tasks gather. A caller who waits processes the queue meanwhile, so this delays nobody.

        Callers who wait again and again do so with connections that have read all there is, which the thread's have
        not; it would only take turns with them.
        """
        for _ in range(LINGERS_MAX):
            before = self._waits_ended
            time.sleep(LINGER_S)
            if self._waits_ended == before:
                return

    def _work(self) -> None:
        while True:
            with self._wakeup:
                if not self._queue and not self._wakeup.wait(THREAD_IDLE_S) and not self._queue:
                    self._thread = None
                    return
            self._linger()
            try:
                self._flush(None, None, None, gives_up=False)
            except HeadwaterError:
                # The next caller who waits gets the same error; retrying before there is a new task is of no use.
                with self._wakeup:
                    self._wakeup.wait(THREAD_IDLE_S)
