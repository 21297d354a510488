"""Refuse what is too large before anything reads it."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_server.http.problems import Problem
from headwater_server.limits import QUERY_STRING_MAX


class Bounds:
    """Middleware: the bounds that hold for every request. Bodies are bounded by who reads them, see `bodies`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and len(scope["query_string"]) > QUERY_STRING_MAX:
            problem = Problem(
                HTTPStatus.REQUEST_URI_TOO_LONG,
                "too-large",
                f"the query has {len(scope['query_string']):,} characters, more than {QUERY_STRING_MAX:,}.",
                "Ask for less at once.",
            )
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)
