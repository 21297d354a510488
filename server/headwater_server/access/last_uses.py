"""Notes when tokens are used, now and then: to note each use would cost more than most requests do."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from headwater_consumer.operational.token_uses import last_uses, note_uses
from headwater_consumer.queries import TokenInfo
from headwater_schemas.errors import StoreError

from headwater_server.service import Service

NOTED_EVERY_S = 30.0
WAITING_MAX = 100_000  # tokens that were used since; what is more is noted with its next use

_log = logging.getLogger("headwater.server")


class LastUses:
    """Of the tokens that one server is asked with. For one event loop. What is not noted when it ends is lost."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._used: set[str] = set()
        self._noted_s = float("-inf")
        self._noting: asyncio.Task[None] | None = None

    def note(self, token_id: str) -> None:
        """A token was used. Returns at once."""
        if len(self._used) < WAITING_MAX:
            self._used.add(token_id)
        if self._noting is None and self._clock() - self._noted_s >= NOTED_EVERY_S:
            self._noted_s = self._clock()
            self._noting = asyncio.create_task(self._note_all())
            self._noting.add_done_callback(self._end)

    async def _note_all(self) -> None:
        used, self._used = self._used, set()
        await self._service.query(self._write, used)

    def _write(self, used: Collection[str]) -> None:
        try:
            note_uses(self._service.operational, used)
        except StoreError as error:  # which nobody waits for
            _log.warning("Last uses of %d tokens were not noted: %s", len(used), error)

    def _end(self, _: "asyncio.Task[None]") -> None:
        self._noting = None


def with_uses(service: Service, tokens: Sequence[TokenInfo]) -> list[TokenInfo]:
    """The same, each with when it was last used. Asks the database. Raises: StoreError."""
    uses = last_uses(service.operational, [token.id for token in tokens])
    return [replace(token, used_us=uses.get(token.id)) for token in tokens]
