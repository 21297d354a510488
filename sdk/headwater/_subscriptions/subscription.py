"""The events that a subscriber gets, one after the other, as long as it wants."""

import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from threading import Event
from types import TracebackType

from headwater_runtime.closing import closed_on_failure
from headwater_schemas.version_events import VersionEvent

from headwater._subscriptions.source import EventSource


class Subscription(Iterator[VersionEvent]):
    """Iterates over version events. `stop` ends it from any thread; all else is for one thread. Made by `subscribe`."""

    def __init__(
        self, source: EventSource, *, after: str | datetime, name: str | None, timeout_s: float | None
    ) -> None:
        """The `source` is closed with it."""
        self._source = source
        self._name = name
        self._timeout_s = timeout_s
        self._token = uuid.uuid4().hex
        self._stopped = Event()
        self._waiting: deque[VersionEvent] = deque()  # that were read, and not given yet
        with closed_on_failure(self):
            self._remembered = "" if name is None else source.take_name(name, self._holder)
            if self._remembered:
                source.check(self._remembered)
            self._given = self._remembered or source.start(after)  # everything up to here is done with
            self._remember()
            self._read = self._given  # everything up to here is given or waiting
            if timeout_s == 0:
                source.catch_up()

    @property
    def cursor(self) -> str:
        """Where one goes on after the event that was given last, or begins. Pass it as `after`."""
        return self._given

    def mark_read(self) -> None:
        """The event that was given last is done with, as when the next one is asked for. Without a name: nothing.

        For who ends before the last event. Raises: NameTaken; StoreError.
        """
        self._remember()

    def stop(self) -> None:
        """End the iteration within some seconds; an event that is being waited for does not come. From any thread."""
        self._stopped.set()

    def close(self) -> None:
        """End the iteration and close the store. The event that was given last does not count as read."""
        self._stopped.set()
        self._source.close()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> VersionEvent:
        if not self._stopped.is_set():
            self._remember()
        event = self._next_within(self._timeout_s)
        if event is None:
            self.close()
            raise StopIteration
        self._given = event.cursor
        return event

    def _next_within(self, timeout_s: float | None) -> VersionEvent | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        wait_s = 0.0  # first for what is there
        while not self._stopped.is_set():
            if self._waiting:
                return self._waiting.popleft()
            page = self._source.read(self._read, wait_s=wait_s)
            self._read = page.cursor
            self._waiting.extend(page.events)
            if self._waiting or page.more:
                continue
            self._given = page.cursor  # passed over what is not wanted
            self._remember()
            wait_s = self._source.wait_s
            if deadline is not None:
                wait_s = min(wait_s, deadline - time.monotonic())
            if wait_s <= 0:
                return None
        return None

    def _remember(self) -> None:
        if self._name is not None and self._given != self._remembered:
            self._source.move_name(self._name, self._holder, self._given)
            self._remembered = self._given

    @property
    def _holder(self) -> str:
        """A forked child is another holder than its parent."""
        return f"{self._token}-{os.getpid()}"
