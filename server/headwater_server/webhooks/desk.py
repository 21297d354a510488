"""What a server lets its callers do with webhooks: as `Webhooks` says, for who is admin of their scope."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from headwater_consumer import queries
from headwater_schemas.access import ADMIN, ANYBODY, READER
from headwater_schemas.events import Event, Origin, Stamped, SubscriptionAdded
from headwater_schemas.keys import new_session
from headwater_stores.webhooks import KEY_PURPOSE, Webhooks, no_webhook

from headwater_server.access.caller import Caller
from headwater_server.access.rights import Rights
from headwater_server.access.rules import not_permitted, require
from headwater_server.bounded_threads import BoundedThreads
from headwater_server.limits import WAIT_S_MAX, WEBHOOK_CALLS_MAX, WEBHOOK_THREADS
from headwater_server.service import Service
from headwater_server.submitting.submitter import Submitter

WRITER = "webhooks"  # as whom an open server shows its callers

T = TypeVar("T")


class WebhookDesk:
    """Serves callers, each call in a thread of its own, since it writes and waits."""

    def __init__(self, service: Service, submitter: Submitter) -> None:
        self._service, self._submitter = service, submitter
        self._threads = BoundedThreads("webhook calls", threads=WEBHOOK_THREADS, calls=WEBHOOK_CALLS_MAX)

    async def serve(self, caller: Caller, scope: str, do: Callable[[Webhooks], T]) -> T:
        """Do it for an admin of `scope`.

        Raises: EventRejected; NotFound for who may not even read there; Problem when too many wait; as `do`.
        """
        require(caller, ADMIN, scope, "managing webhooks")
        loop = asyncio.get_running_loop()

        def send(event: Event) -> None:
            asyncio.run_coroutine_threadsafe(self._write(event, caller), loop).result()

        service = self._service
        webhooks = Webhooks(
            service.stores, service.operational, key=lambda: service.key.derived(KEY_PURPOSE), send=send
        )
        return await self._threads.run(caller.principal, do, webhooks)

    async def serve_one(self, caller: Caller, webhook: str, do: Callable[[Webhooks], T]) -> T:
        """Do it with one webhook. Raises: as `serve`, where what is not there and what may not be known is the same."""
        info = await self._service.query(queries.subscription_with_id, self._service.database, webhook)
        if info is None or not caller.may(READER, info.scope):
            raise no_webhook(webhook)
        return await self.serve(caller, info.scope, do)

    async def _write(self, event: Event, caller: Caller) -> None:
        """Returns once it is projected. Raises: EventRejected where the webhook would stop at once."""
        if isinstance(event, SubscriptionAdded) and not await self._is_granted(caller, event.scope):
            raise not_permitted(
                f"a webhook has the rights that were granted to who makes it, and your role in {event.scope} comes "
                "from your JWT alone. Have an admin grant it to you, or use a token."
            )
        session = new_session(owner=caller.principal)
        stamped = Stamped(Origin(session=session, sequence=0, clock=datetime.now(UTC), author=WRITER), event)
        written = await self._submitter.write([stamped], caller, wait_s=WAIT_S_MAX)
        await self._service.waits.wait(written.cut, principal=caller.principal)

    async def _is_granted(self, caller: Caller, scope: str) -> bool:
        """Whether `Workplace.may_read` will hold for what this caller makes."""
        if caller.principal == ANYBODY:
            return True
        grants = await self._service.query(queries.roles_of, self._service.database, caller.principal)
        return Rights.of((grant.scope, grant.role) for grant in grants).may(READER, scope)


def desk_of(request: Request) -> WebhookDesk:
    """The desk of the server that a request came to."""
    desk: WebhookDesk = request.app.state.webhooks
    return desk


DeskOf = Annotated[WebhookDesk, Depends(desk_of)]
