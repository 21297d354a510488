"""Who may do what: lists of roles and tokens, for admins of an entity or a project."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from headwater_consumer.queries import GrantInfo, TokenInfo
from headwater_schemas.access import ADMIN, check_scope
from headwater_schemas.limits import NAME_LENGTH_MAX

from headwater_server.access.caller import CallerOf
from headwater_server.access.last_uses import with_uses
from headwater_server.access.not_before import NotBefore
from headwater_server.access.rules import require
from headwater_server.http.answering import answer
from headwater_server.resources import models
from headwater_server.resources.paging import LIMIT, Cursor, Limit, cursor_key, cursor_text, next_query, read_page
from headwater_server.service import ServiceOf

router = APIRouter(tags=["access"], dependencies=[NotBefore])


async def administered_scope(
    caller: CallerOf,
    scope: Annotated[
        str, Query(max_length=2 * NAME_LENGTH_MAX + 1, description="An entity, or entity/project.", examples=["team"])
    ],
) -> str:
    """The scope that a request names. Raises: InvalidName, NotFound; EventRejected where it is not the caller's."""
    require(caller, ADMIN, check_scope(scope), "seeing who may do what")
    return scope


AdministeredScope = Annotated[str, Depends(administered_scope)]


@router.get("/access", response_model=models.Grants)
async def list_grants(
    request: Request, service: ServiceOf, scope: AdministeredScope, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """Who has which role: of an entity with those in its projects, of a project with those that its entity gives."""
    after = None if cursor is None else _last(cursor, "access")
    page, last = await read_page(service, "grants", limit, scope=scope, after=after)
    following = None if last is None else cursor_text("access", last.scope, last.principal)
    body = models.Grants(items=[_grant_model(info) for info in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/tokens", response_model=models.Tokens)
async def list_tokens(
    request: Request, service: ServiceOf, scope: AdministeredScope, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """The tokens that were made in a scope, or in one of its projects, and not revoked; expired ones too."""
    after = None if cursor is None else _after_token(*_last(cursor, "tokens"))
    page, last = await read_page(service, "tokens", limit, scope=scope, after=after)
    following = None if last is None else cursor_text("tokens", last.scope, last.id)
    shown = await service.query(with_uses, service, page)
    body = models.Tokens(items=[_token_model(info) for info in shown], next=following)
    return answer(request, body, next_page=next_query(request, following))


def _last(cursor: str, of_list: str) -> tuple[str, str]:
    scope, name = cursor_key(of_list, cursor, str, str)
    return scope, name


def _after_token(scope: str, token_id: str) -> tuple[str, str]:
    """After every hash that begins so: cursors tell no hash."""
    return scope, f"{token_id}g"


def _grant_model(info: GrantInfo) -> models.Grant:
    return models.Grant(
        scope=info.scope,
        principal=info.principal,
        role=info.role,
        granted_by=info.author,
        granted=models.when(info.time_us),
    )


def _token_model(info: TokenInfo) -> models.Token:
    return models.Token(
        id=info.id,
        scope=info.scope,
        principal=info.principal,
        expires=None if info.expires_ms is None else models.when(info.expires_ms * 1000),
        created_by=info.author,
        created=models.when(info.time_us),
        last_used=None if info.used_us is None else models.when(info.used_us),
    )
