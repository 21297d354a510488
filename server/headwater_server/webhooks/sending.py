"""Sending one message to one webhook, once."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from headwater_consumer import queries
from headwater_consumer.operational.webhook_attempts import Attempt
from headwater_consumer.queries.results import SubscriptionInfo, VersionEventInfo
from headwater_schemas.access import covers
from headwater_schemas.webhooks import WebhookSettings, secrets_at

from headwater_server.outgoing.requests import NotReached, Receiver
from headwater_server.webhooks.messages import Message
from headwater_server.webhooks.outcomes import Outcome, outcome_of
from headwater_server.webhooks.workplace import Workplace

SLOW_S = 2.0  # a receiver that takes longer waits with those that are in trouble


class NoRights(Exception):
    """Who made a webhook may read nothing of its scope any more."""


class Sender:
    """Sends to the receiver of one webhook, within the bounds that all share."""

    def __init__(self, workplace: Workplace, info: SubscriptionInfo, settings: WebhookSettings) -> None:
        self._at, self._info, self._settings = workplace, info, settings
        receiver = Receiver.of(settings.url)
        self._receiver = f"{receiver.host}:{receiver.port}"
        self._is_slow = False  # the last time
        self.retry_after: str | None = None  # as the last answer said

    async def is_current(self) -> bool:
        """Whether the webhook is as it was when this was made: it may have another secret, or be removed."""
        database, name = self._at.stores.database, self._info.subscription
        return await self._at.ask(queries.subscription_with_id, database, name) == self._info

    async def may_read(self) -> bool:
        """Whether who made the webhook may read its scope now."""
        return self._has_scope(await self._scopes())

    async def visible(self, event: VersionEventInfo) -> VersionEventInfo | None:
        """The event as far as who made the webhook may read it now; None: not at all. Raises: NoRights."""
        scopes = await self._scopes()
        if not self._has_scope(scopes):
            raise NoRights
        if scopes is not None and not event.is_within(scopes):
            return None
        return event.shown_within(scopes)

    async def _scopes(self) -> Sequence[str] | None:
        return await self._at.ask(self._at.scopes_of, self._info.author)

    def _has_scope(self, scopes: Sequence[str] | None) -> bool:
        return scopes is None or any(covers(one, self._info.scope) for one in scopes)

    @property
    def no_rights(self) -> str:
        """Why nothing is sent, where they may not."""
        return f"{self._info.author}, who made it, may not read {self._info.scope} any more."

    async def send(self, message: Message, *, in_trouble: bool) -> tuple[Outcome, Attempt]:
        """What became of it. `in_trouble`: the receiver failed last time."""
        async with self._at.place_for(self._receiver, in_trouble=in_trouble or self._is_slow):
            begun_s = time.monotonic()
            outcome, status, words = await self._post(message)
            took_s = time.monotonic() - begun_s
        self._is_slow = took_s > SLOW_S
        self._at.metrics.deliveries.labels(outcome.value).inc()
        self._at.metrics.seconds.observe(took_s)
        return outcome, _attempt(message, outcome, status, took_s, words)

    async def _post(self, message: Message) -> tuple[Outcome, int | None, str]:
        now = datetime.now(UTC)
        secrets = secrets_at(self._at.key, self._info.subscription, self._settings, int(now.timestamp() * 1000))
        self.retry_after = None
        try:
            answer = await self._at.requests.post(self._settings.url, message.headers(secrets, now), message.body)
        except NotReached as error:
            return Outcome.AWAY, None, str(error)
        self.retry_after = answer.retry_after
        return outcome_of(answer), answer.status, answer.body.decode("utf-8", "replace")


def unsent(message: Message, why: str) -> Attempt:
    """What is logged of a message that was not sent."""
    return _attempt(message, Outcome.UNSENT, None, 0.0, why)


def _attempt(message: Message, outcome: Outcome, status: int | None, took_s: float, words: str) -> Attempt:
    about = (message.id, message.kind, message.subject)
    return Attempt(*about, outcome.value, status, int(took_s * 1000), words)
