"""Which session a request writes in: the same for the same request, so that sending it again is the same write.

A session's id says when it began and whose it is; the rest of it, and the time of day when it began, are a hash of the
Idempotency-Key and the request. So for a day at least the same request has the same event ids, through whichever server
it comes: its session is looked for under yesterday's date, too.
"""

import os
import time
from typing import Annotated

from fastapi import Depends, Header, Request
from headwater_consumer import queries
from headwater_schemas.keys import DAY_MS, repeatable_session
from headwater_schemas.limits import LABEL_LENGTH_MAX

from headwater_server.access.caller import CallerOf
from headwater_server.service import ServiceOf
from headwater_server.typed_bodies import RawBody

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=LABEL_LENGTH_MAX,
        description="Anything that you use for this request alone: sent again with it, the request counts once. "
        "Without it, each time is another write.",
    ),
]


async def session_of_request(
    request: Request, body: RawBody, service: ServiceOf, caller: CallerOf, idempotency_key: IdempotencyKey = None
) -> str:
    """The session in which the events of a request are written."""
    if idempotency_key is None:
        return repeatable_session(_today_ms(), owner=caller.principal, seed=os.urandom(16))
    parts = (idempotency_key, request.method, request.url.path, request.url.query)
    seed = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts) + body
    today, yesterday = (
        repeatable_session(day_ms, owner=caller.principal, seed=seed) for day_ms in (_today_ms(), _today_ms() - DAY_MS)
    )
    await service.waits.wait(await service.query(service.stores.projection.now), principal=caller.principal)
    # What is on the log counts, so that was waited for.
    was_written = await service.query(
        queries.is_session_known, service.database, yesterday, service.stores.log.partitions
    )
    return yesterday if was_written else today


SessionOf = Annotated[str, Depends(session_of_request)]


def _today_ms() -> int:
    """When this day began, UTC."""
    now_ms = time.time_ns() // 1_000_000
    return now_ms - now_ms % DAY_MS
