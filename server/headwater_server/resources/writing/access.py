"""Giving and taking roles and tokens, by admins. When an answer says `done`, the change counts."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from headwater_consumer import queries
from headwater_schemas.access import ADMIN, check_principal, check_role, check_scope
from headwater_schemas.events import AccessGranted, AccessRevoked, TokenRevoked
from headwater_schemas.keys import new_session
from headwater_schemas.limits import PRINCIPAL_LENGTH_MAX
from headwater_stores.new_tokens import new_token

from headwater_server.access.caller import CallerOf
from headwater_server.access.rules import require
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources.access import AdministeredScope
from headwater_server.resources.models import when
from headwater_server.resources.writing.edits import ACCEPTED, written
from headwater_server.resources.writing.shapes import NewGrant, NewToken, TokenMade, Written
from headwater_server.resources.writing.writer import WAIT_S, JsonWriter, Wait, WriterOf, status_of
from headwater_server.service import ServiceOf
from headwater_server.submitting.submitter import SubmitterOf
from headwater_server.typed_bodies import body_of, documented

router = APIRouter(tags=["access"])


@router.put("/access", response_model=Written, responses=ACCEPTED, openapi_extra=documented(NewGrant))
async def grant_role(
    request: Request, body: Annotated[NewGrant, Depends(body_of(NewGrant))], writer: WriterOf
) -> Response:
    """Give somebody a role in a scope, in the place of the one that it has there."""
    event = AccessGranted(
        scope=check_scope(body.scope), principal=check_principal(body.principal), role=check_role(body.role)
    )
    return await written(request, writer, event)


@router.delete("/access", response_model=Written, responses=ACCEPTED)
async def revoke_role(
    request: Request,
    service: ServiceOf,
    scope: AdministeredScope,
    principal: Annotated[str, Query(max_length=PRINCIPAL_LENGTH_MAX, examples=["headwater|ana"])],
    writer: WriterOf,
) -> Response:
    """Take the role that somebody has in exactly this scope."""
    if await service.query(queries.role_granted, service.database, scope, check_principal(principal)) is None:
        raise not_found(f"role of {principal} that was granted in {scope}")
    return await written(request, writer, AccessRevoked(scope=scope, principal=principal))


@router.post(
    "/tokens",
    response_model=TokenMade,
    status_code=HTTPStatus.CREATED,
    responses={202: {"model": TokenMade}},
    openapi_extra=documented(NewToken),
)
async def make_token(
    request: Request,
    service: ServiceOf,
    submitter: SubmitterOf,
    caller: CallerOf,
    body: Annotated[NewToken, Depends(body_of(NewToken))],
    wait: Wait = WAIT_S,
) -> Response:
    """Make a token. This answer alone has it. Sent again, the request makes another one, whatever its headers say."""
    require(caller, ADMIN, check_scope(body.scope), "making a token")
    expires = None if body.expires_seconds is None else timedelta(seconds=body.expires_seconds)
    made = await service.query(new_token, service.stores.reads, body.name, body.scope, role=body.role, expires=expires)
    writer = JsonWriter(submitter, caller, new_session(owner=caller.principal), wait)
    result = await writer.write(made.events)
    expires_ms = made.created.expires_ms
    content = TokenMade(
        cut=result.cut,
        done=result.is_known,
        token=made.text,
        id=made.id,
        scope=body.scope,
        principal=made.created.principal,
        role=made.role,
        expires=None if expires_ms is None else when(expires_ms * 1000),
    )
    response = answer(request, content, status=status_of(result, HTTPStatus.CREATED))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("/tokens/{id}", response_model=Written, responses=ACCEPTED)
async def revoke_token(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    id: Annotated[str, Path(max_length=64, examples=["0123456789abcdef"])],  # noqa: A002 - the word of the interface
    writer: WriterOf,
) -> Response:
    """End a token."""
    info = await service.query(queries.token_with_id, service.database, id)
    if info is None or not caller.may(ADMIN, info.scope):
        raise not_found(f"token {id}")
    return await written(request, writer, TokenRevoked(scope=info.scope, token=info.token))
