"""The newest version events, read once for all webhooks."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

from headwater_consumer.queries.results import EventFilter, VersionEventPage
from headwater_consumer.subscriptions.following import EventReader
from headwater_consumer.subscriptions.starting import cursor_of_cut
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.event_cursors import EventCursor
from headwater_stores.stores import Stores

PAGE = 256  # events read at once
PAGES_KEPT_MAX = 64
LOOK_S = 0.02  # between two looks at a folder's projection
LISTEN_S = 1.0  # for which projectors' announcements are listened to at once
FAILED_PAUSE_S = 1.0

_log = logging.getLogger("headwater.server")


@dataclass(slots=True)
class Tail:
    """Pages of events, numbered as they were read. All but `_run` is for the loop's thread."""

    stores: Stores
    moved: Callable[[], None]  # there is another page
    begin: EventCursor = field(init=False)  # before the first page that was read
    first: int = 0  # the number of the oldest page that is kept
    is_started: bool = False
    _pages: deque[VersionEventPage] = field(default_factory=deque)
    _stopped: Event = field(default_factory=Event)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what comes from now on, in a thread. Raises: StoreError."""
        # What is projected is read from here on; what is older each webhook reads by itself.
        self.begin = cursor_of_cut(self.stores.log, self.stores.projection.reached())
        start_daemon(lambda: self._run(loop), "webhooks-tail")
        self.is_started = True

    def stop(self) -> None:
        """End the thread, soon."""
        self._stopped.set()

    @property
    def next(self) -> int:
        """The number of the page that was not read yet."""
        return self.first + len(self._pages)

    def page(self, number: int) -> VersionEventPage | None:
        """A page that is kept; None when it was not read yet. `number` is at least `first`."""
        return self._pages[number - self.first] if number < self.next else None

    def _add(self, page: VersionEventPage) -> None:
        self._pages.append(page)
        if len(self._pages) > PAGES_KEPT_MAX:
            self._pages.popleft()
            self.first += 1
        self.moved()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        stores = self.stores
        reader = EventReader(
            stores.database,
            stores.projection,
            self.begin,
            wanted=EventFilter(),
            projects=False,
            is_remote=stores.is_remote,
        )
        while not self._stopped.is_set() and not loop.is_closed():
            try:
                page = reader.next_page(PAGE)
            except HeadwaterError as error:
                _log.warning("Webhooks wait for the store: %s", error)
                self._stopped.wait(FAILED_PAUSE_S)
                continue
            if page.events:
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(self._add, page)
            elif not page.more:
                reader.wait(LISTEN_S if stores.is_remote else LOOK_S)
