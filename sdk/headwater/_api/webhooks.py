"""What the command line does with webhooks, as JSON: on a store that this process opens itself, or through a server."""

import json
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from headwater_schemas.access import check_scope
from headwater_schemas.errors import NotFound
from headwater_schemas.events import Event
from headwater_schemas.webhooks import WebhookSettings, check_url
from headwater_stores.config.settings import Settings, read_settings

SUBSCRIPTIONS = "/v1/subscriptions"
ATTEMPTS_MAX = 500  # that are kept of one webhook

Json = dict[str, Any]


class WebhookCommands(Protocol):
    """The calls of both ways. Each raises: NotFound, InvalidInput, StoreError; through a server also EventRejected."""

    def add(self, scope: str, settings: WebhookSettings) -> Json: ...

    def of(self, scope: str) -> list[Json]: ...

    def request_test(self, webhook: str) -> int: ...

    def attempts(self, webhook: str, limit: int) -> list[Json]: ...

    def replay(self, webhook: str, after: str | datetime | None) -> Json: ...

    def rotate(self, webhook: str) -> Json: ...

    def disable(self, webhook: str) -> Json: ...

    def enable(self, webhook: str) -> Json: ...

    def remove(self, webhook: str) -> Json: ...


def open_webhooks(*, create: bool = False) -> WebhookCommands:
    """Those of the store or server that the settings name. Raises: StoreError; InvalidSettings."""
    settings = read_settings()
    return DirectWebhooks(settings, create=create) if settings.server is None else HttpWebhooks(settings)


class DirectWebhooks:
    """On a store whose projection has everything that was written."""

    def __init__(self, settings: Settings, *, create: bool) -> None:
        from headwater_stores.operational import open_operational  # deferred: database
        from headwater_stores.server_key import key_file, read_key  # deferred: database
        from headwater_stores.webhooks import KEY_PURPOSE, Webhooks, attempt_json, webhook_json  # deferred: database

        from headwater._commit.client import client_for  # deferred: database

        client = client_for(settings, create=create)
        client.catch_up()
        if client.stores.missing is not None:
            raise client.stores.missing

        def send(event: Event) -> None:
            client.send([event]).result()
            client.catch_up()

        def key() -> bytes:
            return read_key(*key_file(settings)).derived(KEY_PURPOSE)

        self._webhooks = Webhooks(client.stores, open_operational(settings), key=key, send=send)
        self._json, self._attempt_json = webhook_json, attempt_json

    def add(self, scope: str, settings: WebhookSettings) -> Json:
        added = self._webhooks.add(scope, settings)
        return {**self._json(added.webhook), "secret": added.secret}

    def of(self, scope: str) -> list[Json]:
        return [self._json(webhook) for webhook in self._webhooks.of(scope)]

    def request_test(self, webhook: str) -> int:
        return self._webhooks.request_test(webhook)

    def attempts(self, webhook: str, limit: int) -> list[Json]:
        return [self._attempt_json(one) for one in self._webhooks.attempts(webhook, limit=limit)]

    def replay(self, webhook: str, after: str | datetime | None) -> Json:
        return self._json(self._webhooks.replay(webhook, after))

    def rotate(self, webhook: str) -> Json:
        rotated = self._webhooks.rotate(webhook)
        return {**self._json(rotated.webhook), "secret": rotated.secret}

    def disable(self, webhook: str) -> Json:
        return self._json(self._webhooks.disable(webhook))

    def enable(self, webhook: str) -> Json:
        return self._json(self._webhooks.enable(webhook))

    def remove(self, webhook: str) -> Json:
        return self._json(self._webhooks.remove(webhook))


class HttpWebhooks:
    """Through a server, which judges what its caller may do."""

    def __init__(self, settings: Settings) -> None:
        from headwater_stores.http.connection import ServerConnection  # deferred: http.client

        assert settings.server is not None
        self._connection = ServerConnection(settings.server, outage_s=settings.outage_s)

    def add(self, scope: str, settings: WebhookSettings) -> Json:
        import uuid  # deferred: few commands need it

        names = ("alias", "type", "collection")
        wanted = {"kinds": list(settings.kinds), **{name: getattr(settings, name) for name in names}}
        given = {"scope": check_scope(scope), "url": check_url(settings.url), **wanted}
        return self._asked("POST", "", given, {"Idempotency-Key": uuid.uuid4().hex})

    def of(self, scope: str) -> list[Json]:
        found: list[Json] = self._asked("GET", f"?scope={quote(check_scope(scope), safe='')}")["items"]
        return found

    def request_test(self, webhook: str) -> int:
        return int(self._asked("POST", f"{_path(webhook)}/test")["since"])

    def attempts(self, webhook: str, limit: int) -> list[Json]:
        found: list[Json] = self._asked("GET", f"{_path(webhook)}/attempts?limit={min(limit, ATTEMPTS_MAX)}")["items"]
        return found

    def replay(self, webhook: str, after: str | datetime | None) -> Json:
        return self._asked(
            "POST", f"{_path(webhook)}/replay", {"after": after.isoformat() if isinstance(after, datetime) else after}
        )

    def rotate(self, webhook: str) -> Json:
        before = self._asked("GET", _path(webhook))["rotations"]
        return self._asked("POST", f"{_path(webhook)}/rotate", {"rotations": before})

    def disable(self, webhook: str) -> Json:
        return self._asked("POST", f"{_path(webhook)}/disable")

    def enable(self, webhook: str) -> Json:
        return self._asked("POST", f"{_path(webhook)}/enable")

    def remove(self, webhook: str) -> Json:
        return self._asked("DELETE", _path(webhook))

    def _asked(self, method: str, path: str, given: object = None, headers: dict[str, str] | None = None) -> Json:
        body = None if given is None else json.dumps(given).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        found: Json = self._connection.request(method, SUBSCRIPTIONS + path, body, headers=sent).json
        return found


def _path(webhook: str) -> str:
    if not webhook:
        raise NotFound("there is no webhook without an id. `headwater webhooks list` shows those of a scope.")
    return f"/{quote(webhook, safe='')}"
