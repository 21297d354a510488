"""The parameters of a query that a route knows. Others are refused: a misspelt one would be lost silently."""

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import Request
from fastapi.dependencies.models import Dependant
from headwater_schemas.frozen_unicode import quoted

from headwater_server.http.problems import Problem

_SHOWN_MAX = 60  # characters of a name, in an answer


async def known_query(request: Request) -> None:
    """Raises: Problem for a parameter that the route does not know."""
    if not request.query_params:
        return
    known = frozenset(_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            raise _unknown(name, known)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for below in dependant.dependencies:
        yield from _names(below)


def _unknown(name: str, known: frozenset[str]) -> Problem:
    shown = quoted(name, _SHOWN_MAX)
    step = f"Give only {', '.join(sorted(known))}." if known else "Give none here."
    return Problem(HTTPStatus.BAD_REQUEST, "invalid", f"there is no parameter {shown}.", step, f"query.{shown}")
