"""Answers what clients ask with each commit without the framework's routing and dependencies, which take longer than
the answers do.

The routes are the framework's all the same: it documents them, and answers what is asked for in another way.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security.base import SecurityBase
from headwater_schemas.errors import HeadwaterError
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_server.http.problems import Problem, problem_for

Finding = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A route without parameters, but for what its dependencies find by the request alone."""

    route: APIRoute
    request_as: str | None  # its parameter for the request, where it has one
    found_as: Sequence[tuple[Finding, str | None]]  # each dependency and its parameter; None: it is asked to refuse

    async def answer(self, request: Request) -> Response:
        """Raises: as its dependencies and its function."""
        arguments: dict[str, Any] = {} if self.request_as is None else {self.request_as: request}
        for find, name in self.found_as:
            found = await find(request)
            if name is not None:
                arguments[name] = found
        result = await self.route.endpoint(**arguments)
        return result if isinstance(result, Response) else JSONResponse(result)


DirectRoutes = Mapping[tuple[str, str], DirectRoute]  # by method and path


class Direct:
    """Middleware that answers the requests of some routes."""

    def __init__(self, app: ASGIApp, routes: DirectRoutes) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. Queries are left to the framework, which refuses them."""
        found = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route
        request = Request(scope, receive, send)
        try:
            response = await found.answer(request)
        except (Problem, HeadwaterError) as error:
            response = problem_for(request, error).response(request.url.path)
        await response(scope, receive, send)


def direct_routes(app: FastAPI, router: APIRouter) -> DirectRoutes:
    """The routes of `router`, as `app` has them."""
    return {
        (method, str(context.path)): _direct(context)
        for context in iter_route_contexts(app.router.routes)
        if context.original_route in router.routes
        for method in context.methods or ()
    }


def _direct(context: RouteContext) -> DirectRoute:
    route, dependant = context.original_route, context.dependant
    assert isinstance(route, APIRoute)
    assert not any((dependant.path_params, dependant.query_params, dependant.header_params, dependant.body_params))
    names: dict[Finding, str | None] = {}
    for dependency in dependant.dependencies:
        if not isinstance(dependency.call, SecurityBase):  # that is for the document alone
            names[dependency.call] = dependency.name or names.get(dependency.call)
    return DirectRoute(route, dependant.request_param_name, list(names.items()))
