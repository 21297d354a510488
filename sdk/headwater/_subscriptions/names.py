"""The names of subscriptions: which there are, and forgetting one."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from headwater_schemas.errors import StoreMissing
from headwater_schemas.version_events import time_of
from headwater_stores.config.settings import Settings

if TYPE_CHECKING:
    from headwater_consumer.operational.database import OperationalDatabase
    from headwater_stores.http.connection import ServerConnection


@dataclass(frozen=True, slots=True)
class SubscriptionName:
    """A named subscription."""

    scope: str  # the project or entity that it follows
    name: str
    cursor: str | None  # where it goes on; None: it is new
    moved: datetime


def subscription_names(settings: Settings) -> list[SubscriptionName]:
    """All of the store; through a server those of who asks. Raises: StoreError."""
    if settings.server is not None:
        with _connected(settings) as server:
            items = server.request("GET", "/v1/events/names").json["items"]
        return [
            SubscriptionName(one["scope"], one["name"], one["cursor"], datetime.fromisoformat(one["moved"]))
            for one in items
        ]
    from headwater_consumer.operational.named_cursors import named_cursors  # deferred: database

    try:
        with closing(_operational(settings)) as database:
            found = named_cursors(database)
    except StoreMissing:
        return []
    return [SubscriptionName(one.scope, one.name, one.cursor or None, time_of(one.updated_us)) for one in found]


def forget_subscription(settings: Settings, scope: str, name: str) -> None:
    """Forget a name. Raises: NotFound, StoreError."""
    if settings.server is not None:
        with _connected(settings) as server:
            server.request("DELETE", f"/v1/events/names/{quote(name, safe='')}?{urlencode({'scope': scope})}")
        return
    from headwater_consumer.operational.named_cursors import forget_name  # deferred: database

    with closing(_operational(settings)) as database:
        forget_name(database, scope, name)


@contextmanager
def _connected(settings: Settings) -> "Iterator[ServerConnection]":
    from headwater_stores.http.connection import ServerConnection  # deferred: http

    assert settings.server is not None, "it was asked"
    with closing(ServerConnection(settings.server, outage_s=settings.outage_s)) as server:
        yield server


def _operational(settings: Settings) -> "OperationalDatabase":
    from headwater_stores.operational import open_operational  # deferred: database

    return open_operational(settings, create=False)
