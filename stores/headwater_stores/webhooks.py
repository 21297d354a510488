"""Webhooks as their admins see them: what each is told, how far it is, and what its receiver answered.

What a webhook is stands on the log; how far it was told stands in the operational tables, where a server that delivers
keeps it. Who may do this is for the caller to judge.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from headwater_consumer import queries
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.webhook_attempts import LoggedAttempt, attempts_of
from headwater_consumer.operational.webhook_states import (
    Hold,
    WebhookState,
    begin_webhook,
    forget_webhook,
    holds_of,
    request_test,
    resume_webhook,
    webhook_state,
)
from headwater_consumer.queries.results import SubscriptionInfo
from headwater_consumer.subscriptions.starting import NOW, starting_cursor
from headwater_schemas.access import check_scope, covers
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.events import Event, SubscriptionAdded, SubscriptionRemoved
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.version_events import check_kinds, time_of
from headwater_schemas.webhooks import (
    WebhookSettings,
    check_webhook_settings,
    new_subscription_id,
    webhook_secret,
)

from headwater_stores.stores import Stores

WEBHOOKS_MAX = 1000  # of one scope, with those of its projects
KEY_PURPOSE = "webhooks/1"  # for which the servers' key is derived


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook, how far it is, and what is held back."""

    id: str
    scope: str
    settings: WebhookSettings
    made_by: str  # or changed last, whose rights it has
    made_us: int
    state: WebhookState | None  # None: no server has begun it
    holds: tuple[Hold, ...]

    @property
    def status(self) -> str:
        """In one word: "active", or why it is told nothing."""
        if self.settings.disabled:
            return "disabled"
        return "active" if self.state is None else self.state.status


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str = field(repr=False)


