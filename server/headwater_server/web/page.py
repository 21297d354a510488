"""The page as an application of its own, beside that of the interface for programs, whose stores and streams it shares.

It takes what no route of `/v1` takes. Who asks is known to it in another way, and it answers errors as pages.
"""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.datastructures import MutableHeaders, State
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater_server.access.caller import Authentication
from headwater_server.access.local_only import LocalOnly
from headwater_server.events.streams import Streams
from headwater_server.http.bounds import Bounds
from headwater_server.http.problems import FAILURES, not_found, problem_for
from headwater_server.metrics import Measured
from headwater_server.service import Service
from headwater_server.web import addresses, failures
from headwater_server.web.rendering import ADDRESS, SECURITY, WANTS_DATA
from headwater_server.web.router import router
from headwater_server.web.visitor import visitors_of

INTERFACE = "/v1/"  # for programs


class Page:
    """An ASGI application."""

    def __init__(self, service: Service, authentication: Authentication, streams: Streams) -> None:
        self.router = router
        self.state = State({"service": service, "authentication": authentication, "streams": streams})
        self._app: ASGIApp = ExceptionMiddleware(
            AsyncExitStackMiddleware(router), handlers=dict.fromkeys(FAILURES, _on_failure)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        path, wants_data = addresses.parted(scope["path"])
        asked = (scope.get("raw_path") or quote(scope["path"]).encode()) + b"?" * bool(scope["query_string"])
        address = "/" + (asked + scope["query_string"]).decode("latin-1").lstrip(
            "/"
        )  # "//…" would lead to another host
        own = {"app": self, "router": router, "path": path, WANTS_DATA: wants_data, ADDRESS: address}
        scope.update(own)
        await self._app(scope, receive, _with_security(send))


def add_page(app: FastAPI) -> None:
    """Have `app` show the page at every address that it has no route for, and that is not of the interface."""
    state, nothing = app.state, app.router.default
    page = Page(state.service, visitors_of(state.service, state.authentication), state.streams)

    async def page_or_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        is_of_page = scope["type"] == "http" and not f"{scope['path']}/".startswith(INTERFACE)
        await (page if is_of_page else nothing)(scope, receive, send)

    app.router.default = page_or_nothing


def local_page(service: Service, visitor: Authentication) -> ASGIApp:
    """The page alone, for this machine alone, without the interface for programs."""
    page = LocalOnly(Page(service, visitor, Streams(service)))
    return Measured(Bounds(page), metrics=service.metrics)


async def _on_failure(request: Request, error: Exception) -> Response:
    is_no_page = isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND
    problem = not_found("page of this address") if is_no_page else problem_for(request, error)
    return await failures.answer_failure(request, problem)


def _with_security(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)  # the contents of files have a stricter policy of their own
        await send(message)

    return sending
