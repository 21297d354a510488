"""The one shape of errors over HTTP: RFC 9457, with the reason as a word, the thing it is about, and the next step."""

import logging
import os
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from headwater_schemas.errors import (
    DurabilityUnknown,
    EventRejected,
    HeadwaterError,
    InvalidInput,
    NotFound,
    Reason,
    StoreError,
)
from headwater_schemas.problems import FAULT, MEDIA_TYPE, word_of
from starlette.exceptions import HTTPException
from starlette.routing import Match

from headwater_server.http.told import told
from headwater_server.limits import RETRY_AFTER_S

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SHOWN_MAX = 200  # characters of what a client sent, in an answer

_log = logging.getLogger("headwater.server")


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error. Raise it anywhere in a handler."""

    status: HTTPStatus
    reason: str  # one word of the interface; programs branch on it
    detail: str  # names the thing, and what was found
    next_step: str  # what to do now
    thing: str = ""  # what it is about, as the request named it; the path of the request, if it is left out
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # further members

    def response(self, path: str = "") -> JSONResponse:
        """The answer to a request of `path`."""
        body = {
            "type": f"urn:headwater:problem:{self.reason}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": f"{self.detail} {self.next_step}".strip(),
            "reason": self.reason,
            "thing": self.thing or path[:_SHOWN_MAX],
            "next_step": self.next_step,
            **self.more,
        }
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


FAILURES = (Problem, HeadwaterError, RequestValidationError, HTTPException, Exception)  # see `problem_for`


def problem_of(error: HeadwaterError, thing: str) -> Problem:
    """What an error of ours is over HTTP. Nothing of it says where anything is."""
    status, reason = _status_of(error), word_of(error)
    detail, next_step = _parted(told(error))
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Problem(status, reason, detail, next_step, thing, headers)


def come_again(reason: str, found: str, next_step: str, *, of_caller: bool = False) -> Problem:
    """The answer where the same request may be served in a moment. `of_caller`: once others of its caller are."""
    status = HTTPStatus.TOO_MANY_REQUESTS if of_caller else HTTPStatus.SERVICE_UNAVAILABLE
    return Problem(status, reason, found, next_step, headers={"Retry-After": str(RETRY_AFTER_S)})


def not_found(thing: str) -> Problem:
    """The answer for what does not exist, and for what the caller may not know of: the two cannot be told apart."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        "not-found",
        f"there is no {thing}, or you may not read it.",
        "Check the name, or ask an admin of the project for access.",
        thing,
    )


def install(app: FastAPI) -> None:
    """Have every failure of `app` answered in this shape."""
    for kind in FAILURES:
        app.add_exception_handler(kind, _on_problem)


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    return problem_for(request, error).response(request.url.path)


def problem_for(request: Request, error: Exception) -> Problem:
    """What a request failed with: an error of ours, of the framework, or a fault, which is logged."""
    path = request.url.path[:_SHOWN_MAX]
    match error:
        case Problem():
            return error
        case HeadwaterError():
            return problem_of(error, path)
        case RequestValidationError():
            return _invalid(error, path)
        case HTTPException():
            return _of_framework(error, request, path)
        case _:
            return _fault(error, request, path)


def _invalid(error: RequestValidationError, path: str) -> Problem:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:_SHOWN_MAX]
    return Problem(HTTPStatus.BAD_REQUEST, "invalid", f"{where}: {first['msg']}.", "See /v1/openapi.json.", path)


def _of_framework(error: HTTPException, request: Request, path: str) -> Problem:
    """No such path, no such method."""
    status = HTTPStatus(error.status_code)
    reason = status.phrase.lower().replace(" ", "-")
    detail = f"{request.method} {path}: {status.phrase.lower()}."
    problem = Problem(status, reason, detail, "See /v1/openapi.json for what there is.", path)
    problem.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = ", ".join(_methods_of(request))  # of the framework it has those of one route alone
    return problem


def _methods_of(request: Request) -> list[str]:
    """The methods that the path of a request takes."""
    routes = request.app.router.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _fault(error: Exception, request: Request, path: str) -> Problem:
    incident = os.urandom(6).hex()
    _log.error("incident %s: %s %s", incident, request.method, request.url.path, exc_info=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        FAULT,
        f"the server failed on this request; its log tells more under incident {incident}.",
        "Tell the operator this number.",
        path,
        more={"incident": incident},
    )


def _status_of(error: HeadwaterError) -> HTTPStatus:
    match error:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case EventRejected():
            return HTTPStatus.FORBIDDEN if error.reason is Reason.NOT_PERMITTED else HTTPStatus.CONFLICT
        case InvalidInput():
            return HTTPStatus.BAD_REQUEST
        case DurabilityUnknown():
            return HTTPStatus.GATEWAY_TIMEOUT
        case StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _parted(message: str) -> tuple[str, str]:
    """What was found, and the next step, which is the last sentence of our messages."""
    found, dot, step = message.rstrip().rpartition(". ")
    return (found + ".", step) if dot else (message, "")
