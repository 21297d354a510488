"""`GET /v1/events`: version events in pages, at once or as soon as there are some."""

import asyncio
import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.results import VersionEventPage
from headwater_schemas.event_cursors import EventCursor

from headwater_server.access.not_before import NotBefore
from headwater_server.events.asked import After, Asked, AskedEvents, start_of
from headwater_server.events.feed import Feed, Listener
from headwater_server.events.models import Events, event_model
from headwater_server.events.streams import StreamsOf
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.limits import PAGE_DEFAULT, PAGE_MAX, WAIT_S_MAX
from headwater_server.service import Service, ServiceOf

router = APIRouter(tags=["events"])


@router.get("/events", response_model=Events, dependencies=[NotBefore])
async def list_events(
    request: Request,
    service: ServiceOf,
    streams: StreamsOf,
    asked: AskedEvents,
    after: After = None,
    limit: Annotated[
        int, Query(ge=0, le=PAGE_MAX, description="How many at most; 0 for the `cursor` of the place alone.")
    ] = PAGE_DEFAULT,
    wait: Annotated[
        float, Query(ge=0, le=WAIT_S_MAX, description="Where there are none: seconds to wait for some.")
    ] = 0,
    caught_up: Annotated[bool, Query(description="First wait until all that was logged by now is projected.")] = False,
) -> Response:
    """The version events after a place, from the start unless given; go on with `cursor` until `more` is false."""
    if caught_up:
        await service.waits.wait(await service.query(service.stores.projection.now), principal=asked.caller.principal)
    begin = await start_of(service, after or "start")
    if limit == 0:
        return answer(request, Events(items=[], cursor=begin.encode(), more=True))
    page = await _page(service, asked, begin, limit)
    if not page.events and not page.more and wait:
        with streams.counted(asked.caller.principal):
            page = await _awaited(service, streams.feed, asked, page, limit, wait)
    told = page.told(asked.wanted.scopes)
    return answer(request, Events(items=list(map(event_model, told)), cursor=page.cursor.encode(), more=page.more))


async def _page(service: Service, asked: Asked, after: EventCursor, limit: int) -> VersionEventPage:
    return await service.query(version_events, service.database, after, wanted=asked.wanted, limit=limit)


async def _awaited(
    service: Service, feed: Feed, asked: Asked, page: VersionEventPage, limit: int, wait_s: float
) -> VersionEventPage:
    """The page once it has events, or as it is after `wait_s`."""
    deadline = time.monotonic() + wait_s
    listener = Listener(asked.wanted)
    await feed.attach(listener)
    try:
        while True:
            listener.reset()
            renewed = await asked.renewed()
            if renewed is None:
                raise not_found(asked.thing)
            page = await _page(service, renewed, page.cursor, limit)
            left_s = deadline - time.monotonic()
            if page.events or page.more or left_s <= 0 or service.is_stopping:
                return page
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await listener.woken.wait()
    finally:
        feed.detach(listener)
