"""A projection without a service: a reader projects, under a lock, for all readers that wait."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headwater_eventlog.port import EventLog
from headwater_runtime import fork_hooks
from headwater_runtime.durations import format_seconds
from headwater_runtime.fair_lock import Turn, turn_at
from headwater_runtime.pools import no_fork
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.database import Database
from headwater_consumer.projection.view import ProjectionView, offsets_of
from headwater_consumer.queries.outcomes import Draft
from headwater_consumer.queries.results import Answers, SentRange
from headwater_consumer.writing.log_check import before, check_record

if TYPE_CHECKING:
    from headwater_consumer.writing.runner import Projector

RECORDS_SCANNED = 16  # for their keys; projecting more than this is cheaper than scanning them


class EmbeddedProjection(ProjectionView):
    """Brings the projection up to what was written, from any process, at most one at a time."""

    def __init__(self, log: EventLog, database: Database, lock_file: Path) -> None:
        super().__init__(log, database)
        self._lock_file = lock_file
        self._projector: Projector | None = None
        self._new_lock()
        fork_hooks.register_object(self, in_child=EmbeddedProjection._new_lock)

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
        projector, stale = self._ready_projector()  # before it is this one's turn: others wait for the end of that
        with self._turn(cut, deadline) as turn:
            cursors = self.cursors()
            while not (reached := Cut(cut.generation, offsets_of(cursors))).includes(cut):
                if time.monotonic() > deadline:
                    self.raise_overdue(cut, waited_s=timeout_s, gives_up=True)
                    return
                try:
                    for partition in _behind(reached, cut):
                        cursor = cursors.get(partition) or projector.cursor(partition)
                        cursors[partition] = projector.project_after(cursor).cursor
                except stale:
                    # On file systems without locks, compare-and-set alone keeps the order: a process that was overtaken
                    # looks again.
                    cursors = self.cursors()
                turn.leave_note(Cut(cut.generation, offsets_of(cursors)).encode().encode())

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

    @contextmanager
    def _turn(self, cut: Cut, deadline: float) -> Iterator[Turn]:
        """Wait to be the one that projects, or until another has projected `cut`; in order, where there are locks.

        Of a process's threads one is in the queue of processes, and the others wait for it without polling.
        """
        threads = self._threads  # a child that is forked in here by a signal handler has another one
        is_ours = threads.acquire(timeout=max(0.0, deadline - time.monotonic()))
        try:
            with turn_at(str(self._lock_file), deadline, _Noted(cut)) as turn:
                yield turn
        finally:
            if is_ours:
                threads.release()

    def _ready_projector(self) -> "tuple[Projector, type[HeadwaterError]]":
        """The projector, and its error for being overtaken. Most readers find everything projected, and need none."""
        with no_fork():  # no child inherits a half imported module
            from headwater_consumer.writing.runner import Projector, StaleProjector  # deferred: database, fastavro

        if self._projector is None:
            self._projector = Projector(self._log, self._database)
        return self._projector, StaleProjector

    def _new_lock(self) -> None:
        # Reentrant: a signal handler may wait in a thread that is in here already.
        self._threads = threading.RLock()


def _behind(reached: Cut, cut: Cut) -> list[int]:
    """The partitions that are not as far as `cut`."""
    return [p for p, offset in cut.offsets.items() if reached.offsets.get(p, BEFORE_FIRST) < offset]


class _Noted:
    """Whether, by the note of whoever projected last, everything in a cut is projected. Reads each note once."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._read = b""

    def __call__(self, note: bytes) -> bool:
        if note == self._read:
            return False
        self._read = note
        try:
            reached = Cut.decode(note.decode("ascii"))
        except (InvalidInput, UnicodeDecodeError):
            return False
        return reached.generation == self._cut.generation and reached.includes(self._cut)
