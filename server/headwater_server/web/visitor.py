"""Who looks at a page, and with which rights: as everywhere, or by the cookie of who signed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Request, Response
from headwater_consumer.database import Database

from headwater_server.access.authentication import TokenAuthentication
from headwater_server.access.caller import Authentication, Caller, CallerOf, caller_of
from headwater_server.http.problems import Problem
from headwater_server.service import Service, ServiceOf
from headwater_server.web.cookies import SESSION
from headwater_server.web.rendering import Visitor, answer
from headwater_server.web.signing_in import SignedIn

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one page."""

    request: Request
    service: Service
    caller: Caller

    async def query(self, function: Callable[Concatenate[Database, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what asks the database, as `Service.query` does."""
        return await self.service.query(function, self.service.database, *arguments, **named)

    async def preview(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what reads a file to show it, as `Service.preview` does."""
        return await self.service.preview(self.caller.principal, function, *arguments, **named)

    async def search(self, function: Callable[Concatenate[Database, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what asks the database for seconds, as `Service.search` does."""
        return await self.service.search(self.caller.principal, function, self.service.database, *arguments, **named)

    def answer(
        self,
        template: str,
        data: Any,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The page that a template makes of `data`, a dataclass; or the data alone, where its address asks for that."""
        return answer(
            self.request, template, data, visitor=_visitor(self.request, self.caller), status=status, headers=headers
        )


async def visit_of(request: Request, service: ServiceOf, caller: CallerOf) -> Visit:
    """See `VisitOf`. Raises: Problem for who is not signed in."""
    return Visit(request, service, caller)


VisitOf = Annotated[Visit, Depends(visit_of)]


async def visitor_for(request: Request) -> Visitor | None:
    """Who looks, for a page that is shown to everybody; None for who is not signed in, or not known now."""
    try:
        return _visitor(request, await caller_of(request))
    except Problem:
        return None


def visitors_of(service: Service, authentication: Authentication) -> Authentication:
    """How the page knows who looks at it, where programs are known by `authentication`."""
    return SignedIn(service, authentication) if isinstance(authentication, TokenAuthentication) else authentication


def _visitor(request: Request, caller: Caller) -> Visitor:
    known = request.app.state.authentication
    cookie = request.cookies.get(SESSION)
    if isinstance(known, SignedIn) and cookie is not None:
        return Visitor(caller.principal, known.forms.token(cookie))
    return Visitor(None, None)
