"""Errors in the page's own look: what is wrong, of which thing, and what to do. Programs get them as everywhere."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from headwater_schemas.problems import UNAUTHENTICATED

from headwater_server.http.problems import Problem
from headwater_server.web import addresses
from headwater_server.web.rendering import address_of, answer, wants_data
from headwater_server.web.visitor import visitor_for

_GET = ("GET", "HEAD")
_HTML = "text/html"
_TITLES = {
    HTTPStatus.NOT_FOUND: "Nothing is here",
    HTTPStatus.GONE: "It was deleted",
    HTTPStatus.FORBIDDEN: "This is not allowed",
    HTTPStatus.UNAUTHORIZED: "You are not signed in",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much at once",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server cannot answer now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server failed",
}
_OTHER_TITLE = "This cannot be answered"
_PASSING = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong."""

    title: str
    detail: str
    next_step: str
    status: int
    may_pass: bool  # by waiting
    is_signed_out: bool


async def answer_failure(request: Request, problem: Problem) -> Response:
    """The answer where there is no page. Who is not signed in is led to where one does that, and back."""
    if wants_data(request) or _HTML not in request.headers.get("accept", ""):
        return problem.response(request.url.path)
    if problem.reason == UNAUTHENTICATED and request.method in _GET and "authorization" not in request.headers:
        leading = {**problem.headers, "Cache-Control": "no-store"}
        return RedirectResponse(addresses.sign_in(address_of(request)), HTTPStatus.SEE_OTHER, leading)
    failure = Failure(
        title=_TITLES.get(problem.status, _OTHER_TITLE),
        detail=problem.detail,
        next_step=problem.next_step,
        status=int(problem.status),
        may_pass=problem.status in _PASSING,
        is_signed_out=problem.status is HTTPStatus.UNAUTHORIZED,
    )
    visitor = await visitor_for(request)
    return answer(request, "failure.html", failure, visitor=visitor, status=problem.status, headers=problem.headers)
