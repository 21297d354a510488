"""Announcements among the processes that use one schema of a database: NOTIFY and LISTEN.

They are hints. Whoever waits for one also looks by himself, seldom, since one may be late, come twice or not at all:
PostgreSQL drops them when it crashes, and refuses them while its queue is full.
"""

import weakref
from typing import Any

from headwater_consumer.database.connection import Connection, driver_connection

LISTENERS_MAX = 64  # of a schema: each announcement wakes all of them, in PostgreSQL and in their processes
TEXT_BYTES_MAX = 7_900  # PostgreSQL takes 7,999
LOOK = ""  # what a listener finds first: what was announced before it listened, it may have missed
LOCK_TIMEOUT_S = 1  # all announcements of a server wait for each other

# The first slot that is free, kept until the connection ends; no row where all are taken.
_TAKE_SLOT = """
    SELECT slot FROM generate_series(1, %s) AS slot
    WHERE pg_try_advisory_lock(hashtext('headwater listens ' || %s), slot) LIMIT 1
"""


class PostgresqlAnnouncements:
    """The part of a `DatabaseAdapter` that announces and hears."""

    schema: str
    errors: tuple[type[Exception], ...]

    def __init__(self) -> None:
        # Connection → what was heard on it and not told yet; None where others listen in its stead.
        self._heard: weakref.WeakKeyDictionary[Any, list[str] | None] = weakref.WeakKeyDictionary()

    def announce(self, connection: Connection, text: str) -> None:
        """See `DatabaseAdapter`."""
        if len(text) > TEXT_BYTES_MAX:
            text = LOOK
        quoted = text.replace("'", "''")
        driver_connection(connection).execute(
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'; NOTIFY \"{self.schema}\", '{quoted}'"
        )

    def hear(self, connection: Connection, timeout_s: float) -> list[str] | None:
        """See `DatabaseAdapter`."""
        driver: Any = driver_connection(connection)
        if driver not in self._heard:
            self._heard[driver] = self._begin_to_listen(driver)
        heard = self._heard[driver]
        if heard is None:
            return None
        if not heard:
            return [one.payload for one in driver.notifies(timeout=timeout_s, stop_after=1)]
        self._heard[driver] = []
        return heard

    def _begin_to_listen(self, driver: Any) -> list[str] | None:
        if driver.execute(_TAKE_SLOT, [LISTENERS_MAX, self.schema]).fetchone() is None:
            return None
        driver.execute(f'LISTEN "{self.schema}"')
        return [LOOK]

    def _reads_announcements(self, driver: Any) -> bool:
        """Whether announcements are what an idle connection has to be read. They are kept for the next `hear`."""
        heard = self._heard.get(driver)
        if heard is None:
            return False
        try:
            heard += [one.payload for one in driver.notifies(timeout=0)]
        except self.errors:
            return False
        return not driver.closed
