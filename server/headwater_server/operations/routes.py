"""The routes of commands for the whole store, for operators: `/v1/operations`.

The answer begins at once, and ends when the command does; see `headwater_schemas.operations`.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from headwater_schemas.operations import FILE_MEDIA_TYPE, MEDIA_TYPE

from headwater_server.access.caller import CallerOf
from headwater_server.http.answering import answer
from headwater_server.http.bodies import pieces_of
from headwater_server.http.problems import Problem
from headwater_server.limits import IMPORT_BYTES_MAX
from headwater_server.operations import commands, models
from headwater_server.operations.running import OperationsOf, only_operators
from headwater_server.operations.streaming import CommandAnswer
from headwater_server.typed_bodies import body_of, documented

_ANSWER: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {
            "description": "Frames of what the command writes, and of how it ended.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {FILE_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(tags=["operations"], prefix="/operations", dependencies=[Depends(only_operators)])


@router.get("", response_model=models.Commands)
async def list_operations(request: Request) -> Response:
    """The commands that can be run here, for who may run them: so that nobody sends a large file in vain."""
    return answer(request, models.Commands(items=list(commands.NAMES)))


@router.post("/gc", openapi_extra=documented(models.Gc, is_optional=True), **_ANSWER)
async def run_gc(
    operations: OperationsOf,
    caller: CallerOf,
    asked: Annotated[models.Gc, Depends(body_of(models.Gc, is_optional=True))],
) -> Response:
    """Free the space of what nothing needs any more, as `headwater gc` does."""
    return CommandAnswer(operations, caller.principal, commands.gc(asked))


@router.post("/maintain", openapi_extra=documented(models.Maintain, is_optional=True), **_ANSWER)
async def run_maintain(
    operations: OperationsOf,
    caller: CallerOf,
    asked: Annotated[models.Maintain, Depends(body_of(models.Maintain, is_optional=True))],
) -> Response:
    """Delete what is not kept, and tidy the store, as `headwater maintain` does where nobody can be asked."""
    return CommandAnswer(operations, caller.principal, commands.maintain(asked))


@router.post("/archive", openapi_extra=documented(models.Archive, is_optional=True), **_ANSWER)
async def run_archive(
    operations: OperationsOf,
    caller: CallerOf,
    asked: Annotated[models.Archive, Depends(body_of(models.Archive, is_optional=True))],
) -> Response:
    """Archive the log, as `headwater archive` does, once."""
    return CommandAnswer(operations, caller.principal, commands.archive(asked))


@router.post("/export", openapi_extra=documented(models.Export), **_ANSWER)
async def run_export(
    operations: OperationsOf,
    caller: CallerOf,
    asked: Annotated[models.Export, Depends(body_of(models.Export))],
) -> Response:
    """Write versions as one file, which is in frames of its own, as `headwater export` does."""
    return CommandAnswer(operations, caller.principal, commands.export(asked))


@router.post("/import", openapi_extra=_FILE, **_ANSWER)
async def run_import(
    request: Request,
    operations: OperationsOf,
    caller: CallerOf,
    project: Annotated[
        str | None, Query(max_length=models.PROJECT_LENGTH_MAX, description="Into this ENTITY/PROJECT.")
    ] = None,
    aliases: Annotated[models.Aliases, Query(description="What is done with aliases that are elsewhere.")] = "keep",
    as_json: Annotated[bool, Query(description="Print JSON.")] = False,
    quiet: Annotated[bool, Query(description="Print no progress.")] = False,
) -> Response:
    """Read an export, which is the body, into the store, as `headwater import` does."""
    command = commands.import_(project=project, aliases=aliases, as_json=as_json, quiet=quiet)
    return CommandAnswer(operations, caller.principal, command, _file_in(request))


async def _file_in(request: Request) -> AsyncIterator[bytes]:
    """The body, as it arrives. Raises: Problem."""
    size = 0
    async for piece in pieces_of(request):
        size += len(piece)
        if size > IMPORT_BYTES_MAX:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too-large",
                f"the file is larger than {IMPORT_BYTES_MAX:,} bytes.",
                "Export less at once.",
            )
        yield piece
