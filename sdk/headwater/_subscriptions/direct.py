"""Version events of a store that this process opens itself: a folder, or the servers of a profile."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.named_cursors import move_cursor, take_name
from headwater_consumer.queries.results import EventFilter
from headwater_consumer.subscriptions.following import EventReader
from headwater_consumer.subscriptions.starting import check_cursor, starting_cursor
from headwater_schemas.errors import StoreGone, StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_stores.catching_up import catch_up
from headwater_stores.config.settings import Settings
from headwater_stores.opening import open_for_reading
from headwater_stores.operational import open_operational
from headwater_stores.outages import patiently

from headwater._subscriptions.source import EventPage, Followed

PAGE = 256  # events read at once
MISSING_PAUSE_S = 1.0  # between two looks for a store that does not exist yet

T = TypeVar("T")


class DirectEvents:
    """See `EventSource`."""

    wait_s = 1.0

    def __init__(self, settings: Settings, followed: Followed) -> None:
        """Raises: StoreError."""
        self._settings = settings
        self._scope = followed.scope
        self._wanted = EventFilter(
            entity=followed.entity,
            project=followed.project,
            type=followed.type,
            alias=followed.alias,
            kinds=followed.kinds,
        )
        self._stores = open_for_reading(settings)
        self._reader: EventReader | None = None
        self._operational: OperationalDatabase | None = None

    def start(self, after: str | datetime) -> str:
        """See `EventSource`."""
        stores = self._stores
        if isinstance(after, datetime) and stores.missing is None:
            self.catch_up()
        return self._patiently(lambda: starting_cursor(stores.log, stores.database, stores.projection, after).encode())

    def check(self, cursor: str) -> None:
        """See `EventSource`."""
        stores = self._stores
        self._patiently(lambda: check_cursor(stores.log, stores.projection, EventCursor.decode(cursor)))

    def read(self, cursor: str, *, wait_s: float) -> EventPage:
        """See `EventSource`."""
        reader = self._reader_at(cursor)
        page = self._patiently(lambda: reader.next_page(PAGE))
        if not page.events and not page.more and wait_s > 0:
            if self._stores.missing is None:
                reader.wait(wait_s)
            else:
                time.sleep(min(wait_s, MISSING_PAUSE_S))
        return EventPage(page.told(), page.cursor.encode(), page.more)

    def catch_up(self) -> None:
        """See `EventSource`."""
        self._patiently(lambda: catch_up(self._stores, wait_s=self._settings.wait_s))

    def take_name(self, name: str, holder: str) -> str:
        """See `EventSource`. Raises: StoreMissing where there is no store that could remember it."""
        if self._stores.missing is not None:
            raise self._stores.missing
        return self._patiently(lambda: take_name(self._remembered(), self._scope, name, holder=holder).cursor)

    def move_name(self, name: str, holder: str, cursor: str) -> None:
        """See `EventSource`."""
        self._patiently(lambda: move_cursor(self._remembered(), self._scope, name, cursor, holder=holder))

    def close(self) -> None:
        """See `EventSource`."""
        if self._operational is not None:
            self._operational.close()
        self._stores.close()

    def _remembered(self) -> OperationalDatabase:
        if self._operational is None:
            self._operational = open_operational(self._settings)
        return self._operational

    def _reader_at(self, cursor: str) -> EventReader:
        """The reader that is there, as long as the store is. Raises: InvalidInput when it is another one by now."""
        found = EventCursor.decode(cursor)
        if not self._stores.is_current():
            self._stores.close()
            self._stores = stores = open_for_reading(self._settings)
            if not found.generation:  # there was none, and so no event that was passed over
                found = EventCursor(stores.log.generation)
            check_cursor(stores.log, stores.projection, found)
            self._reader = None
        if self._reader is None or self._reader.cursor != found:
            self._reader = self._reader_from(found)
        return self._reader

    def _reader_from(self, cursor: EventCursor) -> EventReader:
        stores = self._stores
        return EventReader(
            stores.database,
            stores.projection,
            cursor,
            wanted=self._wanted,
            projects=not (stores.is_remote or stores.read_only),
            is_remote=stores.is_remote,
        )

    def _patiently(self, action: Callable[[], T]) -> T:
        """What `action` returns, once the servers answer."""
        settings = self._settings
        return patiently(action, name=settings.url, outage_s=settings.outage_s, is_outage=self._is_outage)

    def _is_outage(self, error: StoreUnavailable) -> bool:
        return self._stores.is_remote and not isinstance(error, StoreGone)
