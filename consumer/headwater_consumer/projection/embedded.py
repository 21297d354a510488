"""A projection without a service: a reader projects, under a lock, for all readers that wait."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from headwater_eventlog.port import EventLog
from headwater_runtime.durations import format_seconds
from headwater_runtime.fair_lock import fair_lock
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.database import Database
from headwater_consumer.projection.view import ProjectionView
from headwater_consumer.queries.answers import Draft
from headwater_consumer.queries.results import Answers, SentRange
from headwater_consumer.writing.log_check import before, check_record
from headwater_consumer.writing.runner import Projector, StaleProjector

RECORDS_SCANNED = 16  # for their keys; projecting more than this is cheaper than scanning them


class EmbeddedProjection(ProjectionView):
    """Brings the projection up to what was written, from any process, at most one at a time."""

    def __init__(self, log: EventLog, database: Database, lock_file: Path) -> None:
        super().__init__(log, database)
        self._lock_file = lock_file
        self._projector = Projector(log, database)

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection covers everything on the log under `key`.

        Every query about a collection depends on the events of its key alone, so that a few events of other keys,
        which are on the log but not yet projected, need not be waited for. Raises: as `catch_up`.
        """
        partition = self._log.partition_of(key)
        if (cursor := self.cursors().get(partition)) is None:
            ahead = self._log.read(partition, after=BEFORE_FIRST, limit=RECORDS_SCANNED)
        else:
            ahead = check_record(cursor, self._log.read(partition, after=before(cursor), limit=RECORDS_SCANNED + 1))
        if len(ahead) == RECORDS_SCANNED or any(record.key == key for record in ahead):
            self.catch_up(timeout_s=timeout_s)

    def ask(
        self,
        cut: Cut,
        drafts: Sequence[Draft],
        ranges: Sequence[SentRange],
        *,
        patience_s: float,  # noqa: ARG002 - who waits projects
        timeout_s: float,
    ) -> Answers:
        """What became of these, once `catch_up` has projected `cut`. Raises: as that."""
        self.catch_up(cut, timeout_s=timeout_s)
        return self._answers(cut, drafts, ranges)

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given; project if nobody else does.

        Raises: StoreUnavailable when that takes longer than `timeout_s`; what `Projector.project_batch` raises.
        """
        cut = self.now() if cut is None else cut
        deadline = time.monotonic() + timeout_s
        if self.covers(cut):
            return
        with fair_lock(str(self._lock_file), deadline):
            while not self.covers(cut):
                if time.monotonic() > deadline:
                    self.raise_overdue(cut, waited_s=timeout_s, gives_up=True)
                    return
                # On file systems without locks, compare-and-set alone keeps the order: a process that was overtaken
                # checks again.
                with contextlib.suppress(StaleProjector):
                    self._project(cut)

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:  # noqa: ARG002 - who waits projects
        """Raises: StoreUnavailable, unless the projection covers `cut` by now."""
        if not self.covers(cut):
            raise StoreUnavailable(
                f"{self._database.name} did not catch up within {format_seconds(waited_s)}. What was written is safe; "
                "try again."
            )

    def awaited(self) -> None:
        """Who waits projects."""

    def is_given_up(self, cut: Cut) -> bool:  # noqa: ARG002 - who waits projects
        """Whether it is no use to wait: never."""
        return False

    def _project(self, cut: Cut) -> None:
        offsets = self.offsets()
        for partition, offset in cut.offsets.items():
            if offsets.get(partition, BEFORE_FIRST) < offset:
                self._projector.project_batch(partition)
