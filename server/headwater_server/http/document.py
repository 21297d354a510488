"""The OpenAPI document: what the framework knows of every route, with the one shape of errors that each can answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from headwater_schemas.problems import MEDIA_TYPE

_PROBLEM = {
    "title": "Problem",
    "description": "An error, in the shape of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "reason", "thing", "next_step"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:headwater:problem:not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was found and what to do, in one text."},
        "reason": {"type": "string", "description": "One word for programs.", "examples": ["not-found"]},
        "thing": {"type": "string", "description": "What it is about."},
        "next_step": {"type": "string", "description": "What to do now."},
        "incident": {"type": "string", "description": "Where the server failed: its number in the server's log."},
    },
}
_ANY_ERROR = {
    "description": "An error.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_NOT_MODIFIED = {"description": "You have it already: the ETag is among those of If-None-Match."}
COMPONENT = "#/components/schemas/{model}"
_OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def operation_id(route: APIRoute) -> str:
    """The name of the function that answers it."""
    return route.name


def install(app: FastAPI) -> None:
    """Have `app` tell its errors as they are."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for methods in document["paths"].values():
        for method, operation in methods.items():
            responses = operation["responses"]
            responses.pop("422", None)
            responses["default"] = _ANY_ERROR
            if method == "get" and "application/json" in responses.get("200", {}).get("content", {}):
                responses["304"] = _NOT_MODIFIED
            schemas.update(_definitions_of_body(operation))
    for name in _OF_THE_FRAMEWORK:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    return document


def _definitions_of_body(operation: dict[str, Any]) -> dict[str, Any]:
    """The schemas that a body which a route reads itself came with; they are components from now on."""
    content = operation.get("requestBody", {}).get("content", {})
    found: dict[str, Any] = {}
    for of_media_type in content.values():
        found |= of_media_type.get("schema", {}).pop("$defs", {})
    return found
