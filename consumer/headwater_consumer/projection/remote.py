"""A projection that other processes keep up: it covers what was written once a projector has applied it."""

import time
from collections.abc import Sequence
from contextlib import suppress

from headwater_eventlog.port import EventLog
from headwater_runtime.durations import format_seconds
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreNotAnswering, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.database import Database
from headwater_consumer.database.projector_reports import projector_reports
from headwater_consumer.projection.given_up import AskedServer, GivenUp
from headwater_consumer.projection.news import REAL_TIME, News, WaitTimer
from headwater_consumer.projection.view import ProjectionView
from headwater_consumer.queries.outcomes import Draft
from headwater_consumer.queries.results import Answers, SentRange
from headwater_consumer.writing.log_check import check_cut, check_ends

OUTAGE = Backoff(pause_s_min=0.02, pause_s_max=1.0, waits_until_deadline=True)  # while the database is away
LOG_CHECK_S = 10.0  # who waits for the same cut so long asks whether the log still has it


class RemoteProjection(ProjectionView):
    """A projection that `headwater projector` keeps up, on this machine or another."""

    def __init__(self, log: EventLog, database: Database, *, timer: WaitTimer = REAL_TIME) -> None:
        super().__init__(log, database)
        self._timer = timer
        self._given_up = GivenUp(lambda: projector_reports(database).running > 0)
        self._of_database, self._of_log = AskedServer(StoreUnavailable), AskedServer(StoreNotAnswering)
        self._awaited: tuple[Cut, float] | None = None  # a cut, and since when it was waited for or last asked about

    def ask(
        self,
        cut: Cut,
        drafts: Sequence[Draft],
        ranges: Sequence[SentRange],
        *,
        patience_s: float,
        timeout_s: float,  # noqa: ARG002 - others project
    ) -> Answers:
        """What became of these once the projection covers `cut`, or what there is after `patience_s`.

        Raises: StoreUnavailable where the log lost what `cut` holds.
        """
        news = self._news(cut, self._timer.monotonic() + patience_s)
        found = Answers({}, {}, [])
        if not self._has_seen(cut):
            news.pause()  # it was written just now
        while True:
            with suppress(StoreUnavailable):  # a database that does not respond may do so again
                found = self._answers(cut, drafts, ranges)
            if Cut(cut.generation, found.offsets).includes(cut):
                return found
            if not news.pause():
                self._check_log_has(cut)
                return found

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given.

        Raises: StoreUnavailable when that takes longer than `timeout_s`, at once where it was waited for in vain and
        nothing has changed since, and where the log lost what `cut` holds.
        """
        deadline = time.monotonic() + timeout_s
        cut = self._now(deadline) if cut is None else cut
        news = self._news(cut, deadline)
        while not self._covers(cut, deadline):
            if self._given_up.holds(cut, self._seen) or not news.pause():
                self.raise_overdue(cut, waited_s=timeout_s, gives_up=True)
                return
            self._check_log_has(cut)

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:
        """Raises: StoreUnavailable, unless the projection covers `cut` by now. With `gives_up`, nobody waits again."""
        if self._covers(cut, time.monotonic()) if gives_up else self.covers(cut):
            return
        offsets, what = self._seen, f"did not catch up within {format_seconds(waited_s)}"
        if self._given_up.holds(cut, offsets):
            what = "is still not up to date, which was waited for in vain before"
        elif gives_up:
            self._given_up.note(cut, offsets)
        self._raise_behind(cut, what)

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection covers everything on the log under `key`. Raises: as `catch_up`."""
        partition = self._log.partition_of(key)
        deadline = time.monotonic() + timeout_s
        cursors = self._of_database.get(self.cursors, OUTAGE.start(deadline=deadline))
        cursor = cursors.get(partition)  # before the end, as in `now_after`
        end = self._of_log.get(lambda: self._log.end(partition), OUTAGE.start(deadline=deadline))
        check_ends([] if cursor is None else [cursor], {partition: end})
        if cursor is None or cursor.offset < end:
            self.catch_up(Cut(self._log.generation, {partition: end}), timeout_s=max(0.0, deadline - time.monotonic()))

    def awaited(self) -> str:
        """What a wait for this projection waits for, for people. Raises: StoreError."""
        reports = projector_reports(self._database)
        if not reports.running:
            return f"a projector: {reports}; start `headwater projector`"
        behind = sum(self._behind(self.now()).values())
        return f"the projection, which is {behind:,} events behind the log; {reports}"

    def is_given_up(self, cut: Cut) -> bool:
        """Whether it is no use to wait for `cut`: that was done, and nothing has changed since.

        Asks the database only where something was waited for in vain.
        """
        if not self._given_up.has_any and not self._of_database.is_given_up:
            return False
        try:
            return self._given_up.holds(cut, self.offsets())
        except StoreUnavailable:
            return self._of_database.is_given_up

    def _now(self, deadline: float) -> Cut:
        """As `now`, as soon as the servers answer."""
        cursors = self._of_database.get(self.cursors, OUTAGE.start(deadline=deadline))
        return self._of_log.get(lambda: self.now_after(cursors), OUTAGE.start(deadline=deadline))

    def _news(self, cut: Cut, deadline: float) -> News:
        return News(self._database, cut, deadline, self._timer)

    def _covers(self, cut: Cut, deadline: float) -> bool:
        """Whether it does by now, as soon as the database answers."""
        return self._of_database.get(lambda: self.covers(cut), OUTAGE.start(deadline=deadline))

    def _check_log_has(self, cut: Cut) -> None:
        """Raises: StoreUnavailable where the log lost what `cut` holds, so that no projector will ever get there.

        Asks seldom, and of one partition. A log that does not answer may do so again.
        """
        now = self._timer.monotonic()
        if self._awaited is None or self._awaited[0] != cut:
            self._awaited = cut, now
        if now < self._awaited[1] + LOG_CHECK_S:
            return
        self._awaited = cut, now
        seen = self._seen
        lacking = next((p for p, offset in cut.offsets.items() if seen.get(p, BEFORE_FIRST) < offset), None)
        if lacking is not None:
            with suppress(StoreNotAnswering):
                check_cut(cut, {lacking: self._log.end(lacking)})

    def _behind(self, cut: Cut) -> dict[int, int]:
        """Partition → about how many records of `cut` it lacks, where it lacks any."""
        offsets = self.offsets()
        lacking = {
            partition: offset - offsets.get(partition, BEFORE_FIRST) for partition, offset in cut.offsets.items()
        }
        return {partition: records for partition, records in lacking.items() if records > 0}

    def _raise_behind(self, cut: Cut, what: str) -> None:
        """Raises: StoreUnavailable, unless the projection covers `cut` by now."""
        behind = self._behind(cut)
        if not behind:
            return
        worst = max(behind, key=behind.__getitem__)
        raise StoreUnavailable(
            f"{self._database.name} {what}: partition {worst} is {behind[worst]:,} records behind. What was written is "
            f"safe. {projector_reports(self._database).advice}"
        )