class Webhooks:
    """What admins do with webhooks. Each method that changes one returns once that is projected."""

    def __init__(
        self,
        stores: Stores,
        operational: OperationalDatabase,
        *,
        key: Callable[[], bytes],
        send: Callable[[Event], None],
    ) -> None:
        """`key` gives the key for KEY_PURPOSE; `send` writes an event and returns when it is projected."""
        self._stores, self._operational, self._key, self._send = stores, operational, key, send

    def add(self, scope: str, settings: WebhookSettings, *, id_: str | None = None) -> NewSecret:
        """Tell a receiver what happens in a scope from now on. Raises: InvalidInput; StoreError.

        With an `id_` that the same webhook has already, nothing changes.
        """
        _check(check_scope(scope), settings)
        key = self._key()  # before anything is written: without it there is no secret
        if len(queries.subscriptions(self._stores.database, scope, limit=WEBHOOKS_MAX)) == WEBHOOKS_MAX:
            raise InvalidInput(f"{scope} has {WEBHOOKS_MAX:,} webhooks, which is the limit. Remove some.")
        id_ = id_ or new_subscription_id()
        begin_webhook(self._operational, id_, self._place(NOW))  # so that nothing is missed once it is there
        self._send(SubscriptionAdded(scope=scope, subscription=id_, settings=settings.encode()))
        return NewSecret(self.get(id_), webhook_secret(key, id_, settings.rotation))

    def of(self, scope: str) -> list[Webhook]:
        """Those of an entity and its projects, or of a project and its entity; WEBHOOKS_MAX at most."""
        infos = queries.subscriptions(self._stores.database, check_scope(scope), limit=WEBHOOKS_MAX)
        return [self._webhook(info) for info in infos]

    def get(self, id_: str) -> Webhook:
        """The webhook with this id. Raises: NotFound."""
        return self._webhook(self._info(id_))

    def attempts(self, id_: str, *, before: int | None = None, limit: int = 100) -> list[LoggedAttempt]:
        """What was sent to it, newest first. Raises: NotFound."""
        self._info(id_)
        return attempts_of(self._operational, id_, before=before, limit=limit)

    def request_test(self, id_: str) -> int:
        """Have a server that delivers send it a test; returns the number of the last attempt before that."""
        last = max((one.number for one in self.attempts(id_, limit=1)), default=0)
        request_test(self._operational, id_)
        return last

    def replay(self, id_: str, after: str | datetime | None = None) -> Webhook:
        """Tell it again what it was not told, from where it stopped, or what followed `after`, told or not.

        `after` is as for `starting_cursor`. Raises: NotFound; InvalidInput.
        """
        self._info(id_)
        resume_webhook(self._operational, id_, None if after is None else self._place(after))
        return self.get(id_)

    def rotate(self, id_: str, *, before: int | None = None) -> NewSecret:
        """Give it another secret. For a day the one before signs, too. Raises: NotFound; InvalidInput.

        `before`: how often it was rotated, for who asks again after a lost answer: then it is not rotated twice.
        """
        key, webhook = self._key(), self.get(id_)
        settings = webhook.settings
        if before is not None and settings.rotation == before + 1:
            return NewSecret(webhook, webhook_secret(key, id_, settings.rotation))
        if before not in (None, settings.rotation):
            raise InvalidInput(
                f"the secret of {id_} was replaced {settings.rotation} times, not {before}. Look at it again."
            )
        changed = replace(settings, rotation=settings.rotation + 1, rotated_ms=time.time_ns() // 1_000_000)
        return NewSecret(self._change(id_, changed), webhook_secret(key, id_, changed.rotation))

    def disable(self, id_: str) -> Webhook:
        """Tell it nothing until it is enabled; what happens meanwhile it is told then. Raises: NotFound."""
        return self._change(id_, replace(self.get(id_).settings, disabled=True))

    def enable(self, id_: str) -> Webhook:
        """Go on where it stopped, with the rights of who says so. Raises: NotFound."""
        self._change(id_, replace(self.get(id_).settings, disabled=False))
        if webhook_state(self._operational, id_) is not None:
            resume_webhook(self._operational, id_)
        return self.get(id_)

    def remove(self, id_: str) -> Webhook:
        """Tell it nothing more, and forget how far it was. Raises: NotFound."""
        webhook = self.get(id_)
        self._send(SubscriptionRemoved(scope=webhook.scope, subscription=id_))
        forget_webhook(self._operational, id_)
        return webhook

    # --- within

    def _change(self, id_: str, settings: WebhookSettings) -> Webhook:
        scope = self._info(id_).scope
        self._send(SubscriptionAdded(scope=scope, subscription=id_, settings=settings.encode()))
        return self.get(id_)

    def _place(self, after: str | datetime) -> str:
        stores = self._stores
        return starting_cursor(stores.log, stores.database, stores.projection, after).encode()

    def _info(self, id_: str) -> SubscriptionInfo:
        info = queries.subscription_with_id(self._stores.database, id_)
        if info is None:
            raise no_webhook(id_)
        return info

    def _webhook(self, info: SubscriptionInfo) -> Webhook:
        settings = WebhookSettings.decode(info.settings)
        state = webhook_state(self._operational, info.subscription)
        holds = tuple(holds_of(self._operational, info.subscription))
        return Webhook(info.subscription, info.scope, settings, info.author, info.time_us, state, holds)


def no_webhook(id_: str) -> NotFound:
    """The error for one that is not there."""
    shown = quoted(id_, NAME_LENGTH_MAX)
    return NotFound(
        f"there is no webhook {shown}, or it was removed. `headwater webhooks list` shows those of a scope."
    )


def _check(scope: str, settings: WebhookSettings) -> None:
    """Raises: InvalidInput for what would never be told anything."""
    given = {"url": settings.url, "kinds": list(settings.kinds)}
    for name in ("alias", "type", "collection"):
        if (value := getattr(settings, name)) is not None:
            given[name] = value
    check_webhook_settings(given)
    check_kinds(settings.kinds)
    project = None if settings.collection is None else settings.collection.rpartition("/")[0]
    if project is not None and not covers(scope, project):
        raise InvalidInput(f"{settings.collection} is not in {scope}, so nothing would be told of it.")


# --- as JSON, the same from the command line and over HTTP


def webhook_json(webhook: Webhook) -> dict[str, Any]:
    """All that admins see of it."""
    settings, state = webhook.settings, webhook.state
    return {
        "id": webhook.id,
        "scope": webhook.scope,
        "url": settings.url,
        "kinds": list(settings.kinds),
        "alias": settings.alias,
        "type": settings.type,
        "collection": settings.collection,
        "made_by": webhook.made_by,
        "made": _time(webhook.made_us),
        "rotations": settings.rotation,
        "status": webhook.status,
        "reason": "" if state is None else state.reason,
        "failures": 0 if state is None else state.failures,
        "cursor": None if state is None else state.cursor,
        "held_back": [
            {
                "subject": hold.subject,
                "failures": hold.failures,
                "since": _time(hold.since_us),
                "parked": hold.is_parked,
            }
            for hold in webhook.holds
        ],
    }


def attempt_json(logged: LoggedAttempt) -> dict[str, Any]:
    """One line of the delivery log."""
    attempt = logged.attempt
    return {
        "number": logged.number,
        "time": _time(logged.time_us),
        "event": attempt.event,
        "kind": attempt.kind,
        "subject": attempt.subject,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "milliseconds": attempt.milliseconds,
        "answer": attempt.answer,
    }


def _time(time_us: int) -> str:
    return time_of(time_us).isoformat()
