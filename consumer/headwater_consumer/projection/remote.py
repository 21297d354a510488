"""A projection that other processes keep up: it covers what was written once a projector has applied it."""

import time
from contextlib import suppress

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.projection.view import ProjectionView
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing.log_check import check_ends

# A check takes about 2 ms; many wait at once, and each check is a statement, so that later ones are rarer.
POLL = Backoff(pause_s_min=0.002, pause_s_max=0.05, growth=1.3, waits_until_deadline=True)


class RemoteProjection(ProjectionView):
    """A projection that `headwater projector` keeps up, on this machine or another."""

    def reach(self, cut: Cut, *, patience_s: float, timeout_s: float) -> Cut:  # noqa: ARG002 - others project
        """Return when the projection covers `cut`, after `patience_s` at the latest, and say how far it is."""
        deadline = time.monotonic() + patience_s
        polls = POLL.start(deadline=deadline)
        reached = Cut(self._log.generation)
        while True:
            with suppress(StoreUnavailable):  # a database that does not respond may do so again
                reached = self.reached()
            if reached.includes(cut) or not polls.pause():
                return reached

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float, waited_s: float = 0.0) -> None:
        """Return when the projection covers `cut`, everything on the log now unless given.

        Raises: StoreUnavailable when that takes longer than `timeout_s`. The caller has `waited_s` before.
        """
        deadline = time.monotonic() + timeout_s
        cut = self.now_after(self._cursors(deadline)) if cut is None else cut
        polls = POLL.start(deadline=deadline)
        while not self._covers(cut, deadline):
            if not polls.pause():
                self._raise_timeout(cut, waited_s + timeout_s)
                return

    def catch_up_on(self, key: str, *, timeout_s: float) -> None:
        """Return when the projection covers everything on the log under `key`. Raises: as `catch_up`."""
        partition = self._log.partition_of(key)
        deadline = time.monotonic() + timeout_s
        cursor = self._cursors(deadline).get(partition)  # before the end, as in `now_after`
        end = self._log.end(partition)
        check_ends([] if cursor is None else [cursor], {partition: end})
        if cursor is None or cursor.offset < end:
            self.catch_up(Cut(self._log.generation, {partition: end}), timeout_s=max(0.0, deadline - time.monotonic()))

    def _cursors(self, deadline: float) -> dict[int, LogPositionRow]:
        """All cursors; a database that does not respond may do so again before the deadline."""
        polls = POLL.start(deadline=deadline)
        while True:
            try:
                return self.cursors()
            except StoreUnavailable:
                if not polls.pause():
                    raise

    def _covers(self, cut: Cut, deadline: float) -> bool:
        """Whether it does by now; as `_cursors`."""
        try:
            return self.covers(cut)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            return False

    def _raise_timeout(self, cut: Cut, timeout_s: float) -> None:
        """Raises: StoreUnavailable, unless the projection covers `cut` by now."""
        offsets = self.offsets()
        behind = {
            partition: offset - offsets.get(partition, BEFORE_FIRST)
            for partition, offset in cut.offsets.items()
            if offset > offsets.get(partition, BEFORE_FIRST)
        }
        if not behind:
            return
        worst = max(behind, key=behind.__getitem__)
        raise StoreUnavailable(
            f"{self._database.name} did not catch up within {timeout_s:.0f} s: partition {worst} is "
            f"{behind[worst]:,} records behind. What was written is safe. Check that `headwater projector` runs, and "
            "what its health endpoint reports."
        )
