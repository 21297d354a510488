"""What all couriers of one delivering process share: stores, the lease, threads, places to send from, and figures."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from headwater_consumer import queries
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import HeldLease
from headwater_schemas import access
from headwater_stores.stores import Stores

from headwater_server.access.rights import Rights
from headwater_server.metrics import Metrics
from headwater_server.outgoing.requests import Requests

AT_ONCE_MAX = 256  # requests
IN_TROUBLE_AT_ONCE_MAX = 24  # of those, to receivers that failed last: fewer than the threads that look up their names
PER_RECEIVER_MAX = 4  # to one host and port
DATABASE_THREADS = 4
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

P = ParamSpec("P")
T = TypeVar("T")


class WebhookMetrics:
    """Figures of delivering."""

    def __init__(self, metrics: Metrics) -> None:
        self.deliveries = metrics.counter("webhook_deliveries", "Attempts to tell a webhook of an event.", "outcome")
        self.seconds = metrics.histogram("webhook_seconds", "How long attempts took.", _SECONDS)
        self.stopped = metrics.gauge("webhooks_stopped", "Webhooks that are told nothing until an admin resumes them.")
        self.behind = metrics.gauge("webhook_behind_seconds", "Age of the oldest event that a webhook waits for.")
        self.is_delivering = metrics.gauge("webhooks_delivering", "1 in the process that delivers, 0 in others.")


@dataclass(slots=True)
class Workplace:
    """Made in the loop in which it is used."""

    stores: Stores
    operational: OperationalDatabase
    key: bytes  # from which secrets are derived
    requests: Requests
    metrics: WebhookMetrics
    is_open: bool  # whether everybody may do everything on this server
    held: HeldLease
    threads: ThreadPoolExecutor
    _all: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_MAX))
    _in_trouble: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_TROUBLE_AT_ONCE_MAX))
    _receivers: "WeakValueDictionary[str, asyncio.Semaphore]" = field(default_factory=WeakValueDictionary)

    async def ask(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what asks a database, in one of DATABASE_THREADS."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: function(*arguments, **named))

    @asynccontextmanager
    async def place_for(self, receiver: str, *, in_trouble: bool) -> AsyncIterator[None]:
        """Wait until one more request to a receiver, "host:port", is within the bounds."""
        own = self._receivers.setdefault(receiver, asyncio.Semaphore(PER_RECEIVER_MAX))
        async with own:
            if not in_trouble:
                async with self._all:
                    yield
                return
            async with self._in_trouble, self._all:
                yield

    def scopes_of(self, author: str) -> Sequence[str] | None:
        """Where who made a webhook may read now; None: everywhere. Cost: a look-up.

        An author who is no principal wrote to the log itself, with the keys of the stores, and is trusted.
        """
        if self.is_open or "|" not in author:
            return None
        rights = Rights.of((grant.scope, grant.role) for grant in queries.roles_of(self.stores.database, author))
        return rights.scopes(access.READER)
