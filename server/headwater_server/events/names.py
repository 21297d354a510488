"""Named subscriptions: how far each has read, remembered for the principal whose names they are."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from headwater_consumer.operational.named_cursors import (
    NamedCursor,
    forget_name,
    move_cursor,
    named_cursors,
    take_name,
)
from headwater_schemas.access import READER
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import check_name, check_project
from headwater_schemas.version_events import time_of
from pydantic import BaseModel, Field

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.events.asked import CURSOR_LENGTH_MAX, TEXT_LENGTH_MAX
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.service import ServiceOf

HOLDER_LENGTH_MAX = 128  # characters

Name = Annotated[str, Path(max_length=NAME_LENGTH_MAX, examples=["trainer"])]
Scope = Annotated[str, Query(max_length=TEXT_LENGTH_MAX, description="An `entity/project`, or an entity.")]
Holder = Annotated[
    str, Query(min_length=1, max_length=HOLDER_LENGTH_MAX, description="Tells this process from all others.")
]

router = APIRouter(prefix="/events/names", tags=["events"])


class Subscription(BaseModel):
    """A named subscription."""

    name: str
    scope: str
    cursor: str | None = Field(description="Where it goes on; null: it is new.")
    moved: datetime


class Subscriptions(BaseModel):
    """Your named subscriptions."""

    items: list[Subscription]


@router.get("", response_model=Subscriptions)
async def list_names(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Your named subscriptions, of what you may read."""
    own = _own(caller, "")
    found = await service.query(lambda: named_cursors(service.operational, ending=own))
    mine = [_model(one, one.scope.removesuffix(own)) for one in found]
    return answer(request, Subscriptions(items=[one for one in mine if _may_read(caller, one.scope)]))


@router.put("/{name}", response_model=Subscription)
async def take_or_move_name(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    name: Name,
    scope: Scope,
    holder: Holder,
    cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description="Remember it.")] = None,
) -> Response:
    """Take a name, so that its holder before is refused; or with `cursor` remember how far its holder has read."""
    own = _own(caller, check_scope(caller, scope))
    if cursor is None:
        found = await service.query(lambda: take_name(service.operational, own, name, holder=holder))
    else:
        found = await service.query(lambda: move_cursor(service.operational, own, name, cursor, holder=holder))
    return answer(request, _model(found, scope))


@router.delete("/{name}", status_code=204)
async def forget(service: ServiceOf, caller: CallerOf, name: Name, scope: Scope) -> None:
    """Forget a named subscription of yours."""
    own = _own(caller, check_scope(caller, scope))
    await service.query(lambda: forget_name(service.operational, own, name))


def check_scope(caller: Caller, scope: str) -> str:
    """Raises: InvalidName; Problem for a project, or an entity, of which the caller may read nothing."""
    what = "project" if "/" in scope else "entity"
    checked = check_project(scope) if what == "project" else check_name(scope, what)
    if not _may_read(caller, checked):
        raise not_found(f"{what} {scope}")
    return checked


def _may_read(caller: Caller, scope: str) -> bool:
    """Whether it may read a project, or an entity or one of its projects.

    The tokens of one principal have scopes of their own, and its names are those of all of them.
    """
    if caller.may(READER, scope):
        return True
    readable = caller.scopes(READER)
    return readable is None or any(one.startswith(f"{scope}/") for one in readable)


def _own(caller: Caller, scope: str) -> str:
    """Names of one principal do not meet those of another."""
    return f"{scope} for {caller.principal}"


def _model(found: NamedCursor, scope: str) -> Subscription:
    return Subscription(name=found.name, scope=scope, cursor=found.cursor or None, moved=time_of(found.updated_us))
