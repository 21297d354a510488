"""One webhook: what it is told next, and what becomes of it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

from headwater_consumer.operational.webhook_attempts import Attempt
from headwater_consumer.operational.webhook_states import (
    ACTIVE,
    GONE,
    HOLDS_MAX,
    LOST,
    NO_RIGHTS,
    PARKED,
    Hold,
    Progress,
    WebhookState,
    save_progress,
    save_test,
)
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.results import EventFilter, SubscriptionInfo, VersionEventInfo, VersionEventPage
from headwater_consumer.subscriptions.starting import check_cursor
from headwater_schemas.errors import InvalidInput, StoreError
from headwater_schemas.event_cursors import EventCursor, Reached
from headwater_schemas.positions import position_of
from headwater_schemas.webhooks import WebhookSettings

from headwater_server.webhooks.messages import Message, message_of, test_message
from headwater_server.webhooks.outcomes import GIVEN_UP_S, Outcome, pause_s
from headwater_server.webhooks.sending import NoRights, Sender, unsent
from headwater_server.webhooks.tail import Tail
from headwater_server.webhooks.workplace import Workplace

PAGE = 256  # older events read at once
SAVED_EVERY_S = 10.0  # where events are passed over: how much is looked at again after a crash
STORE_AWAY_PAUSE_S = 1.0

_log = logging.getLogger("headwater.webhooks")


class Superseded(Exception):
    """Another process delivers, or an admin changed the webhook: this courier's part is over."""


def wanted_by(scope: str, settings: WebhookSettings) -> EventFilter:
    """The events that a webhook of a scope is told."""
    is_project = "/" in scope
    return EventFilter(
        entity=None if is_project else scope,
        project=scope if is_project else None,
        subject=settings.collection,
        type=settings.type,
        alias=settings.alias,
        kinds=frozenset(settings.kinds),
    )


class _Page(NamedTuple):
    """Some events, and which page of the tail comes after them; None where older ones are missing."""

    page: VersionEventPage
    then: int | None


