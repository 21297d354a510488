"""Delivers to all webhooks while it holds the lease, and waits for the lease while another process does."""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from headwater_consumer import queries
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import HeldLease
from headwater_consumer.operational.webhook_states import (
    LEASE,
    Hold,
    WebhookState,
    begin_webhook,
    changes_of_webhooks,
    holds_of,
    webhook_state,
)
from headwater_consumer.queries.results import SubscriptionInfo
from headwater_consumer.subscriptions.starting import NOW, starting_cursor
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.positions import Cut
from headwater_stores.stores import Stores
from headwater_stores.webhooks import KEY_PURPOSE

from headwater_server.metrics import Metrics
from headwater_server.outgoing.addresses import AddressRules
from headwater_server.outgoing.requests import Requests
from headwater_server.service import Service
from headwater_server.webhooks.courier import Courier
from headwater_server.webhooks.tail import Tail
from headwater_server.webhooks.workplace import DATABASE_THREADS, WebhookMetrics, Workplace

LOOK_S = 0.5  # between two looks for webhooks that were added or changed
LEASE_LOOK_S = 2.0  # between two looks whether the process that delivers is gone
BROKEN_PAUSE_S = 30.0  # until a courier that failed by a fault of ours is tried again
STOP_S = 5.0

_log = logging.getLogger("headwater.webhooks")


@dataclass(slots=True)
class _Employed:
    """A courier at work, and what it was told about its webhook."""

    info: SubscriptionInfo
    changes: int
    courier: Courier
    task: "asyncio.Task[None]"
    failed_s: float | None = None  # when it was seen to have failed


@contextmanager
def delivering(service: Service, *, rules: AddressRules, is_open: bool) -> Iterator[None]:
    """Deliver to all webhooks of a server's store, in a thread, until the end of the block."""
    deliverer = Deliverer(
        service.stores,
        service.operational,
        key=service.key.derived(KEY_PURPOSE),
        rules=rules,
        metrics=service.metrics,
        is_open=is_open,
    )
    deliverer.start()
    try:
        yield
    finally:
        deliverer.stop()


class Deliverer:
    """Runs in a thread of its own from `start` to `stop`."""

    def __init__(
        self,
        stores: Stores,
        operational: OperationalDatabase,
        *,
        key: bytes,
        rules: AddressRules,
        metrics: Metrics,
        is_open: bool = False,
    ) -> None:
        """`key`: from which secrets are derived. `is_open`: everybody may do everything."""
        self._stores, self._operational, self._key, self._rules = stores, operational, key, rules
        self._metrics, self._is_open = WebhookMetrics(metrics), is_open
        self._stopped = Event()
        self._thread: Thread | None = None
        self._employed: dict[str, _Employed] = {}
        self._known: tuple[Cut, list[SubscriptionInfo]] | None = None

    def start(self) -> None:
        """Begin, as soon as no other process delivers."""
        self._thread = Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End within STOP_S. What is being sent may arrive, and is then sent again by whoever goes on."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                held = HeldLease.take(self._operational, LEASE)
                if held is not None:
                    with held, self._saying_that_it_delivers():
                        asyncio.run(self._deliver(held))
                    continue
            except HeadwaterError as error:
                _log.warning("No webhook is told anything: %s", error)
            self._stopped.wait(LEASE_LOOK_S)

    @contextmanager
    def _saying_that_it_delivers(self) -> Iterator[None]:
        self._metrics.is_delivering.set(1)
        try:
            yield
        finally:
            self._metrics.is_delivering.set(0)

    async def _deliver(self, held: HeldLease) -> None:
        """Until it is stopped, or the lease is lost. Raises: HeadwaterError."""
        threads = ThreadPoolExecutor(DATABASE_THREADS, "headwater-webhooks")
        requests = Requests(self._rules)
        at = Workplace(
            self._stores, self._operational, self._key, requests, self._metrics, self._is_open, held, threads
        )
        tail = Tail(self._stores, self._wake_all)
        try:
            while not self._stopped.is_set() and held.is_held:
                await self._employ(at, tail)
                self._measure()
                await asyncio.sleep(LOOK_S)
        finally:
            tail.stop()
            await self._dismiss(*self._employed)
            requests.close()
            threads.shutdown(wait=False, cancel_futures=True)

    # --- couriers

    async def _employ(self, at: Workplace, tail: Tail) -> None:
        """Have one courier for each webhook, who knows it as it is now."""
        infos = {info.subscription: info for info in await at.ask(self._subscriptions)}
        changes = await at.ask(changes_of_webhooks, self._operational) if infos or self._employed else {}
        changed = [name for name, one in self._employed.items() if self._is_over(one, infos.get(name), changes)]
        await self._dismiss(*changed)
        if infos and not tail.is_started:
            await at.ask(tail.start, asyncio.get_running_loop())
        for name, info in infos.items():
            if name not in self._employed:
                state, holds = await at.ask(self._remembered, info)
                courier = Courier(at, tail, info, state, holds)
                task = asyncio.create_task(courier.run())
                self._employed[name] = _Employed(info, state.changes, courier, task)

    def _remembered(self, info: SubscriptionInfo) -> tuple[WebhookState, list[Hold]]:
        """In a thread. A webhook of which nothing is remembered begins with what comes from now on."""
        state = webhook_state(self._operational, info.subscription)
        if state is None:
            stores = self._stores
            cursor = starting_cursor(stores.log, stores.database, stores.projection, NOW)
            begin_webhook(self._operational, info.subscription, cursor.encode())
            _log.warning("Webhook %s of %s begins now: nothing was remembered of it.", info.subscription, info.scope)
            state = webhook_state(self._operational, info.subscription)
            assert state is not None
        return state, holds_of(self._operational, info.subscription)

    def _subscriptions(self) -> list[SubscriptionInfo]:
        """In a thread; asks again only when something was projected."""
        reached = self._stores.projection.reached()
        if self._known is None or self._known[0] != reached:
            self._known = reached, queries.all_subscriptions(self._stores.database)
        return self._known[1]

    def _is_over(self, one: _Employed, info: SubscriptionInfo | None, changes: dict[str, int]) -> bool:
        if info != one.info or changes.get(one.info.subscription) != one.changes:
            return True
        if not one.task.done():
            return False
        if one.task.cancelled() or one.task.exception() is None:
            return one.courier.is_active  # it was superseded by what is not seen here
        if one.failed_s is None:
            one.failed_s = time.monotonic()
            _log.error("Webhook %s failed", one.info.subscription, exc_info=one.task.exception())
        return time.monotonic() - one.failed_s > BROKEN_PAUSE_S

    async def _dismiss(self, *names: str) -> None:
        leaving = [self._employed.pop(name) for name in names]
        for one in leaving:
            one.task.cancel()
        for one in leaving:
            with suppress(asyncio.CancelledError, Exception):  # it was told in the log
                await one.task

    def _wake_all(self) -> None:
        for one in self._employed.values():
            one.courier.wake()

    def _measure(self) -> None:
        couriers = [one.courier for one in self._employed.values()]
        self._metrics.stopped.set(sum(not courier.is_active for courier in couriers))
        waiting = [courier.waits_since_us for courier in couriers if courier.waits_since_us is not None]
        self._metrics.behind.set(max(0.0, time.time() - min(waiting) / 1e6) if waiting else 0.0)
