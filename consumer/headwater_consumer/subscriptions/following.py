"""Reading version events one page after the other, and waiting for more.

An idle reader costs one small statement for each look. What projectors announced tells it when to look, and now and
then it looks by itself, since announcements are hints. In a folder it looks at the log, and projects what others wrote.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import Cut

from headwater_consumer.database import Database
from headwater_consumer.projection.news import REAL_TIME, SLICE_S, WaitTimer
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.results import EventFilter, VersionEventPage

LISTEN_S = 2.0  # a listener looks by itself after so long
LOOKING = Backoff(pause_s_min=0.02, pause_s_max=1.0, growth=1.5)  # between two looks where nobody can listen
LOOKING_AT_FOLDER = Backoff(pause_s_min=0.02, pause_s_max=0.2, growth=1.3)
CATCH_UP_S = 60.0  # for one turn of projecting, in a folder


class FollowedProjection(Protocol):
    """What is asked of a projection here."""

    def reached(self) -> Cut: ...

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None: ...


class EventReader:
    """Reads on from a cursor. For one thread."""

    def __init__(
        self,
        database: Database,
        projection: FollowedProjection,
        after: EventCursor,
        *,
        wanted: EventFilter,
        projects: bool,
        is_remote: bool,
        looking: Backoff = LOOKING_AT_FOLDER,
        timer: WaitTimer = REAL_TIME,
    ) -> None:
        """`projects`: this process projects what others wrote. `is_remote`: others do, and announce it.
        `looking`: the pauses between two looks at a folder.
        """
        self.cursor = after
        self._database = database
        self._projection = projection
        self._wanted = wanted
        self._projects = projects
        self._is_remote = is_remote
        self._looking_at_folder = looking
        self._timer = timer
        self._read: dict[int, int] = {}  # partition → how far its projection was when all of it had been read
        self._looks = 0  # in a row that found nothing

    def next_page(self, limit: int) -> VersionEventPage:
        """The next events that are there by now, perhaps none; the reader is behind them then.

        Cost: one statement where nothing is new. Raises: StoreUnavailable; what projecting raises.
        """
        if self._projects:
            self._projection.catch_up(timeout_s=CATCH_UP_S)
        offsets = self._projection.reached().offsets
        news = [partition for partition, offset in offsets.items() if self._read.get(partition) != offset]
        if not news:
            self._looks += 1
            return VersionEventPage(self.cursor, [], self.cursor, more=False)
        self._looks = 0
        page = version_events(self._database, self.cursor, wanted=self._wanted, partitions=news, limit=limit)
        self.cursor = page.cursor
        if not page.more:
            self._note_read({partition: offsets[partition] for partition in news})
        return page

    def wait(self, timeout_s: float) -> None:
        """Wait until it is worth looking again, for at most `timeout_s`."""
        if not self._is_remote:
            self._timer.sleep(min(timeout_s, self._looking_at_folder.pause_s(self._looks + 1)))
            return
        clock = self._timer.monotonic
        deadline = clock() + min(timeout_s, LISTEN_S)
        while (left_s := deadline - clock()) > 0:
            heard = self._hear(min(left_s, SLICE_S))
            if heard is None:  # enough others listen, or the database is away
                self._timer.sleep(min(left_s, LOOKING.pause_s(self._looks + 1)))
                return
            if heard:
                return

    def _note_read(self, offsets: Mapping[int, int]) -> None:
        self._read.update(offsets)

    def _hear(self, timeout_s: float) -> list[str] | None:
        with suppress(StoreUnavailable):
            return self._database.hear(timeout_s)
        return None
