"""Where the time of a writer goes: the calls in which it waits for others, timed one by one."""

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any
from unittest.mock import patch

from headwater._commit.commit_task import CommitTask
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.projection.remote import RemoteProjection
from headwater_producer.producer import Producer
from headwater_producer.stager import BlobStager

# None of them calls another.
_CALLS: tuple[tuple[str, type, str], ...] = (
    ("plan", CommitTask, "_plan"),  # asks the database what is there already
    ("upload", BlobStager, "publish"),
    ("append", Producer, "confirm"),
    ("project", EmbeddedProjection, "catch_up"),
    ("project", RemoteProjection, "catch_up"),
    ("project", RemoteProjection, "ask"),
)


class Stages:
    """While entered, adds up the seconds of each stage over all threads. Laps are stretches of the caller's own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._patches = ExitStack()
        self._last = time.perf_counter()

    def __enter__(self) -> "Stages":
        for stage, owner, name in _CALLS:
            self._patches.enter_context(patch.object(owner, name, self._timed(stage, getattr(owner, name))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patches.close()

    def lap(self, name: str) -> None:
        """The stretch that ends here is called `name`; the stages are parts of the laps."""
        now = time.perf_counter()
        self.seconds[f"lap_{name}"] += now - self._last
        self._last = now

    def _timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - start

        return timed
