"""Webhooks over HTTP: `/v1/subscriptions`, for admins of their scope."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from blake3 import blake3
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from headwater_schemas.access import ADMIN, check_scope
from headwater_schemas.limits import LABEL_LENGTH_MAX, NAME_LENGTH_MAX
from headwater_schemas.webhooks import ID_PREFIX, WebhookSettings, new_subscription_id
from headwater_stores.webhooks import NewSecret, Webhook, attempt_json, webhook_json

from headwater_server.access.caller import CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.limits import PAGE_DEFAULT, PAGE_MAX
from headwater_server.typed_bodies import body_of, documented
from headwater_server.webhooks import models
from headwater_server.webhooks.desk import DeskOf

_ID_DIGITS = 16
_NUMBER_MAX = (1 << 62) - 1

router = APIRouter(tags=["subscriptions"], dependencies=[NotBefore])

WebhookId = Annotated[str, Path(max_length=NAME_LENGTH_MAX, examples=["hook_0123456789abcdef"])]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=LABEL_LENGTH_MAX, description="Sent again with it, it counts once."),
]
Scope = Annotated[str, Query(max_length=models.SCOPE_LENGTH_MAX, description="An entity, or entity/project.")]


@router.get("/subscriptions", response_model=models.Webhooks)
async def list_subscriptions(request: Request, caller: CallerOf, desk: DeskOf, scope: Scope) -> Response:
    """Those of an entity with those of its projects, or of a project; with those of its entity, for admins of that."""
    found = await desk.serve(caller, check_scope(scope), lambda webhooks: webhooks.of(scope))
    shown = [one for one in found if caller.may(ADMIN, one.scope)]
    return answer(request, models.Webhooks(items=[models.Webhook(**webhook_json(one)) for one in shown]))


@router.post(
    "/subscriptions",
    response_model=models.WebhookWithSecret,
    status_code=HTTPStatus.CREATED,
    openapi_extra=documented(models.WebhookToAdd),
)
async def add_subscription(
    request: Request,
    caller: CallerOf,
    desk: DeskOf,
    given: Annotated[models.WebhookToAdd, Depends(body_of(models.WebhookToAdd))],
    key: IdempotencyKey = None,
) -> Response:
    """Tell a receiver what happens in a scope from now on. The answer has the secret of its signatures, this once."""
    settings = WebhookSettings(
        url=given.url, kinds=tuple(given.kinds), alias=given.alias, type=given.type, collection=given.collection
    )
    id_ = new_subscription_id() if key is None else _id_of(caller.principal, key, given)
    added = await desk.serve(caller, check_scope(given.scope), lambda desk: desk.add(given.scope, settings, id_=id_))
    return answer(request, _with_secret(added), status=HTTPStatus.CREATED)


@router.get("/subscriptions/{webhook}", response_model=models.Webhook)
async def get_subscription(request: Request, caller: CallerOf, desk: DeskOf, webhook: WebhookId) -> Response:
    """One webhook, and how far it is."""
    found = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.get(webhook))
    return _answer(request, found)


@router.delete("/subscriptions/{webhook}", response_model=models.Webhook)
async def remove_subscription(request: Request, caller: CallerOf, desk: DeskOf, webhook: WebhookId) -> Response:
    """Tell it nothing more, and forget how far it was."""
    found = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.remove(webhook))
    return _answer(request, found)


@router.get("/subscriptions/{webhook}/attempts", response_model=models.Attempts)
async def list_attempts(
    request: Request,
    caller: CallerOf,
    desk: DeskOf,
    webhook: WebhookId,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT,
    before: Annotated[int | None, Query(ge=0, le=_NUMBER_MAX, description="Only with a smaller number.")] = None,
) -> Response:
    """What was sent to it, and what its receiver answered, newest first. The last 500 are kept."""
    found = await desk.serve_one(
        caller, webhook, lambda webhooks: webhooks.attempts(webhook, before=before, limit=limit)
    )
    return answer(request, models.Attempts(items=[models.Attempt(**attempt_json(one)) for one in found]))


@router.post("/subscriptions/{webhook}/test", response_model=models.TestRequested, status_code=HTTPStatus.ACCEPTED)
async def test_subscription(request: Request, caller: CallerOf, desk: DeskOf, webhook: WebhookId) -> Response:
    """Have the process that delivers send an event that says nothing. What became of it is among the attempts."""
    since = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.request_test(webhook))
    return answer(request, models.TestRequested(since=since), status=HTTPStatus.ACCEPTED)


@router.post(
    "/subscriptions/{webhook}/replay",
    response_model=models.Webhook,
    openapi_extra=documented(models.ReplayFrom, is_optional=True),
)
async def replay_subscription(
    request: Request,
    caller: CallerOf,
    desk: DeskOf,
    webhook: WebhookId,
    given: Annotated[models.ReplayFrom, Depends(body_of(models.ReplayFrom, is_optional=True))],
) -> Response:
    """Tell it what it was not told, from where it stopped, or what followed `after`, told or not."""
    after = None if given.after is None else _place(given.after)
    found = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.replay(webhook, after))
    return _answer(request, found)


@router.post(
    "/subscriptions/{webhook}/rotate",
    response_model=models.WebhookWithSecret,
    openapi_extra=documented(models.Rotation, is_optional=True),
)
async def rotate_subscription(
    request: Request,
    caller: CallerOf,
    desk: DeskOf,
    webhook: WebhookId,
    given: Annotated[models.Rotation, Depends(body_of(models.Rotation, is_optional=True))],
) -> Response:
    """Give it another secret, shown this once. For 24 hours both sign."""
    rotated = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.rotate(webhook, before=given.rotations))
    return answer(request, _with_secret(rotated))


@router.post("/subscriptions/{webhook}/disable", response_model=models.Webhook)
async def disable_subscription(request: Request, caller: CallerOf, desk: DeskOf, webhook: WebhookId) -> Response:
    """Tell it nothing until it is enabled."""
    found = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.disable(webhook))
    return _answer(request, found)


@router.post("/subscriptions/{webhook}/enable", response_model=models.Webhook)
async def enable_subscription(request: Request, caller: CallerOf, desk: DeskOf, webhook: WebhookId) -> Response:
    """Let it go on where it stopped, with your rights."""
    found = await desk.serve_one(caller, webhook, lambda webhooks: webhooks.enable(webhook))
    return _answer(request, found)


def _answer(request: Request, webhook: Webhook) -> Response:
    return answer(request, models.Webhook(**webhook_json(webhook)))


def _with_secret(added: NewSecret) -> models.WebhookWithSecret:
    return models.WebhookWithSecret(**webhook_json(added.webhook), secret=added.secret)


def _id_of(principal: str, key: str, given: models.WebhookToAdd) -> str:
    """The same for the same request of the same caller, so that a second one changes nothing."""
    parts = (principal, key, given.model_dump_json())
    hashed = blake3(b"headwater/webhook-id/1")
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big") + encoded)
    return ID_PREFIX + hashed.hexdigest(length=_ID_DIGITS // 2)


def _place(text: str) -> str | datetime:
    """A time where it is one; else what `starting_cursor` knows, or refuses."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
