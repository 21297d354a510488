"""Version events through a server: pages that it holds back until there is something in them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.version_events import VersionEvent, is_known
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.connection import ANSWER_S, ServerConnection

from headwater._subscriptions.source import EventPage, Followed

PAGE = 256  # events read at once


class ServerEvents:
    """See `EventSource`."""

    wait_s = 5.0  # each wait is a request

    def __init__(self, address: ServerAddress, followed: Followed, *, outage_s: float) -> None:
        """Connects when it is first used."""
        self._server = ServerConnection(address, outage_s=outage_s)
        self._scope = followed.scope
        named = {"entity": followed.entity, "project": followed.project, "type": followed.type, "alias": followed.alias}
        self._asked = [(name, value) for name, value in named.items() if value is not None]
        self._asked += [("kind", kind) for kind in sorted(followed.kinds)]

    def start(self, after: str | datetime) -> str:
        """See `EventSource`."""
        if isinstance(after, datetime):
            if after.tzinfo is None:
                raise InvalidInput(
                    f"the time {after.isoformat()} has no zone. Use datetime.now(UTC), or .astimezone()."
                )
            after = after.isoformat()
        return str(self._page(after, limit=0, wait_s=0)["cursor"])

    def check(self, cursor: str) -> None:
        """See `EventSource`."""
        self.start(cursor)

    def read(self, cursor: str, *, wait_s: float) -> EventPage:
        """See `EventSource`. Events of kinds that only a later release knows are passed over."""
        page = self._page(cursor, limit=PAGE, wait_s=wait_s)
        events = [VersionEvent.from_json(told) for told in page["items"] if is_known(told.get("type"))]
        return EventPage(events, str(page["cursor"]), bool(page["more"]))

    def catch_up(self) -> None:
        """See `EventSource`."""
        self._page("now", limit=0, wait_s=0, caught_up="true")

    def take_name(self, name: str, holder: str) -> str:
        """See `EventSource`."""
        return str(self._put_name(name, holder=holder)["cursor"] or "")

    def move_name(self, name: str, holder: str, cursor: str) -> None:
        """See `EventSource`."""
        self._put_name(name, holder=holder, cursor=cursor)

    def close(self) -> None:
        """See `EventSource`."""
        self._server.close()

    def _page(self, after: str, *, limit: int, wait_s: float, **more: str) -> Any:
        place = {"after": after, "limit": str(limit), "wait": f"{wait_s:.3f}", **more}
        query = urlencode([*place.items(), *self._asked])
        page = self._server.request("GET", f"/v1/events?{query}", timeout_s=ANSWER_S + wait_s).json
        if not isinstance(page, dict) or not page.keys() >= {"items", "cursor", "more"}:
            raise StoreUnavailable(f"{self._server.name} does not answer as a headwater server does. Upgrade it.")
        return page

    def _put_name(self, name: str, **given: str) -> Any:
        query = urlencode({"scope": self._scope, **given})
        return self._server.request("PUT", f"/v1/events/names/{quote(name, safe='')}?{query}").json
