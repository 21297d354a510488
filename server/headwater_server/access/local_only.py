"""Keep web pages away from an open server: no token protects it from the browsers of its machine.

A page of any site can send requests to loopback addresses. They carry an `Origin`, or, where the site's name was made
to lead here (DNS rebinding), its name as `Host`.
"""

from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from headwater_schemas.problems import FORBIDDEN
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_server.access.addresses import is_loopback
from headwater_server.http.problems import Problem

ADDRESSES_KNOWN = 64


class LocalOnly:
    """Middleware: refuse what was not sent to this machine by its own names, or comes from pages of others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            asked = [f"//{host}" for host in headers.getlist("host")] + headers.getlist("origin")
            if not all(map(_is_local, asked)):
                await _refusal().response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


@lru_cache(ADDRESSES_KNOWN)
def _is_local(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return is_loopback(parts.hostname or "") and parts.port != 0  # which is read, so that it is one
    except ValueError:
        return False


def _refusal() -> Problem:
    return Problem(
        HTTPStatus.FORBIDDEN,
        FORBIDDEN,
        "this server is open to its own machine alone: the request was sent to another name, or by a page of another "
        "site.",
        "Ask http://127.0.0.1 with its port; or start the server without --open, and use tokens.",
    )
