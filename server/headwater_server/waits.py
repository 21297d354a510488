"""Requests that wait until the projection covers a cut: any number of them, held by one thread and no other.

The thread projects where the store has no projectors, and else listens to what they announce.
"""

import asyncio
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreError
from headwater_schemas.positions import Cut
from headwater_stores.stores import Stores

from headwater_server.full_disk import projected
from headwater_server.http.open_slots import OpenSlots
from headwater_server.http.problems import Problem
from headwater_server.limits import WAIT_S_MAX, WAITS_MAX, WAITS_OF_PRINCIPAL_MAX

HEAR_S = 0.05  # for so long a connection listens at once: who begins to wait meanwhile is looked at after that
LOOK_S = 0.02  # between two looks where nobody can listen
FAILED_PAUSE_S = 0.2  # until a store that failed is asked again
OVERDUE = "projection-behind"  # the reason of the answer when the time is over
CATCH_UP_S = 5.0  # for one turn of projecting, where this process projects


@dataclass(eq=False, slots=True)
class _Wait:
    cut: Cut
    future: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop
    is_checked: bool = False  # against the end of the log

    def end(self, error: HeadwaterError | None = None) -> None:
        """From the thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self.loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: HeadwaterError | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


class CutWaits:
    """All waits of one server."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._reached = Cut(stores.log.generation)
        self._waits: dict[_Wait, None] = {}
        self._open = OpenSlots("waits", WAITS_MAX, WAITS_OF_PRINCIPAL_MAX)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waits)

    def note_reached(self, cut: Cut) -> None:
        """Somebody saw that the projection covers `cut`."""
        with self._changed:
            offsets = {p: max(o, self._reached.offsets.get(p, o)) for p, o in cut.offsets.items()}
            self._reached = Cut(cut.generation, {**self._reached.offsets, **offsets})

    async def wait(self, cut: Cut, timeout_s: float = WAIT_S_MAX, *, principal: str, is_on_log: bool = False) -> None:
        """Return once the projection covers `cut`, for `principal`. Costs nothing where it is known to.

        `is_on_log`: it was appended just now, so that the log need not be asked whether it has it.

        Raises: InvalidInput for a cut of another log or one that the log has not reached; Problem after `timeout_s`,
        or when too many wait, or too many of this principal.
        """
        self._check_log(cut)
        if self._reached.includes(cut):
            return
        with self._open.counted(principal):
            await self._wait(cut, timeout_s, is_on_log=is_on_log)

    async def _wait(self, cut: Cut, timeout_s: float, *, is_on_log: bool) -> None:
        loop = asyncio.get_running_loop()
        wait = _Wait(cut, loop.create_future(), loop, is_on_log)
        self._begin(wait)
        try:
            await asyncio.wait_for(wait.future, min(timeout_s, WAIT_S_MAX))
        except TimeoutError:
            raise _overdue() from None
        finally:
            self._waits.pop(wait, None)

    def _check_log(self, cut: Cut) -> None:
        if cut.generation != self._stores.log.generation:
            raise InvalidInput("the cut is of another log than this server's. Use one that this server returned.")

    def _begin(self, wait: _Wait) -> None:
        with self._changed:
            self._waits[wait] = None
            if self._thread is None or not self._thread.is_alive():  # one that failed serves nobody any more
                self._thread = start_daemon(self._run, "cut-waits")
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waits:
                    self._changed.wait()
            try:
                self._turn()
            except StoreError as error:
                self._fail_local(error)
                time.sleep(FAILED_PAUSE_S)

    def _turn(self) -> None:
        waits = list(self._waits)
        self._end_covered(waits)
        self._refuse_beyond_end([wait for wait in waits if not wait.is_checked and not wait.future.done()])
        if not self._waits:
            return
        if self._stores.is_remote:
            if self._stores.database.hear(HEAR_S) is None:
                time.sleep(LOOK_S)
        else:
            projected(self._stores, lambda: self._stores.projection.catch_up(timeout_s=CATCH_UP_S))

    def _end_covered(self, waits: Iterable[_Wait]) -> None:
        self.note_reached(self._stores.projection.reached())
        for wait in waits:
            if self._reached.includes(wait.cut):
                self._waits.pop(wait, None)
                wait.end()

    def _refuse_beyond_end(self, waits: list[_Wait]) -> None:
        """A cut that the log does not have will never be covered."""
        if not waits:
            return
        now = self._stores.projection.now()
        for wait in waits:
            wait.is_checked = True
            if not now.includes(wait.cut):
                self._waits.pop(wait, None)
                wait.end(
                    InvalidInput(
                        "the cut is beyond the end of the log: an older copy of the log was put back, or the cut was "
                        "made up. Use one that this server returned."
                    )
                )

    def _fail_local(self, error: StoreError) -> None:
        """Where this process projects, its failure is the answer; servers that are away may be back in time."""
        if self._stores.is_remote:
            return
        for wait in list(self._waits):
            self._waits.pop(wait, None)
            wait.end(error)


def _overdue() -> Problem:
    return Problem(
        HTTPStatus.GATEWAY_TIMEOUT,
        OVERDUE,
        "the projection does not have the cut yet.",
        "What was written is safe; ask again.",
        headers={"Retry-After": "0"},
    )
