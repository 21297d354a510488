"""`POST /v1/queries/NAME`: one query of the port that the SDK reads by, with its arguments as JSON."""

import gzip
import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from headwater_consumer.queries.query_forms import QueryForm, form_of
from headwater_consumer.queries.reads import ListQuery, Query, all_queries
from headwater_schemas.errors import InvalidInput
from headwater_stores.http.reads import PART_ITEMS

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.bodies import parsed, read_body, told_size
from headwater_server.http.encodings import takes_gzip
from headwater_server.http.problems import Problem
from headwater_server.limits import ANSWER_BYTES_MAX
from headwater_server.reading.asked import Asked
from headwater_server.reading.rules import READING_BYTES, RULES
from headwater_server.service import Service, ServiceOf

LIMITS = {"limit": 100_000, "nodes_max": 100_000}  # arguments that say how much, and the most that they may say
WHOLE_LIMIT_MAX = 10_000  # of a list that is read at once, since it has no next page
ITEMS_MAX = 200_000  # of an argument that is a list, unless it is one of the following
ARGUMENTS_BYTES_MAX = 16 * 1024 * 1024
LAYERS_MAX = 256  # of one version; chains are logarithmic in its entries
ITEMS_OF = {
    **dict.fromkeys(("layers", "before", "now"), LAYERS_MAX),
    **dict.fromkeys(("paths", "runs", "digests"), PART_ITEMS),  # for each of which something is found
}
NAME_SHOWN_MAX = 100  # characters of a query that there is not
COMPRESSED_BYTES_MIN = 16 * 1024
COMPRESSION_LEVEL = 1  # the answers are for programs near by

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_QUERIES = all_queries()

router = APIRouter(tags=["queries"], dependencies=[NotBefore])


@router.post("/queries/{name}", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}}}}})
async def ask(name: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """One query of the SDK, with its arguments as an object by name. Made for the SDK; people have the resources."""
    query = _QUERIES.get(name)
    if query is None or name not in RULES:
        raise _no_query(name)
    compress = takes_gzip(request.headers.get("accept-encoding", ""))
    call = service.transfer if name in READING_BYTES else service.query
    with service.in_flight.held_for(told_size(request, ARGUMENTS_BYTES_MAX), caller.principal):
        body = await read_body(request, ARGUMENTS_BYTES_MAX)
        return await call(_answered, service, caller, query, body, compress=compress)


def _answered(service: Service, caller: Caller, query: Query[Any, Any], body: bytes, *, compress: bool) -> Response:
    form: QueryForm[..., Any] = form_of(query)
    arguments = form.read_arguments(parsed(body))
    _check_bounds(query, arguments)
    asked = Asked(service, caller, query, arguments)
    content = {"result": form.result.write(RULES[query.name](asked)), "more": asked.more}
    answer = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    if len(answer) > ANSWER_BYTES_MAX:
        raise _too_large(query.name, len(answer))
    headers = dict(_HEADERS)
    if compress and len(answer) >= COMPRESSED_BYTES_MIN:
        headers["Content-Encoding"] = "gzip"
        answer = gzip.compress(answer, COMPRESSION_LEVEL, mtime=0)
    return Response(answer, headers=headers, media_type="application/json")


def _check_bounds(query: Query[Any, Any], arguments: dict[str, Any]) -> None:
    """Raises: InvalidInput."""
    for name, value in arguments.items():
        if name in LIMITS:
            largest = LIMITS[name] if isinstance(query, ListQuery) or name != "limit" else WHOLE_LIMIT_MAX
            if not 1 <= value <= largest:
                raise InvalidInput(f"{name} is {value}, which is not from 1 to {largest:,}. Ask for a page at a time.")
        most = ITEMS_OF.get(name, ITEMS_MAX)
        if isinstance(value, list) and len(value) > most:
            raise InvalidInput(f"{name} has {len(value):,} items, more than {most:,}. Ask in parts.")


def _no_query(name: str) -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND,
        "no-query",
        f"there is no query {name[:100]}.",
        "Upgrade the server or the client.",
        name[:100],
    )


def _too_large(name: str, size: int) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "too-large",
        f"the answer to {name} has {size:,} bytes, more than {ANSWER_BYTES_MAX:,}.",
        "Ask for fewer at once.",
        name,
    )