class Courier:
    """Tells one webhook what happened. For one task."""

    def __init__(
        self, workplace: Workplace, tail: Tail, info: SubscriptionInfo, state: WebhookState, holds: list[Hold]
    ) -> None:
        self.info, self.settings = info, WebhookSettings.decode(info.settings)
        self._at, self._tail = workplace, tail
        self._wanted = wanted_by(info.scope, self.settings)
        self.state = state
        self._holds: dict[str, Hold] = {hold.subject: hold for hold in holds}
        generation = workplace.stores.log.generation
        self._cursor = EventCursor.decode(state.cursor) if state.cursor else EventCursor(generation)
        self._saved_s = time.monotonic()
        self._joined: int | None = None  # the page of the tail that comes next; None: older ones are missing
        self._woken = asyncio.Event()
        self.waits_since_us: int | None = None  # the time of the event that it could not be told yet
        self._sender = Sender(workplace, info, self.settings)

    @property
    def is_active(self) -> bool:
        """Whether it is told anything."""
        return self.state.status == ACTIVE and not self.settings.disabled

    def wake(self) -> None:
        """There may be news."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled, or superseded."""
        try:
            await self._patiently_begin()
            while True:
                self._woken.clear()
                wait_s = await self._turn()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        except Superseded:
            return

    # --- turns

    async def _patiently_begin(self) -> None:
        """Raises: Superseded. A cursor of another log, or beyond the end of this one, would skip what comes there."""
        stores = self._at.stores
        while self.is_active:
            try:
                await self._at.ask(check_cursor, stores.log, stores.projection, self._cursor)
            except InvalidInput as error:
                await self._stop(LOST, str(error))
            except StoreError as error:
                _log.warning("Webhook %s waits for the store: %s", self.info.subscription, error)
                await asyncio.sleep(STORE_AWAY_PAUSE_S)
            else:
                return

    async def _turn(self) -> float | None:
        """Do what can be done now; the seconds after which there is more, None when only news can bring it."""
        try:
            if self.state.test_us is not None:
                await self._test()
            if not self.is_active:
                return None
            if (left_s := self.state.next_us / 1e6 - time.time()) > 0:
                return left_s
            for hold in [hold for hold in self._holds.values() if not hold.is_parked]:
                if hold.next_us / 1e6 <= time.time() and not await self._retry(hold):
                    return self._pause()
            next_ = await self._next_page()
            if next_ is None or not await self._tell(next_.page):
                return self._pause()
            self._joined = next_.then
            return 0.0
        except StoreError as error:
            _log.warning("Webhook %s waits for the store: %s", self.info.subscription, error)
            return STORE_AWAY_PAUSE_S

    def _pause(self) -> float | None:
        """Until the next time that something is due."""
        due = [hold.next_us for hold in self._holds.values() if not hold.is_parked]
        if self.state.next_us:
            due.append(self.state.next_us)
        return max(0.0, min(due) / 1e6 - time.time()) if due and self.is_active else None

    async def _next_page(self) -> _Page | None:
        """The next events, wanted or not; None when there are none yet."""
        tail = self._tail
        if self._joined is not None and self._joined >= tail.first:
            page = tail.page(self._joined)
            return None if page is None else _Page(page, self._joined + 1)
        self._joined = None
        joins_at = tail.next  # what was read before that is in what is read now
        page = await self._at.ask(
            version_events, self._at.stores.database, self._cursor, wanted=self._wanted, limit=PAGE
        )
        return _Page(page, None if page.more else joins_at)

    async def _tell(self, page: VersionEventPage) -> bool:
        """Whether all of the page was told, or passed over."""
        for event in page.events:
            if not self._is_new(event) or not self._wanted.accepts(event):
                continue
            if event.subject not in self._holds and not await self._tell_next(event):
                return False
            self._move(event.partition, (event.position, event.index))
        for partition, reached in page.cursor.reached.items():
            self._move(partition, reached)
        self.waits_since_us = None
        if time.monotonic() - self._saved_s > SAVED_EVERY_S and self._cursor.encode() != self.state.cursor:
            await self._save(Progress(self._cursor.encode()))
        return True

    async def _tell_next(self, event: VersionEventInfo) -> bool:
        """Whether the webhook goes on after this event: it was taken, or is held back now."""
        self.waits_since_us = event.time_us
        after = self._after(event)
        if (attempted := await self._attempt(event, after)) is None:
            return True
        outcome, attempt = attempted
        if outcome is Outcome.REFUSED and len(self._holds) < HOLDS_MAX:
            hold = Hold(event.subject, event.position, event.index - 1, is_parked=False, failures=0, since_us=_now_us())
            await self._save_hold(self._failed(hold), attempt, after)
            return True
        if outcome is Outcome.TAKEN:
            await self._save(Progress(after.encode(), attempt=attempt))
            return True
        await self._give_way(outcome, attempt)
        return False

    async def _retry(self, hold: Hold) -> bool:
        """Tell what is held back, as far as it is taken. False where the receiver is away."""
        async for event in self._passed_over(hold):
            if (attempted := await self._attempt(event, self._cursor)) is None:
                continue
            outcome, attempt = attempted
            if outcome is Outcome.REFUSED:
                await self._save_hold(self._failed(hold), attempt)
                return True
            if outcome is not Outcome.TAKEN:
                await self._give_way(outcome, attempt)
                return False
            hold = Hold(event.subject, event.position, event.index, is_parked=False, failures=0, since_us=_now_us())
            await self._save_hold(hold, attempt)
        await self._save(Progress(self._cursor.encode(), released=hold.subject))
        del self._holds[hold.subject]
        return True

    async def _passed_over(self, hold: Hold) -> AsyncIterator[VersionEventInfo]:
        """The events of what is held back, up to where the webhook is."""
        partition = position_of(hold.position).partition
        cursor = EventCursor(self._cursor.generation, {partition: (hold.position, hold.index)})
        own = replace(self._wanted, subject=hold.subject)
        while True:
            page = await self._at.ask(
                version_events, self._at.stores.database, cursor, wanted=own, partitions=[partition], limit=PAGE
            )
            for event in page.events:
                if self._is_new(event):
                    return
                yield event
            if not page.more:
                return
            cursor = page.cursor

    async def _save_hold(self, hold: Hold, attempt: Attempt, cursor: EventCursor | None = None) -> None:
        await self._save(Progress((cursor or self._cursor).encode(), held=hold, attempt=attempt))
        self._holds[hold.subject] = hold

    # --- one attempt

    async def _attempt(self, event: VersionEventInfo, after: EventCursor) -> tuple[Outcome, Attempt] | None:
        """Send an event once; None where who made the webhook may not read it. Raises: Superseded; StoreError."""
        try:
            visible = await self._sender.visible(event)
        except NoRights:
            await self._stop(NO_RIGHTS, self._sender.no_rights)
            raise Superseded from None
        return None if visible is None else await self._send(message_of(visible.told(after)))

    async def _send(self, message: Message) -> tuple[Outcome, Attempt]:
        """Raises: Superseded, also when the webhook was changed: what it is now counts, from the next attempt on."""
        if not self._at.held.is_held or not await self._sender.is_current():
            raise Superseded
        return await self._sender.send(message, in_trouble=self.state.failures > 0)

    async def _test(self) -> None:
        message = test_message(self.info.scope, self.info.subscription)
        if await self._sender.may_read():
            _, attempt = await self._send(message)
        else:
            attempt = unsent(message, self._sender.no_rights)
        await self._at.ask(save_test, self._at.operational, self._at.held.lease, self.state, attempt)
        self.state = replace(self.state, test_us=None)

    # --- what becomes of it

    def _failed(self, hold: Hold) -> Hold:
        """The hold after another refusal."""
        failures, now_us = hold.failures + 1, _now_us()
        is_parked = now_us - hold.since_us > GIVEN_UP_S * 1e6
        if is_parked:
            _log.error(
                "Webhook %s of %s is told nothing more about %s, which its receiver refused for days. Resume it with "
                "`headwater webhooks replay`.",
                self.info.subscription,
                self.info.scope,
                hold.subject,
            )
        pause_us = int(pause_s(failures, self._sender.retry_after) * 1e6)
        return replace(hold, failures=failures, is_parked=is_parked, next_us=now_us + pause_us)

    async def _give_way(self, outcome: Outcome, attempt: Attempt) -> None:
        """The receiver is away, or gone: the webhook waits where it is."""
        now_us, failures = _now_us(), self.state.failures + 1
        since_us = self.state.failing_since_us or now_us
        why = attempt.answer if attempt.status is None else f"its receiver answered {attempt.status}"
        status = ACTIVE
        if outcome is Outcome.GONE:
            status, why = GONE, "its receiver answered 410: it is not there any more."
        elif now_us - since_us > GIVEN_UP_S * 1e6:
            status, why = PARKED, f"its receiver could not be reached for days: {why}."
        progress = Progress(
            self._cursor.encode(),
            status,
            why,
            failures,
            since_us,
            now_us + int(pause_s(failures, self._sender.retry_after) * 1e6),
            attempt=attempt,
        )
        await self._save(progress)
        self._say_stopped()

    async def _stop(self, status: str, reason: str) -> None:
        await self._save(Progress(self.state.cursor, status, reason))
        self._say_stopped()

    def _say_stopped(self) -> None:
        if self.state.status != ACTIVE:
            _log.error("Webhook %s of %s is stopped: %s", self.info.subscription, self.info.scope, self.state.reason)

    async def _save(self, progress: Progress) -> None:
        """Raises: Superseded; StoreError."""
        saved = await self._at.ask(save_progress, self._at.operational, self._at.held.lease, self.state, progress)
        if saved is None:
            raise Superseded
        self.state, self._saved_s = saved, time.monotonic()

    # --- the cursor

    def _is_new(self, event: VersionEventInfo) -> bool:
        reached = self._cursor.reached.get(event.partition)
        return reached is None or (event.position, event.index) > reached

    def _move(self, partition: int, reached: Reached) -> None:
        before = self._cursor.reached.get(partition)
        if before is None or before < reached:
            self._cursor = EventCursor(self._cursor.generation, {**self._cursor.reached, partition: reached})

    def _after(self, event: VersionEventInfo) -> EventCursor:
        place = {event.partition: (event.position, event.index)}
        return EventCursor(self._cursor.generation, {**self._cursor.reached, **place})


def _now_us() -> int:
    return time.time_ns() // 1000
