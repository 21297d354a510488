"""A write queue whose calls are recorded, and tasks that do what a test tells them."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from headwater._commit.outcomes import Outcomes
from headwater._commit.task import Awaited, Task
from headwater._commit.write_queue import WriteQueue
from headwater_producer.producer import SentEvent
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import Cut, Position

DONE_WITHIN_S = 20.0
KEY = "collection:team/vision/a"  # what the tasks are about


class ObservedQueue:
    """A queue and the log that its tasks go to, which says in order what it is asked for:

    "send a", "confirm", "reach", "look up a,b", "resolve a".
    """

    wait_s = 120.0

    def __init__(self, *, outage_s: float = 0.0) -> None:
        self.asked: list[str] = []
        self.confirms: list[BaseException] = []  # to be raised, one a call
        self.reaches: list[BaseException] = []
        self.look_ups: list[BaseException] = []
        self.ends: Counter[int] = Counter()  # partition → how many events are durable in it
        self.stopped: dict[int, int] = {}  # partition → the offset that its projection does not get beyond
        self.given_up: set[int] = set()  # the partitions that were waited for in vain
        self.waited: list[tuple[set[int], float]] = []  # for which partitions, and with which patience
        self._unconfirmed: list[tuple[SentEvent, int]] = []
        self.queue = WriteQueue(self, outage_s=outage_s)

    def sent(self, partition: int) -> SentEvent:
        """An event that was just sent and will be in a partition."""
        event = SentEvent("", "", 0)
        self._unconfirmed.append((event, partition))
        return event

    def confirm(self, *, gives_up: bool) -> None:
        self.asked.append("confirm")
        _raise_next(self.confirms)
        for event, partition in self._unconfirmed:
            event.positions.append(Position(0, partition, self.ends[partition]))
            self.ends[partition] += 1
        self._unconfirmed.clear()

    def cut_of(self, sent: Iterable[SentEvent]) -> Cut:
        return Cut("g").including(*[position for event in sent for position in event.positions])

    def ask(
        self, cut: Cut, drafts: Sequence[tuple[str, str]], sent: Iterable[SentEvent], *, patience_s: float
    ) -> Outcomes:
        del sent
        self.asked.append("reach")
        self.waited.append((set(cut.offsets), patience_s))
        _raise_next(self.reaches)
        self.asked.append("look up " + ",".join(draft for _, draft in drafts))
        _raise_next(self.look_ups)
        return Outcomes(
            Cut("g", {partition: self.stopped.get(partition, end) for partition, end in self.ends.items()}), {}
        )

    def is_given_up(self, cut: Cut) -> bool:
        return not self.given_up.isdisjoint(cut.offsets)

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:
        raise StoreUnavailable(f"the projection stands still before {dict(cut.offsets)} after {waited_s:.0f} s.")

    def awaited(self, what: Awaited) -> str:
        return f"what is to be {what}"

    def put(self, name: str, **more: object) -> "ScriptedTask":
        task = ScriptedTask(self, name, **more)  # type: ignore[arg-type] # as they were given
        self.queue.put(task)
        return task


class ScriptedTask(Task[str]):
    """A task that says what is asked of it, and fails as it is told to."""

    def __init__(
        self,
        desk: ObservedQueue,
        name: str,
        *,
        sends: Sequence[BaseException] = (),
        resolves: Sequence[BaseException | None] = (),  # None: it sends more
        rejectable: bool = True,
        needs_prior_outcomes: bool = False,
        affects_names: bool = False,
        is_draft: bool = True,
        partition: int = 0,
    ) -> None:
        super().__init__(desk.queue)
        self.rejectable, self.needs_prior_outcomes = rejectable, needs_prior_outcomes
        self.affects_names = affects_names
        self._desk, self._name, self._is_draft = desk, name, is_draft
        self._sends, self._resolves = list(sends), list(resolves)
        self._partition = partition
        self._sent: list[SentEvent] = []

    @property
    def draft(self) -> tuple[str, str] | None:
        return ("team/vision/a", self._name) if self._is_draft else None

    @property
    def keys(self) -> Collection[str]:
        return [KEY]

    @property
    def sent(self) -> Sequence[SentEvent]:
        return self._sent

    def send(self) -> None:
        self._desk.asked.append(f"send {self._name}")
        _raise_next(self._sends)
        self._sent = [self._desk.sent(self._partition)]

    def resolve(self, outcomes: Outcomes) -> bool:
        del outcomes
        self._desk.asked.append(f"resolve {self._name}")
        if self._resolves:
            error = self._resolves.pop(0)
            if error is None:
                self._sent = [self._desk.sent(self._partition)]
                return False
            raise error
        self.succeed(self._name)
        return True


def _raise_next(errors: list[BaseException]) -> None:
    if errors:
        raise errors.pop(0)


def gone() -> StoreUnavailable:
    return StoreUnavailable("the log does not answer.")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "nobody did it"
        time.sleep(0.005)
