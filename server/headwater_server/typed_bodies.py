"""Request bodies: read within bounds, and told in the OpenAPI document, which the framework does for unbounded ones."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema

from headwater_server.access.caller import CallerOf
from headwater_server.http.bodies import parsed, read_body, told_size
from headwater_server.http.document import COMPONENT
from headwater_server.http.problems import Problem
from headwater_server.limits import JSON_BYTES_MAX
from headwater_server.service import ServiceOf

_SHOWN_MAX = 200  # characters of where something is wrong
_NO_OBJECT = ("model_type", "model_attributes_type")  # what the validator says of these names our classes


class Body(BaseModel):
    """Base of all. What it does not know is refused: a misspelt field would be lost silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


B = TypeVar("B", bound=Body)


async def raw_body(request: Request, service: ServiceOf, caller: CallerOf) -> AsyncIterator[bytes]:
    """The body, which several dependencies read, held for who sends it until it is answered. Raises: Problem."""
    with service.in_flight.held_for(told_size(request, JSON_BYTES_MAX), caller.principal):
        yield await read_body(request, JSON_BYTES_MAX)


RawBody = Annotated[bytes, Depends(raw_body)]


def body_of(model: type[B], *, is_optional: bool = False) -> Callable[[bytes], Awaitable[B]]:
    """A dependency that reads the body as `model`; none is one without fields where it is optional. Raises: Problem."""

    async def read(body: RawBody) -> B:
        try:
            if is_optional and not body:
                return model()
            return model.model_validate(parsed(body))
        except ValidationError as error:
            raise _invalid(error) from None

    return read


def documented(model: type[Body], *, is_optional: bool = False) -> dict[str, Any]:
    """What a route says of its body, see `http.document`."""
    schemas, definitions = models_json_schema([(model, "validation")], ref_template=COMPONENT)
    content = {"application/json": {"schema": {**schemas[model, "validation"], **definitions}}}
    return {"requestBody": {"required": not is_optional, "content": content}}


def _invalid(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, ("body", *first["loc"])))[:_SHOWN_MAX]
    found = "it must be a JSON object" if first["type"] in _NO_OBJECT else first["msg"]
    return Problem(HTTPStatus.BAD_REQUEST, "invalid", f"{where}: {found}.", "See /v1/openapi.json.", where)
