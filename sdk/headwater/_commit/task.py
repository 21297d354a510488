"""Something to log, and what it needs of the log that it goes to."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from headwater_producer.producer import SentEvent
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.positions import Cut

from headwater._commit.outcomes import Outcomes

if TYPE_CHECKING:
    from headwater._commit.write_queue import WriteQueue

T = TypeVar("T")
Awaited = Literal["stored", "confirmed", "projected"]  # what is to become of something next


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

    @property
    @abstractmethod
    def keys(self) -> Collection[str]:
        """What its events are about."""

    @property
    @abstractmethod
    def sent(self) -> Sequence[SentEvent]:
        """The events whose outcome is to be known next; none before they were sent."""

    @property
    def refusal(self) -> HeadwaterError | None:
        """Why the log does not take one of these."""
        return next((event.refusals[0] for event in self.sent if event.refusals), None)

    def refused(self, refusal: HeadwaterError) -> bool:  # noqa: ARG002
        """The log does not take an event of it: whether it was sent anew. Raises: HeadwaterError when that failed."""
        return False

    @property
    def is_durable(self) -> bool:
        """Whether these are on the log."""
        return all(event.is_confirmed for event in self.sent)

    @abstractmethod
    def send(self) -> None:
        """Hand the events to the producer. Raises: HeadwaterError when they cannot be sent."""

    @abstractmethod
    def resolve(self, outcomes: Outcomes) -> bool:
        """Take note of the outcome of the events, once they are projected. False: more was sent, and it is not done."""

    def succeed(self, result: T) -> None:
        """The events were accepted."""
        self._result, self._done = result, True

    def fail(self, error: BaseException) -> None:
        """They were rejected, or could not be sent."""
        self._error, self._done = error, True

    def result(self, timeout_s: float | None = None) -> T:
        """Wait, and return the result. Raises: EventRejected and others, the error it ended with."""
        if not self._done:
            self._queue.flush(until=[self], timeout_s=timeout_s)
        if self._error is not None:
            self._error_raised = True
            raise self._error
        assert self._done, "flush returns when the task is done, or raises"
        return self._result  # type: ignore[return-value]


class TaskLog(Protocol):
    """Where the events of tasks go, and what becomes of them; `WriteSession` is one."""

    @property
    def wait_s(self) -> float:
        """For how long the projection may make no progress."""
        ...

    def confirm(self, *, gives_up: bool) -> object:
        """Wait until what was sent is durable. With `gives_up`, a log that does not answer is not waited for again."""
        ...

    def cut_of(self, sent: Iterable[SentEvent]) -> Cut:
        """The smallest cut that holds these events, which are durable."""
        ...

    def ask(
        self, cut: Cut, drafts: Sequence[tuple[str, str]], sent: Iterable[SentEvent], *, patience_s: float
    ) -> Outcomes:
        """Wait until `cut` is projected, about `patience_s` at most; what became of these drafts and events by then.

        `drafts` are (collection, draft) each.
        """
        ...

    def is_given_up(self, cut: Cut) -> bool:
        """Whether `cut` was waited for in vain, and nothing has changed since."""
        ...

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:
        """Raises: StoreUnavailable, unless the projection has `cut` by now. With `gives_up`, nobody waits again."""
        ...

    def awaited(self, what: Awaited) -> str | None:
        """What keeps who waits for this; None where that needs no words."""
        ...
