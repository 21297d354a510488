"""Which runs there are: what names one that there is not would be an edge of the lineage that leads nowhere."""

import asyncio
from collections import OrderedDict

from headwater_consumer import queries
from headwater_runtime.retries import Backoff
from headwater_schemas.keys import run_key

from headwater_server.access.rules import hidden
from headwater_server.cuts import now_about
from headwater_server.service import Service

KNOWN_MAX = 10_000  # runs that are remembered; others are looked for again
# A process that takes part in a run may be faster than the one that started it, such as the child of a fork.
LOOKING = Backoff(pause_s_min=0.05, pause_s_max=0.5, attempts_max=9)  # about three seconds in all


class KnownRuns:
    """The runs that one server knows of. For one event loop. No run is ever deleted, so each is looked for once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: OrderedDict[str, None] = OrderedDict()

    def note(self, run: str) -> None:
        """It was started: that is on the log."""
        self._known[run] = None
        self._known.move_to_end(run)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def check(self, run: str, principal: str) -> None:
        """For `principal`. Raises: NotFound for a run that is not on the log; Problem while that cannot be known.

        A run that was started through another server may not be projected yet, so that is waited for.
        """
        looks = 0
        while run not in self._known and not await self._is_recorded(run):
            looks += 1
            if looks == LOOKING.attempts_max:
                raise hidden(f"run {run}")
            service = self._service
            now = await service.query(now_about, service.stores, run_key(run))
            await service.waits.wait(now, principal=principal, is_on_log=True)
            if not await self._is_recorded(run):
                await asyncio.sleep(LOOKING.pause_s(looks))
        self.note(run)

    async def _is_recorded(self, run: str) -> bool:
        return await self._service.query(queries.run_info, self._service.database, run) is not None
