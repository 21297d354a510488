"""A write queue whose calls are recorded, and tasks that do what a test tells them."""

import time
from collections.abc import Callable, Sequence

from headwater._commit.write_queue import Task, WriteQueue
from headwater_schemas.errors import StoreUnavailable

DONE_WITHIN_S = 20.0


class ObservedQueue:
    """A queue, and in order what it asks for: "send a", "confirm", "confirm projected", "look up a,b", "resolve a"."""

    def __init__(self, *, outage_s: float = 0.0) -> None:
        self.asked: list[str] = []
        self.confirms: list[BaseException] = []  # to be raised, one a call
        self.look_ups: list[BaseException] = []
        self.queue = WriteQueue(self._confirm, self._look_up, outage_s=outage_s)

    def _confirm(self, *, projected: bool) -> None:
        self.asked.append("confirm projected" if projected else "confirm")
        _raise_next(self.confirms)

    def _look_up(self, drafts: Sequence[tuple[str, str]]) -> None:
        self.asked.append("look up " + ",".join(draft for _, draft in drafts))
        _raise_next(self.look_ups)

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
    ) -> None:
        super().__init__(desk.queue)
        self.rejectable, self.needs_prior_outcomes = rejectable, needs_prior_outcomes
        self.affects_names = affects_names
        self._desk, self._name, self._is_draft = desk, name, is_draft
        self._sends, self._resolves = list(sends), list(resolves)

    @property
    def draft(self) -> tuple[str, str] | None:
        return ("team/vision/a", self._name) if self._is_draft else None

    def send(self) -> None:
        self._desk.asked.append(f"send {self._name}")
        _raise_next(self._sends)

    def resolve(self) -> bool:
        self._desk.asked.append(f"resolve {self._name}")
        if self._resolves:
            error = self._resolves.pop(0)
            if error is None:
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
