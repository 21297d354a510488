"""One reader of the version events for all streams of a server, whatever their number.

A thread reads what is new and hands it to the event loop, where each event is given to the streams that want it. A
stream takes what is before the feed from the database, and so does one that is so
slow that its queue overflows: nothing here grows with a client that does not read. After an error that nobody foresaw
the thread begins again at the newest event, and all streams take from the database what it may have left out.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property

from headwater_consumer.queries.event_starts import last_version_events
from headwater_consumer.queries.results import EventFilter, VersionEventInfo
from headwater_consumer.subscriptions.following import EventReader
from headwater_runtime.daemon_threads import start_daemon
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreError
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.version_events import VersionEvent

from headwater_server.service import Service

QUEUED_MAX = 256  # events for one stream that it has not taken; then it reads from the database again
FEED_PAGE = 1000  # events read at once
WAIT_S = 1.0  # how soon the thread notices that the server stops, at the latest
FAILED_PAUSE_S = 0.5  # until a database that failed is asked again
LOOKING = Backoff(pause_s_min=0.01, pause_s_max=0.04)  # at the projection of a folder

_log = logging.getLogger("headwater.server")


class FedEvent:
    """An event, with the cursor of the feed after it. Its text is made once for all streams."""

    def __init__(self, info: VersionEventInfo, cursor: EventCursor) -> None:
        self.info = info
        self.cursor = cursor

    @cached_property
    def frame(self) -> bytes:
        """As a stream sends it, to who may read all of it."""
        return frame_of(self.info.told(self.cursor))


class Listener:
    """What one stream has not taken yet. For the event loop."""

    def __init__(self, wanted: EventFilter) -> None:
        self.wanted = wanted
        self.events: deque[FedEvent] = deque()
        self.is_behind = False  # there were too many: the database has them
        self.woken = asyncio.Event()

    def reset(self) -> None:
        """Begin again: nothing is queued, and whatever comes wakes."""
        self.events.clear()
        self.is_behind = False
        self.woken.clear()

    def give(self, event: FedEvent) -> None:
        """Queue an event that it may want."""
        if self.is_behind or not self.wanted.accepts(event.info):
            return
        if len(self.events) == QUEUED_MAX:
            self.fall_behind()
        else:
            self.events.append(event)
            self.woken.set()

    def fall_behind(self) -> None:
        """Have it read from the database what it was not given."""
        self.events.clear()
        self.is_behind = True
        self.woken.set()


class Feed:
    """Gives all new events to listeners. For one event loop, but for its thread, which the first listener starts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._listeners: defaultdict[str | None, set[Listener]] = defaultdict(set)  # by the project or entity wanted
        self._cursor: EventCursor | None = None  # how far listeners were given events; None until the thread begins
        self._begun = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return sum(map(len, self._listeners.values()))

    @property
    def cursor(self) -> EventCursor:
        """Everything up to here was given to who listens."""
        assert self._cursor is not None, "somebody is attached"
        return self._cursor

    async def attach(self, listener: Listener) -> EventCursor:
        """Give `listener` what follows the cursor that this returns."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._start()
        await self._begun.wait()
        listener.reset()
        self._listeners[_place(listener.wanted)].add(listener)
        return self.cursor

    def detach(self, listener: Listener) -> None:
        """Give `listener` nothing more. Doing so twice is fine."""
        place = _place(listener.wanted)
        self._listeners[place].discard(listener)
        if not self._listeners[place]:
            del self._listeners[place]

    def wake_all(self) -> None:
        """Have every stream look whether it should end."""
        for listener in self._all():
            listener.woken.set()

    # --- in the event loop, from the thread

    def _start(self) -> None:
        start_daemon(self._run, "event-feed")

    def _begin(self, cursor: EventCursor) -> None:
        """Who listens already was not given what is before `cursor`: the thread begins again."""
        self._cursor = cursor
        for listener in self._all():
            listener.fall_behind()
        self._begun.set()

    def _all(self) -> Iterator[Listener]:
        for listeners in self._listeners.values():
            yield from listeners

    def _deliver(self, events: Sequence[FedEvent], cursor: EventCursor) -> None:
        for event in events:
            for listener in self._who_may_want(event.info):
                listener.give(event)
        self._cursor = cursor

    def _who_may_want(self, info: VersionEventInfo) -> Iterator[Listener]:
        project = info.project
        for place in (None, project, project.partition("/")[0]):
            yield from self._listeners.get(place, ())

    # --- the thread

    def _run(self) -> None:
        try:
            self._read_all()
        finally:
            if not self._service.is_stopping:
                _log.error("Reading version events failed. All streams go on from the database.", exc_info=True)
                time.sleep(FAILED_PAUSE_S)
                self._in_loop(self._start)

    def _read_all(self) -> None:
        reader: EventReader | None = None
        while not self._service.is_stopping:
            try:
                if reader is None:
                    reader = self._reader()
                    self._in_loop(self._begin, reader.cursor)
                self._read(reader)
            except StoreError as error:
                _log.warning("Version events cannot be read now: %s", error)
                time.sleep(FAILED_PAUSE_S)

    def _read(self, reader: EventReader) -> None:
        page = reader.next_page(FEED_PAGE)
        if page.cursor != page.after:
            self._in_loop(self._deliver, [FedEvent(*one) for one in page.cursors()], page.cursor)
        if not page.more:
            reader.wait(WAIT_S)

    def _reader(self) -> EventReader:
        stores = self._service.stores
        return EventReader(
            stores.database,
            stores.projection,
            last_version_events(stores.database, stores.log.generation),
            wanted=EventFilter(),
            projects=False,
            is_remote=stores.is_remote,
            looking=LOOKING,
        )

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None, "the thread was started in it"
        with suppress(RuntimeError):  # it is closed: nobody listens any more
            self._loop.call_soon_threadsafe(call, *arguments)


def frame_of(event: VersionEvent) -> bytes:
    """An event as a stream sends it: its cursor is the id, by which a client goes on."""
    return f"id: {event.cursor}\ndata: {json.dumps(event.to_json(), ensure_ascii=False)}\n\n".encode()


def _place(wanted: EventFilter) -> str | None:
    return wanted.project or wanted.entity
